"""State: the clock, the identifiers, the objects of each mode, lists and their pages.

Test and production data live in two Spaces that never see each other, as at EasyPost.
Objects are plain dicts whose key order is the order on the wire.  What EasyPost never
shows (plans, remembered services, secrets) is kept beside them in Space.hidden.
"""

import heapq
import random
import time
from calendar import timegm
from datetime import datetime, timezone

from errors import invalid, not_found

# Addresses and end shippers wrote "+00:00" until then, and "Z" since.
ADDRESS_Z_SINCE = timegm((2025, 11, 1, 0, 0, 0))
TIME_BASED_PREFIXES = {"adr", "evt", "hook"}
UUID1_EPOCH = 0x01B21DD213814000    # 100 ns intervals from 1582-10-15 to 1970-01-01

PAGE_DEFAULT, PAGE_MAX = 20, 100

ACTIONS = {}    # name -> function; data, not closures, so that the agenda can be saved


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def stamp_ms(seconds):
    millis = int(seconds * 1000) % 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}Z"


def stamp_address(seconds):
    text = stamp(seconds)
    return text if seconds >= ADDRESS_Z_SINCE else text[:-1] + "+00:00"


def parse_time(text, field="datetime"):
    """ISO 8601 to epoch seconds; a naive time is UTC."""
    try:
        value = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise invalid(field, "is not a valid date") from None
    if not 1990 <= value.year <= 2190:
        raise invalid(field, "is not a believable date")
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value.timestamp()


class Clock:
    """Real time, or a time that stands still and moves only by a step per call."""

    def __init__(self):
        self.frozen = None
        self.step = 0.0

    def now(self):
        return time.time() if self.frozen is None else self.frozen

    def set(self, frozen, step=0.0):
        self.frozen = frozen
        self.step = step if frozen is not None else 0.0

    def tick(self):
        if self.step:
            self.frozen += self.step


class Ids:
    """Prefix and 32 hex digits: version 4 for most, version 1 for the time-based."""

    def __init__(self, seed, clock):
        self.random = random.Random(seed)
        self.clock = clock
        self.last = 0

    def new(self, prefix):
        if prefix in TIME_BASED_PREFIXES:
            return f"{prefix}_{self._version1()}"
        bits = self.random.getrandbits(128)
        bits = bits & ~(0xF << 76) | 4 << 76
        bits = bits & ~(0x3 << 62) | 2 << 62
        return f"{prefix}_{bits:032x}"

    def _version1(self):
        ticks = int(self.clock.now() * 1e7) + UUID1_EPOCH
        self.last = ticks = ticks if ticks > self.last else self.last + 1
        return (f"{ticks & 0xFFFFFFFF:08x}{ticks >> 32 & 0xFFFF:04x}"
                f"{ticks >> 48 & 0x0FFF | 0x1000:04x}"
                f"{self.random.getrandbits(14) | 0x8000:04x}ac1f6bc53342")


class Space:
    """All objects of one mode."""

    def __init__(self, mode):
        self.mode = mode
        self.objects = {}       # id -> object
        self.created = {}       # id -> epoch seconds
        self.order = {}         # prefix -> ids, oldest first
        self.hidden = {}        # id -> dict that never leaves
        self.by_code = {}       # tracking code -> tracker ids, oldest first

    def put(self, obj, now, listed=True):
        key = obj["id"]
        if key not in self.objects:
            self.created[key] = now
            if listed:
                self.order.setdefault(key.partition("_")[0], []).append(key)
        self.objects[key] = obj
        return obj

    def get(self, key, prefix, errors=None):
        """The object, or 404: also for an id of another kind."""
        if isinstance(key, str) and key.startswith(prefix + "_"):
            found = self.objects.get(key)
            if found is not None:
                return found
        raise not_found(errors)

    def remember(self, key, **facts):
        self.hidden.setdefault(key, {}).update(facts)

    def recall(self, key, fact, default=None):
        return self.hidden.get(key, {}).get(fact, default)

    def drop(self, key):
        prefix = key.partition("_")[0]
        self.objects.pop(key, None)
        self.created.pop(key, None)
        self.hidden.pop(key, None)
        if key in self.order.get(prefix, ()):
            self.order[prefix].remove(key)

    def all(self, prefix):
        return [self.objects[key] for key in self.order.get(prefix, ())]

    def page(self, prefix, call, keep=None, oldest_first=False):
        """(objects, has_more) for the paging parameters of the query."""
        size = self._page_size(call)
        keys = self.order.get(prefix, [])
        low, high = 0, len(keys)
        before, after = call.param("before_id"), call.param("after_id")
        if before:
            high = self._position(keys, before)
        if after:
            low = self._position(keys, after) + 1
        start = call.param("start_datetime")
        end = call.param("end_datetime")
        start = parse_time(start, "start_datetime") if start else None
        end = parse_time(end, "end_datetime") if end else None
        # "after" means the next newer ones, so it reads forward from there.
        forward = bool(after) or oldest_first
        positions = range(low, high) if forward else range(high - 1, low - 1, -1)
        found = []
        for position in positions:
            key = keys[position]
            obj, made = self.objects[key], self.created[key]
            if start is not None and made < start or end is not None and made > end:
                continue
            if keep is not None and not keep(obj):
                continue
            found.append(obj)
            if len(found) > size:
                break
        more = len(found) > size
        found = found[:size]
        if forward and not oldest_first:
            found.reverse()
        return found, more

    @staticmethod
    def _page_size(call):
        text = call.param("page_size")
        if text in (None, ""):
            return PAGE_DEFAULT
        if not (text.isascii() and text.isdigit()) or int(text) < 1:
            raise invalid("page_size", "must be between 1 and 100")
        return min(int(text), PAGE_MAX)

    @staticmethod
    def _position(keys, key):
        try:
            return keys.index(key)
        except ValueError:
            raise not_found() from None


class Store:
    """The two spaces, the keys, and what the simulated time still has to bring."""

    def __init__(self, seed, test_key, production_key):
        self.seed = seed
        self.configured = (test_key, production_key)
        self.clock = Clock()
        self.reset()

    def reset(self):
        self.clock.set(None)
        self.ids = Ids(self.seed, self.clock)
        self.random = random.Random(self.seed + 1)
        self.spaces = {"test": Space("test"), "production": Space("production")}
        self.user_id = self.ids.new("user")
        self.keys = {}          # key -> [mode, is active, user id]
        for key, mode in zip(self.configured, ("test", "production")):
            if key:
                self.keys[key] = [mode, True, self.user_id]
        self.agenda = []
        self.sequence = 0

    def now(self):
        return self.clock.now()

    def schedule(self, when, action, space, key):
        """ACTIONS[action](app, space, object, ticket, when) once the simulated time has
        reached `when`.  Returns the ticket, by which the action can tell whether it is
        still wanted."""
        self.sequence += 1
        heapq.heappush(self.agenda, (when, self.sequence, action, space.mode, key))
        return self.sequence

    def catch_up(self, app):
        """Do what has become due, in the order of its time."""
        now = self.clock.now()
        while self.agenda and self.agenda[0][0] <= now:
            when, ticket, action, mode, key = heapq.heappop(self.agenda)
            space = self.spaces[mode]
            if key in space.objects:
                ACTIONS[action](app, space, space.objects[key], ticket, when)

    def find(self, key):
        for space in self.spaces.values():
            if key in space.objects:
                return space
        return None
