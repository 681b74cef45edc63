"""The test's own door: /_sim/ routes, without a key, never seen in the call log.

  POST   /_sim/reset        forget everything; settings given at the start come back
  POST   /_sim/settings     {"list_limit", "latency", "auto_deliver", "retries" (seconds),
                            "disable_after", "batch_seconds"}; GET shows them
  POST   /_sim/clock        {"now": time or null, "step": seconds per call}
  POST   /_sim/fault        see faults.py; GET lists, DELETE clears
  POST   /_sim/canned       {"method","path","query","status","headers","body"}; DELETE clears
  GET    /_sim/calls        ?match=METHOD /path* &body=1 &limit=N; DELETE clears
  GET    /_sim/state/{id}   the object as it is now
  GET    /_sim/events       all events, oldest first, with their exact bodies
  POST   /_sim/tracker/{id}/advance  {"steps": 1} or {"to": status}, "now", "wait": false
  POST   /_sim/refund/{id}/settle    the carrier grants a refund (rfnd_ or shp_)
  POST   /_sim/invoice/{id}  {"amount"}: the carrier bills a label again, or gives back
                            (shp_), or changes what it billed (shpinv_)
  POST   /_sim/webhook      {"url","secret","mode": test, production or both,
                            "disabled": true}; DELETE forgets all
  POST   /_sim/emit         {"description","result",...}: any event, as the test likes it
  POST   /_sim/deliver      {"event_id" | "object_id" | "body", "times", "order", "seed",
                            "parallel", "signature": valid|none|wrong|bare, "secret",
                            "headers", "url"}; answers when all have been answered
  POST   /_sim/idle         {"timeout": seconds}: answers when no delivery is open
  GET    /_sim/stats        counts
"""

import base64
import json
from decimal import Decimal
from fnmatch import fnmatchcase
from urllib.parse import parse_qsl

import objects
from reply import Reply, dumps
from store import parse_time, stamp_ms


def add_webhook(app, mode, url, secret):
    space, now = app.store.spaces[mode], app.store.now()
    hook = objects.webhook(app.store.ids, mode, now, url, [])
    space.put(hook, now)
    space.remember(hook["id"], secret=secret)
    return hook


def handle(app, request):
    """Find and call the route; handlers may answer later through `answer`."""
    def answer(obj, status=200):
        app.answer(request, Reply(status, dumps(obj)), 0.0)

    name, _, rest = request.path[len("/_sim/"):].partition("/")
    handler = HANDLERS.get((request.method, name))
    if handler is None:
        answer({"error": "no such control route"}, 404)
        return
    try:
        order = json.loads(request.body) if request.body else {}
        handler(app, order, answer, rest, dict(parse_qsl(request.query)))
    except LookupError as problem:
        answer({"error": f"not found: {problem}"}, 404)
    except Exception as problem:    # whatever is wrong with it, tell the test
        text = getattr(problem, "body", None) or repr(problem)
        answer({"error": text}, 400)


HANDLERS = {}


def control(method, name):
    def register(handler):
        HANDLERS[method, name] = handler
        return handler
    return register


@control("POST", "reset")
def reset(app, _order, answer, _rest, _query):
    app.reset()
    answer({})


@control("GET", "settings")
def show_settings(app, _order, answer, _rest, _query):
    answer({"list_limit": app.list_limit,
            "latency": "measured" if app.latency.measured else "none",
            "auto_deliver": app.webhooks.auto, "retries": list(app.webhooks.retries),
            "disable_after": app.webhooks.disable_after,
            "batch_seconds": app.batch_seconds})


@control("POST", "settings")
def change_settings(app, order, answer, rest, query):
    for name, value in order.items():
        if name == "list_limit":
            app.list_limit = int(value)
        elif name == "latency":
            app.latency.measured = {"measured": True, "none": False}[value]
        elif name == "auto_deliver":
            app.webhooks.auto = bool(value)
        elif name == "retries":
            app.webhooks.retries = tuple(float(wait) for wait in value)
        elif name == "disable_after":
            app.webhooks.disable_after = int(value)
        elif name == "batch_seconds":
            app.batch_seconds = float(value)
        else:
            raise ValueError(f"unknown setting: {name}")
    show_settings(app, order, answer, rest, query)


@control("POST", "clock")
def set_clock(app, order, answer, _rest, _query):
    now = order.get("now")
    app.store.clock.set(None if now is None else parse_time(now),
                        float(order.get("step", 0)))
    app.store.catch_up(app)
    answer({"now": stamp_ms(app.store.now())})


@control("GET", "clock")
def show_clock(app, _order, answer, _rest, _query):
    answer({"now": stamp_ms(app.store.now())})


@control("POST", "fault")
def add_fault(app, order, answer, _rest, _query):
    if order.get("kind") == "bad_tls":
        app.server.spoil_tls += int(order.get("times", 1))
    else:
        app.faults.add(order)
    answer({})


@control("GET", "fault")
def list_faults(app, _order, answer, _rest, _query):
    answer([fault.describe() for fault in app.faults.active])


@control("DELETE", "fault")
def clear_faults(app, _order, answer, _rest, _query):
    app.faults.active.clear()
    app.server.spoil_tls = 0
    answer({})


@control("POST", "canned")
def add_canned(app, order, answer, _rest, _query):
    for one in order if isinstance(order, list) else [order]:
        app.canned.add(one)
    answer({})


