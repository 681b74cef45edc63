"""What people type into a search field, over HTTP: `q` of shipments and addresses."""

import urllib.parse

import pytest

import documents
from helpers import Client, assert_error, compact, unique


class House:
    """A shipment from and to people whom nobody else has heard of."""

    def __init__(self, client, sim, name, city):
        self.mark = unique("q").strip("_").lower()
        self.reference = f"Order {self.mark.capitalize()}"
        self.document = documents.shipment(bought=True,
                                           reference=self.reference)
        self.document["to_address"] |= {
            "name": f"{name} {self.mark}", "company": f"Büro {self.mark} GmbH",
            "street1": f"12 Straße {self.mark}", "city": city}
        path = "/v2/" + unique("find_")
        sim.canned("POST", path, self.document)
        assert client.post(path).content == compact(self.document)


@pytest.fixture(scope="module")
def house(stack, sim):
    return House(Client(stack, stack.key), sim, "Jörg Müller-Lüdenscheidt",
                 "Kraków")


def found(client, path, query, **more):
    got = client.get(f"{path}?" + urllib.parse.urlencode({"q": query, **more}))
    assert got.status_code == 200, got.text
    data = got.json()["data"]
    rows = data[path.rpartition("/")[2]]
    assert data["pagination"]["total"] >= len(rows)
    return [row["easypost_id"] for row in rows]


@pytest.mark.parametrize("typed", [
    "Jörg {mark}", "jorg {mark}", "JÖRG {mark}", "{mark} müller lüdenscheidt",
    "Muller {mark}", "Mueler {mark}", "Ludenscheidt {mark}",
    "Lüdenschiedt {mark}", "büro {mark}", "buro {mark} gmbh",
    "strasse {mark}", "krakow {mark}", "Krakow, {mark}!", "12 {mark}",
    "  {mark}  kraków ", "{mark}"])
def test_people_and_places(client, house, typed):
    typed = typed.format(mark=house.mark)
    assert found(client, "/db/shipments", typed) == [house.document["id"]]
    assert found(client, "/db/addresses", typed) == [
        house.document["to_address"]["id"]]


def test_shipments_by_what_stands_on_them(client, house):
    own = house.document
    for typed in (own["id"], own["tracking_code"], own["tracking_code"].lower(),
                  house.reference, house.reference.upper()):
        assert found(client, "/db/shipments", typed) == [own["id"]], typed


@pytest.mark.parametrize("typed", ["{mark} berlin", "anna {mark}", "x{mark}x y",
                                   "{mark} 13"])
def test_every_word_has_to_fit(client, house, typed):
    typed = typed.format(mark=house.mark)
    assert house.document["id"] not in found(client, "/db/shipments", typed)


def test_with_filters_and_in_pages(client, sim, house):
    others = [House(client, sim, "Same", "Same") for _ in range(2)]
    for one in others:  # now all have the first one's word
        path = "/v2/" + unique("find_")
        one.document["updated_at"] = documents.at(90)
        one.document["to_address"] |= {"name": f"Zoë {house.mark}",
                                       "updated_at": documents.at(90)}
        sim.canned("POST", path, one.document)
        client.post(path)
    everything = found(client, "/db/shipments", house.mark)
    assert set(everything) == {house.document["id"],
                               *(one.document["id"] for one in others)}
    assert found(client, "/db/shipments", house.mark, mode="production") == []
    assert found(client, "/db/shipments", house.mark,
                 reference=house.reference) == [house.document["id"]]
    query = "/db/shipments?" + urllib.parse.urlencode(
        {"q": house.mark, "limit": 1})
    paged, after = [], ""
    for _ in everything:
        data = client.get(query + after).json()["data"]
        paged += [row["easypost_id"] for row in data["shipments"]]
        after = "&after=" + str(data["pagination"]["next"])
    assert paged == everything
    assert data["pagination"]["has_more"] is False


@pytest.mark.parametrize("typed", [
    "%", "_", "%%%%", "' or 1=1 --", "\\", "\\' ", "a & b | !c", "(", "<->",
    ":*", "a:*b", "*", "''''", '"', "the and of", "é" * 200, "a " * 100,
    "\u202eabc", "\U0001f4e6", "-" * 200, "0x", "null", "{}", "\t", "x\ny"])
@pytest.mark.parametrize("path", ["/db/shipments", "/db/addresses"])
def test_whatever_is_typed_is_only_text(client, house, path, typed):
    assert house.document["id"] not in found(client, path, typed)


@pytest.mark.parametrize("typed", ["", "x" * 201, "é" * 201, "a\0b"])
@pytest.mark.parametrize("path", ["/db/shipments", "/db/addresses"])
def test_what_cannot_be_asked_is_refused_by_name(client, path, typed):
    got = client.get(f"{path}?" + urllib.parse.urlencode({"q": typed}))
    error = assert_error(got, 400, "PARAMETER.INVALID")
    assert error["errors"][0]["field"] == "q"
