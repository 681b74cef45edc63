"""Search: what was typed finds what was meant, whatever was typed."""

import psycopg2
import pytest

import documents
from helpers import compact, parallel, unique

LETTERS = str.maketrans("0123456789", "ghijklmnop")


def word():
    """A word of 12 letters that no other address has."""
    return unique().translate(LETTERS)[:12]


class Search:
    """What the services' role may ask."""

    def __init__(self, url):
        self.connection = psycopg2.connect(url)
        self.connection.autocommit = True
        with self.connection.cursor() as cursor:
            cursor.execute("set role waybill_worker")

    def __call__(self, typed, what="shipments"):
        with self.connection.cursor() as cursor:
            cursor.execute(f"select api.search_{what}(%s)::text[]", (typed,))
            return cursor.fetchone()[0]


@pytest.fixture(scope="module")
def search(stack):
    one = Search(stack.database_url)
    yield one
    one.connection.close()


@pytest.fixture
def record(client, sim, db):
    """Records a document; the id of its row."""

    def run(document, table="shipments"):
        path = "/v2/" + unique("search_")
        sim.canned("POST", path, document)
        assert client.post(path).content == compact(document)
        return db.row(table, document["id"])["id"]

    return run


def add(db, **fields):
    """An address without a document; its id."""
    names = ", ".join(fields)
    marks = ", ".join(["%s"] * len(fields))
    return db.one(f"insert into addresses ({names}) values ({marks}) "
                  "returning id", *fields.values())


@pytest.mark.parametrize("field", ["name", "company", "street1", "street2",
                                   "city", "state", "zip", "email"])
def test_an_address_is_found_by_each_field(db, search, field):
    own = word()
    found = add(db, **{field: own + "@x.example" if field == "email"
                       else own})
    assert search(own, "addresses") == [found]
    assert search(own.upper(), "addresses") == [found]
    assert search(own[:8], "addresses") == [found]


@pytest.mark.parametrize("role", ["from", "to", "return", "buyer"])
def test_a_shipment_is_found_by_each_address_at_once(record, search, role):
    own = word()
    document = documents.shipment(
        return_address=documents.address(), buyer_address=documents.address())
    document[role + "_address"] = documents.address(name="Ann " + own)
    found = record(document)
    assert search(own) == [found]


@pytest.mark.parametrize("kept, typed", [
    ("Müller", "muller"), ("Muller", "MÜLLER"), ("Łódź", "lodz"),
    ("Ångström", "angstrom"), ("Königsstraße", "konigsstrasse"),
    ("Nguyễn", "nguyen"), ("O'Brien", "obrien"), ("OBrien", "O’Brien"),
    ("Bjørn", "bjorn"), ("Çelik", "celik"), ("Иванов", "ИВАНОВ"),
    ("Ελένης", "ελενης"), ("東京都", "東京"), ("한국", "한국"),
    ("Handels-GmbH", "handels gmbh"), ("St.Louis", "st louis")])
def test_case_accents_and_signs_do_not_count(db, search, kept, typed):
    own = word()
    found = add(db, name=kept, company=own)
    assert search(f"{typed} {own}", "addresses") == [found]


def test_every_word_counts_in_any_order(db, search):
    first, second = word(), word()
    both = add(db, name=first, city=second)
    one = add(db, name=first, city=word())
    assert search(f"{second}, {first}", "addresses") == [both]
    assert set(search(first, "addresses")) == {both, one}
    assert search(f"{first} {word()}", "addresses") == []


# --- typing errors -----------------------------------------------------------


def swapped(text, i):
    return text[:i] + text[i + 1] + text[i] + text[i + 2:]


@pytest.mark.parametrize("length", [4, 5, 6, 7, 9, 12])
def test_one_error_anywhere_is_forgiven(db, search, length):
    own = word()[:length]
    found = add(db, name=own, city=word())
    city = db.one("select city from addresses where id = %s", found)
    for i in range(length):
        wrong = {own[:i] + own[i + 1:], own[:i] + "z" + own[i:],
                 own[:i] + "z" + own[i + 1:]}
        if i + 1 < length:
            wrong.add(swapped(own, i))
        for typed in wrong:
            if len(typed) >= 4:
                assert found in search(f"{typed} {city}", "addresses"), typed


def test_two_errors_anywhere_are_forgiven_in_a_long_word(db, search):
    own = word()[:7]
    city = word()
    found = add(db, name=own, city=city)
    for i in range(7):
        for k in range(i):
            typed = own[:k] + "z" + own[k + 1:i] + "z" + own[i + 1:]
            assert found in search(f"{typed} {city}", "addresses"), typed


def test_numbers_and_three_letters_are_meant_as_typed(db, search):
    city = word()
    add(db, name="Bob", zip="90277", city=city)
    assert search(f"Bpb {city}", "addresses") == []
    assert search(f"90278 {city}", "addresses") == []