@control("DELETE", "canned")
def clear_canned(app, _order, answer, _rest, _query):
    app.canned.answers.clear()
    answer({})


@control("GET", "calls")
def list_calls(app, _order, answer, _rest, query):
    match, shown = query.get("match"), []
    for entry in app.calls:
        if match and not fnmatchcase(f"{entry['method']} {entry['path']}", match):
            continue
        one = {name: value for name, value in entry.items() if name != "body"}
        if query.get("body"):
            one["body"] = entry["body"].decode("utf-8", "replace")
            one["body_base64"] = base64.b64encode(entry["body"]).decode()
        shown.append(one)
    if "limit" in query:
        shown = shown[-int(query["limit"]):]
    answer(shown)


@control("DELETE", "calls")
def clear_calls(app, _order, answer, _rest, _query):
    app.calls.clear()
    answer({})


@control("GET", "state")
def state(app, _order, answer, rest, _query):
    event = app.webhooks.by_id.get(rest)
    if event is not None:
        answer(event.shape)
        return
    space = app.store.find(rest)
    if space is None:
        raise KeyError(rest)
    answer(space.objects[rest])


@control("GET", "events")
def events(app, _order, answer, _rest, query):
    answer([{"id": event.shape["id"], "description": event.shape["description"],
             "mode": event.mode, "status": event.shape["status"],
             "created_at": event.shape["created_at"], "object_id": event.object_id,
             "attempts": event.attempts, "body": event.body.decode()}
            for event in app.webhooks.events
            if query.get("object_id") in (None, event.object_id)])


@control("POST", "tracker")
def advance_tracker(app, order, answer, rest, _query):
    import tracking
    key, _, verb = rest.partition("/")
    space = app.store.find(key)
    if space is None or verb != "advance":
        raise KeyError(rest)
    tracker = space.objects[key]
    when = parse_time(order["now"]) if order.get("now") else None
    taken = tracking.advance(app, space, tracker, order.get("to"),
                             int(order.get("steps", 1)), when)

    def finished():
        answer({"steps": taken, "status": tracker["status"],
                "remaining": len(space.recall(key, "steps", []))})

    if order.get("wait"):
        app.webhooks.when_idle(finished)
    else:
        finished()


@control("POST", "refund")
def settle_refund(app, _order, answer, rest, _query):
    import shipments
    key = rest.partition("/")[0]
    for space in app.store.spaces.values():
        for refund in space.all("rfnd"):
            if key in (refund["id"], refund["shipment_id"]):
                shipments.settle_refund(app, space, refund, app.store.now())
                answer(refund)
                return
    raise KeyError(key)


@control("POST", "invoice")
def bill(app, order, answer, rest, _query):
    import shipments
    space = app.store.find(rest)
    if space is None:
        raise KeyError(rest)
    answer(shipments.bill(app, space, rest, Decimal(str(order["amount"])),
                          app.store.now()))


@control("POST", "webhook")
def register_webhook(app, order, answer, _rest, _query):
    mode = order.get("mode", "both")
    modes = list(app.store.spaces) if mode == "both" else [mode]
    hooks = []
    for one in modes:
        for hook in app.store.spaces[one].all("hook"):
            if hook["url"] == order["url"]:
                app.store.spaces[one].drop(hook["id"])
        hook = add_webhook(app, one, order["url"], order.get("secret"))
        if order.get("disabled"):
            hook["disabled_at"] = hook["created_at"]
        hooks.append(hook)
    answer({"webhooks": hooks})


@control("DELETE", "webhook")
def remove_webhooks(app, _order, answer, _rest, _query):
    for space in app.store.spaces.values():
        for hook in space.all("hook"):
            space.drop(hook["id"])
    answer({})


@control("POST", "emit")
def emit(app, order, answer, _rest, _query):
    when = parse_time(order["now"]) if order.get("now") else app.store.now()
    event = app.webhooks.emit(
        app.store.spaces[order.get("mode", "test")], order["description"],
        order["result"], order.get("previous_attributes", {}), when)
    answer({"id": event.shape["id"], "body": event.body.decode()})


@control("POST", "deliver")
def deliver(app, order, answer, _rest, _query):
    if order.get("all"):
        order["event_id"] = "all"

    def finished(report):
        good = sum(1 for one in report if one["status"] and 200 <= one["status"] < 300)
        answer({"delivered": good, "failed": len(report) - good, "results": report})

    app.webhooks.deliver(order, finished)


@control("POST", "idle")
def idle(app, order, answer, _rest, _query):
    over = []

    def finished(is_idle=True):
        if not over:
            over.append(True)
            app.loop.cancel(timer)
            answer({"idle": is_idle, "open": app.webhooks.open})

    timer = app.loop.call_later(float(order.get("timeout", 30)), lambda: finished(False))
    app.webhooks.when_idle(finished)


@control("GET", "stats")
def stats(app, _order, answer, _rest, _query):
    answer({
        "connections": len(app.server.connections), "accepted": app.server.accepted,
        "calls": len(app.calls), "events": len(app.webhooks.events),
        "open_deliveries": app.webhooks.open, "agenda": len(app.store.agenda),
        "objects": {mode: {prefix: len(keys) for prefix, keys in space.order.items()}
                    for mode, space in app.store.spaces.items()}})
