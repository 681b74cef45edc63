"""Pages neither skip nor repeat a row while others are written, moved and taken
away: every list, with many rows of the same moment."""

import datetime
import random
import threading
import uuid

import pytest

from helpers import Database, unique

PAGE = 7
MOMENTS = 6
ROWS = 60  # so that about ten of them share a moment
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)

# Name in the answer, filter, table, and the columns that a row needs: %(mark)s is
# what the filter asks for.
LISTS = {
    "/db/shipments?carrier=": (
        "shipments", "shipments (id, created_at, carrier, mode)",
        "%(id)s, %(at)s, %(mark)s, 'test'"),
    "/db/shipments?mode=test&status=": (
        "shipments", "shipments (id, created_at, status, mode)",
        "%(id)s, %(at)s, %(mark)s, 'test'"),
    "/db/shipments?batch_id=": (
        "shipments", "shipments (id, created_at, batch_id, mode)",
        "%(id)s, %(at)s, %(mark)s, 'test'"),
    "/db/shipments?reference=": (
        "shipments", "shipments (id, created_at, reference, mode)",
        "%(id)s, %(at)s, %(mark)s, 'test'"),
    "/db/addresses?city=": (
        "addresses", "addresses (id, created_at, city, mode)",
        "%(id)s, %(at)s, %(mark)s, 'test'"),
    "/db/events?status=": (
        "events", "shipment_events (id, tracker_id, created_at, status)",
        "%(id)s, %(id)s, %(at)s, %(mark)s"),
    "/db/batch-operations?operation_type=": (
        "batch_operations",
        "batch_operations (id, created_at, batch_id, operation_type)",
        "%(id)s, %(at)s, %(id)s, %(mark)s"),
    "/db/webhooks?description=": (
        "webhooks", "webhook_events (id, easypost_id, description, payload,"
        " state)",
        "%(id)s, %(id)s, %(mark)s, '{}', 'kept'"),
    "/db/user-activity?resource=": (
        "user_activities", 'user_activities (id, "timestamp", resource)',
        "%(id)s, %(at)s, %(mark)s"),
}


def identifier(at):
    """Of the form of our ids: its time and then random (RFC 9562, 5.7)."""
    number = int(at.timestamp() * 1000) << 80 | random.getrandbits(80)
    return str(uuid.UUID(int=number & ~(0xf << 76) & ~(0x3 << 62)
                         | 7 << 76 | 2 << 62))


class Shelf:
    """Rows of one mark in one table."""

    def __init__(self, db, path):
        self.plural, columns, values = LISTS[path]
        self.db = db
        self.mark = unique("mark_")[:20]
        self.path = path + self.mark
        self.table = columns.partition(" ")[0]
        self.sql = f"insert into {columns} values ({values})"

    def add(self, at):
        row = identifier(at)
        self.db(self.sql, {"id": row, "at": at, "mark": self.mark})
        return row

    def remove(self, row):
        if self.table in ("shipments", "addresses"):
            self.db(f"update {self.table} set deleted_at = now()"
                    " where id = %s", row)
        else:
            self.db(f"delete from {self.table} where id = %s", row)

    def touch(self, row):
        """Writes it anew at another place of the table."""
        if self.table in ("shipments", "addresses"):
            self.db(f"update {self.table} set updated_at = now()"
                    " where id = %s", row)


def pages(client, shelf):
    """The ids of each page."""
    after = ""
    while True:
        got = client.get(f"{shelf.path}&limit={PAGE}{after}")
        assert got.status_code == 200, got.text
        data = got.json()["data"]
        yield [row["id"] for row in data[shelf.plural]]
        if not data["pagination"]["has_more"]:
            return
        after = "&after=" + data["pagination"]["next"]


@pytest.mark.parametrize("path", LISTS)
def test_pages_of_a_table_in_motion(client, db, path):
    shelf = Shelf(db, path)
    moments = [NOW - datetime.timedelta(hours=n) for n in range(MOMENTS)]
    rows = {shelf.add(random.choice(moments)) for _ in range(ROWS)}
    seen, removed, later = [], set(), set()
    for page in pages(client, shelf):
        seen += page
        unseen = sorted(rows - set(seen) - removed)
        later.add(shelf.add(NOW + datetime.timedelta(minutes=len(seen))))
        for moment in moments:  # before the cursor, at it and behind it
            later.add(shelf.add(moment))
        if len(unseen) > 1:
            gone = random.choice(unseen)
            shelf.remove(gone)
            removed.add(gone)
            shelf.touch(random.choice(sorted(rows - removed)))
        shelf.remove(page[-1])  # the row that the cursor is of
    assert len(seen) == len(set(seen))
    assert set(seen) - later == rows - removed


@pytest.mark.parametrize("path", LISTS)
def test_rows_of_one_moment_have_an_order(client, db, path):
    """The same on each reading, whatever the size of the page."""
    shelf = Shelf(db, path)
    rows = [shelf.add(NOW) for _ in range(2 * PAGE + 1)]
    found = [row for page in pages(client, shelf) for row in page]
    assert found == sorted(rows, reverse=True)


def test_pages_while_others_write_without_end(stack, client):
    """Real writers at the same time, not only between two pages."""
    database = Database(stack.database_url)
    shelf = Shelf(database, "/db/shipments?carrier=")
    rows = {shelf.add(NOW) for _ in range(ROWS)}
    stop = threading.Event()
    added = []

    def write():
        while not stop.is_set():
            added.append(shelf.add(NOW + datetime.timedelta(
                seconds=random.randint(-60, 60))))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            seen = []
            for page in pages(client, shelf):
                seen += page
                if rows <= set(seen):
                    break
            assert len(seen) == len(set(seen))
            assert rows <= set(seen)
    finally:
        stop.set()
        writer.join()
        database.close()
    assert added