def test_what_fits_hides_what_is_only_like_it(db, search):
    own = word()
    add(db, name=own[:-1] + "z")
    found = add(db, name=own)
    assert search(own, "addresses") == [found]


# --- codes -------------------------------------------------------------------


def test_tracking_code_reference_and_id(record, search):
    code = "1Z" + unique().upper()[:16]
    reference = "Ref-" + unique()
    document = documents.shipment(bought=True, reference=reference)
    document["tracking_code"] = document["tracker"]["tracking_code"] = code
    found = record(document)
    spaced = f"{code[:4]} {code[4:9]}-{code[9:]}"
    for typed in (code, code.lower(), spaced, code[:10], f" {code} ",
                  reference, reference[:12], document["id"]):
        assert found in search(typed), typed


# --- change ------------------------------------------------------------------


def test_a_renamed_address_and_a_deleted_one(record, db, search):
    before, after = word(), word()
    document = documents.shipment(
        to_address=documents.address(name=before))
    found = record(document)
    address = document["to_address"]
    record(address | {"name": after, "updated_at": documents.at(days=9)},
           "addresses")
    assert search(before) == []
    assert search(after) == [found]
    assert search(after[:5] + "z" + after[6:]) == [found]
    db("update shipments set deleted_at = now() where id = %s", found)
    assert search(after) == []
    assert len(search(after, "addresses")) == 1
    db("update addresses set deleted_at = now() where easypost_id = %s",
       address["id"])
    assert search(after, "addresses") == []


def test_newest_first(record, search):
    own = word()
    ids = [record(documents.shipment(
        created_at=documents.at(days=-day),
        to_address=documents.address(company=own))) for day in (2, 0, 1)]
    assert search(own) == [ids[1], ids[2], ids[0]]


def test_new_words_at_the_same_moment(stack):
    """No transaction waits for another that brings the same words."""
    words = [word() for _ in range(8)]

    def write(number):
        connection = psycopg2.connect(stack.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("set lock_timeout = '5s'")
                for own in words[number:] + words[:number]:
                    cursor.execute("insert into waybill.addresses (name) "
                                   "values (%s)", (own,))
            connection.commit()
        finally:
            connection.close()

    parallel(8, write)
    for own in words:
        assert int(stack.psql("select count(*) from waybill.search_words "
                              f"where word = '{own}'")[0][0]) >= 1


# --- what nobody should type ---------------------------------------------------


@pytest.mark.parametrize("typed", [
    "", " ", "'", "''", '"', "\\", "\\'", "& | ! : * ( )", "!", ":*", "<->",
    "%", "_", "%%%", "...", "-", "--", "/*", "$", "😀", "\u200b", "\x01",
    "´`’", "() ()"])
def test_nothing_but_signs_finds_nothing(search, typed):
    assert search(typed) == []
    assert search(typed, "addresses") == []


@pytest.mark.parametrize("sign", list("'\"\\&|!:*()<>%_;,$@#~^?=+-/.`") + [
    "😀", "':*", "\\'", "' | '", "--", "/*"])
def test_signs_beside_a_word_do_no_harm(db, search, sign):
    own = word()
    found = add(db, name=own)
    assert search(f"{sign} {own} {sign}", "addresses") == [found]
    search(f"{own}{sign}{own}")


def test_much_is_cut(db, search):
    own = word()
    found = add(db, name=own)
    assert search(own + " " * 200 + word(), "addresses") == [found]
    for typed in ("a" * 200, "ab " * 66, "ä" * 200, "x" * 100000):
        assert len(search(typed)) <= 10000


def test_indexes_are_there_for_it(db):
    db("set enable_seqscan = off")
    try:
        for sql, index in (
                ("select from addresses where search_vector @@ 'a'",
                 "ix_addresses_search"),
                ("select id from shipments where reference ~>=~ 'a' "
                 "and reference ~<~ 'b'", "ix_shipments_reference"),
                ("select id from shipments where reference = 'a'",
                 "ix_shipments_reference"),
                ("select id from shipments where tracking_code >= 'a' "
                 "and tracking_code < 'b'", "ix_shipments_tracking_covering"),
                ("select word from search_words where word >= 'a' "
                 "and word < 'b'", "ix_search_words_word")):
            plan = "\n".join(row[0] for row in db("explain " + sql))
            assert index in plan, plan
    finally:
        db("reset enable_seqscan")


def test_an_analyst_may_ask_it(db):
    own = word()
    found = add(db, name=own.replace("a", "á"))
    db("set role waybill_reader")
    try:
        assert db.one("select id from addresses where search_vector @@ "
                      "plainto_tsquery('simple', search_text(%s))",
                      own.replace("a", "à")) == found
    finally:
        db("reset role")
