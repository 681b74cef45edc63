"""Exports: whole or broken off, in little memory, and never in anybody's way."""

import csv
import http.client
import io
import json
import re
import ssl
import urllib.parse

import pytest

from env.stack import Stack
from helpers import (Client, Database, assert_error, memory_kb, unique,
                     wait_until, workers)

# More than the sockets between a worker and a client take, so that the worker
# has to wait for one that does not read.
ROWS = 5_000
NOTE_BYTES = 5_000

FILL = """
insert into waybill.shipments (created_at, mode, carrier, reference,
    extra_metadata)
select now() - n %% 5000 * interval '1 minute', 'test', 'Carrier ' || n %% 10,
    n::text, jsonb_build_object('note', repeat('x', %d))
from generate_series(1, %d) n
""" % (NOTE_BYTES, ROWS)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A stack with many large shipments, which never has more workers."""
    with Stack(tmp_path_factory.mktemp("full"),
               conf={"WORKERS": "14", "WORKERS_OVERFLOW": "0"}) as one:
        assert len(workers(one, "read")) == 4
        one.psql(FILL)
        yield one


@pytest.fixture
def reader(full):
    return Client(full, full.key)


class Stream:
    """An export that is read when the test wants it."""

    def __init__(self, stack, path):
        where = urllib.parse.urlsplit(stack.url)
        self.connection = http.client.HTTPSConnection(
            where.hostname, where.port, timeout=60,
            context=ssl.create_default_context(cafile=stack.ca))
        self.connection.request("GET", path, headers={
            "Authorization": f"Bearer {stack.key}"})
        self.answer = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def exporting(stack):
    """How many exports are running, as the service itself tells."""
    text = Client(stack, stack.key).get("/metrics").text
    return int(re.search(r'^waybill_pool_exports\{pool="read"\} (\d+)$', text,
                         re.M)[1])


# --- what it holds -----------------------------------------------------------


def test_every_row_once_and_newest_first(full, reader):
    lines = reader.get("/db/shipments?format=ndjson").content.splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == ROWS
    places = [(row["created_at"], row["id"]) for row in rows]
    assert places == sorted(set(places), reverse=True)


def test_a_table_is_what_csv_readers_take(full, reader):
    got = reader.get("/db/shipments?format=csv&carrier=Carrier 3")
    assert got.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(got.text, newline="")))
    assert len(rows) == ROWS // 10
    assert {row["carrier"] for row in rows} == {"Carrier 3"}
    assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("text", [
    'a "quoted", word', "two\nlines", "two\r\nlines", " space ", "é中\U0001f4e6",
    "=1+1", ";", "\t", "'", '"', ",", "'@A1"])
def test_texts_come_back_as_they_were(full, reader, text):
    reference = unique("csv-")
    full.psql("insert into waybill.shipments (mode, carrier, reference) values"
              f" ('test', $carrier${text}$carrier$, '{reference}')")
    try:
        path = f"/db/shipments?reference={reference}&format="
        got = reader.get(path + "csv").content.decode()
        [row] = csv.DictReader(io.StringIO(got, newline=""))
        assert re.sub(r"^'(?='*[=+@\t\r\n-])", "", row["carrier"]) == text
        assert row["carrier"][0] not in "=@\t"
        assert json.loads(reader.get(path + "ndjson").content)[
            "carrier"] == text
    finally:
        full.psql("delete from waybill.shipments"
                  f" where reference = '{reference}'")


def test_nothing_is_still_a_table(reader):
    path = f"/db/shipments?carrier={unique('none-')}&format="
    got = reader.get(path + "csv")
    assert got.text.startswith("id,easypost_id") and got.text.count("\n") == 1
    assert reader.get(path + "ndjson").content == b""


# --- what it costs -------------------------------------------------------------


def test_memory_does_not_grow_with_the_rows(full, reader):
    if "asan" in full.build:
        pytest.skip("a sanitizer takes memory of its own")
    few = "/db/shipments?format=ndjson&carrier=Carrier 4"
    for _ in range(8):  # each worker has had one
        reader.get(few)
    before = {pid: memory_kb(pid) for pid in workers(full, "read")}
    for _ in range(4):
        assert reader.get("/db/shipments?format=ndjson").content.count(
            b"\n") == ROWS
    after = {pid: memory_kb(pid) for pid in workers(full, "read")}
    assert set(after) == set(before)
    for pid, size in after.items():
        assert size < 8 * 1024
        assert size < before[pid] + 1024


def test_who_does_not_read_is_in_nobodys_way(full, reader):
    """Half of the workers, never more, are taken by exports."""
    path = "/db/shipments?format=ndjson"
    with Stream(full, path) as one, Stream(full, path) as two:
        wait_until(lambda: exporting(full) == 2, 10)
        assert (one.answer.status, two.answer.status) == (200, 200)
        for _ in range(20):
            assert reader.get("/db/shipments?limit=1").status_code == 200
        busy = reader.get(path)
        assert_error(busy, 429, "EXPORTS.BUSY")
        assert int(busy.headers["Retry-After"]) > 0
        assert one.answer.read().count(b"\n") == ROWS
    wait_until(lambda: exporting(full) == 0, 30)


def test_who_goes_away_leaves_a_free_worker(full, reader):
    path = "/db/shipments?format=ndjson"
    for _ in range(3):
        with Stream(full, path) as one, Stream(full, path) as two:
            assert one.answer.read(1000) and two.answer.read(1000)
        wait_until(lambda: exporting(full) == 0, 30)
    active = full.psql("select count(*) from pg_stat_activity where state ="
                       " 'active' and application_name = 'waybill-read'")
    assert active == [(0,)]
    assert reader.get(path).content.count(b"\n") == ROWS


# --- what breaks -------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_part_never_looks_like_the_whole(full, reader, form):
    """The database goes away in the middle: the transfer is broken off."""
    with Stream(full, f"/db/shipments?format={form}") as stream:
        assert stream.answer.status == 200
        wait_until(lambda: exporting(full) == 1, 10)
        full.postgres.stop()
        try:
            # Were it there again before the next page, all would arrive.
            with pytest.raises((http.client.IncompleteRead, ConnectionError,
                                ssl.SSLError)):
                while stream.answer.read(1 << 20):
                    pass
        finally:
            full.postgres.start()
    wait_until(lambda: reader.get("/db/shipments?limit=1").status_code == 200,
               10)
    database = Database(full.database_url)
    assert database.one("select count(*) from shipments") == ROWS
    database.close()


def test_a_page_that_takes_too_long_breaks_it_off(full, reader):
    """A table that is locked: the answer ends within the page's limit."""
    path = "/db/shipments?format=ndjson"
    database = Database(full.database_url)
    try:
        with Stream(full, path) as stream:
            wait_until(lambda: exporting(full) == 1, 10)
            database("begin")
            database("lock table shipments in access exclusive mode")
            with pytest.raises((http.client.IncompleteRead, ConnectionError,
                                ssl.SSLError)):
                while stream.answer.read(1 << 20):
                    pass
        late = reader.get(path)
        assert_error(late, 503)
    finally:
        database("rollback")
        database.close()
    assert reader.get(path).content.count(b"\n") == ROWS
