"""Trackers: made for codes or with labels, and moved along their lives.

A label's life is planned when it is bought and played by the simulated clock, or one
step at a time by the control route.  Each step adds one detail to the end of the
history, updates tracker and shipment, and emits tracker.updated with the whole of it.
"""

import carriers
import errors
import objects
from reply import created
from server import route
from store import ACTIONS, stamp

REMEMBERED = 90 * 86400     # seconds: a code's tracker is found again so long


def emit(app, space, tracker, description, previous, when):
    return app.webhooks.emit(space, description, tracker, previous, when)


def refresh_shipment(space, tracker, when):
    """The shipment shows its tracker, and its status is the tracker's."""
    shipment = space.objects.get(tracker["shipment_id"])
    if shipment is not None and shipment["tracking_code"] == tracker["tracking_code"]:
        shipment["tracker"] = objects.embedded_tracker(tracker)
        shipment["status"] = tracker["status"]
        shipment["updated_at"] = stamp(when)


def put_tracker(space, tracker, now):
    space.put(tracker, now)
    space.by_code.setdefault(tracker["tracking_code"], []).append(tracker["id"])
    return tracker


def for_label(call, shipment, service, days):
    """The tracker of a label just bought, with its life before it."""
    rate = shipment["selected_rate"]
    tracker = objects.tracker(call.ids, call.mode, call.now, shipment["tracking_code"],
                              rate["carrier"], shipment["id"])
    tracker["is_return"] = shipment["is_return"]
    put_tracker(call.space, tracker, call.now)
    plan(call.app, call.space, tracker, shipment["from_address"],
         shipment["to_address"], days, service, call.now)
    emit(call.app, call.space, tracker, "tracker.created", {}, call.now)
    return tracker


def plan(app, space, tracker, sender, recipient, days, service, now, end=None):
    random = app.store.random
    steps = carriers.life(random, tracker["carrier"], sender, recipient, days or 5,
                          end or carriers.outcome(random, tracker["carrier"]))
    space.remember(tracker["id"], steps=steps, sender=sender, recipient=recipient,
                   service=service, days=days or 5)
    expect(app, space, tracker, now)


def expect(app, space, tracker, now):
    """Put the next step of the life on the agenda, in place of what was there."""
    steps, ticket = space.recall(tracker["id"], "steps"), None
    if steps and not space.recall(tracker["id"], "is_by_hand"):
        ticket = app.store.schedule(now + steps[0].hours * 3600, "step", space,
                                    tracker["id"])
    space.remember(tracker["id"], ticket=ticket)


def step_is_due(app, space, tracker, ticket, when):
    # A step taken by hand or a cancelled label has made other tickets void.
    if space.recall(tracker["id"], "ticket") == ticket:
        take_step(app, space, tracker, when)


ACTIONS["step"] = step_is_due


def take_step(app, space, tracker, when):
    hidden = space.hidden[tracker["id"]]
    step = hidden["steps"].pop(0)
    previous = {"status": tracker["status"]}
    details = tracker["tracking_details"]
    # The list is replaced, never changed: earlier answers may still hold it.
    tracker["tracking_details"] = details + [
        objects.tracking_detail(tracker["carrier"], when, step)]
    tracker["status"], tracker["status_detail"] = step.status, step.detail
    tracker["updated_at"] = stamp(when)
    on_way(app, tracker, hidden, step, when)
    if step.status == "delivered":
        random = app.store.random
        tracker["signed_by"] = random.choice(carriers.SIGNERS) \
            if random.random() < 0.4 else None
        tracker["finalized"] = True
    if not hidden["steps"]:
        tracker["finalized"] = step.status in carriers.FINAL
    refresh_shipment(space, tracker, when)
    emit(app, space, tracker, "tracker.updated", previous, when)
    expect(app, space, tracker, when)


def on_way(app, tracker, hidden, step, when):
    if tracker["weight"] is None and step.status == "in_transit":
        shipment = app.store.spaces[tracker["mode"]].objects.get(tracker["shipment_id"])
        if shipment is not None and tracker["carrier"] != "USPS":
            tracker["weight"] = shipment["parcel"]["weight"]
    if tracker["est_delivery_date"] is None:
        arrival = carriers.business_day(when, hidden["days"])
        tracker["est_delivery_date"] = stamp(arrival)[:10] + "T00:00:00Z"
    if tracker["carrier_detail"] is None and step.status == "in_transit":
        origin = carriers.place_of(hidden["sender"], None)
        target = carriers.place_of(hidden["recipient"], None)
        tracker["carrier_detail"] = objects.carrier_detail(hidden["service"], origin,
                                                           target)
    if step.status == "delivered" and tracker["carrier_detail"] is not None:
        tracker["carrier_detail"] = {
            **tracker["carrier_detail"],
            "destination_tracking_location": step.place,
            "initial_delivery_attempt": stamp(when)}


def cancel_life(space, tracker_id):
    """Nothing more happens to a refunded label."""
    if tracker_id in space.hidden:
        space.hidden[tracker_id]["steps"] = []
        space.hidden[tracker_id]["ticket"] = None


def advance(app, space, tracker, to=None, steps=1, when=None):
    """The control route: take steps now, up to the first of status `to` if given.

    If the planned life does not lead there, it gets another end.  Returns the number
    of steps taken."""
    if space.recall(tracker["id"], "steps") is None:
        give_test_life(space, tracker)
    hidden = space.hidden[tracker["id"]]
    if to is not None and to not in [step.status for step in hidden["steps"]]:
        replan(app, hidden, tracker, to)
    taken = 0
    while hidden["steps"]:
        now = app.store.now() if when is None else when
        past = tracker["tracking_details"]
        # Scans of one parcel never share a second: each is after the one before.
        moment = max(now, (space.recall(tracker["id"], "last") or 0) + 1 if past else now)
        space.remember(tracker["id"], last=moment)
        take_step(app, space, tracker, moment)
        taken += 1
        if to is None and taken >= steps or to is not None and tracker["status"] == to:
            break
    return taken


def give_test_life(space, tracker):
    """A test code stands still by itself, but can be pushed to the journey's end."""
    if tracker["tracking_code"] not in carriers.TEST_CODES or tracker["finalized"]:
        raise ValueError("this tracker leads nowhere")
    steps = [step for _, step in
             carriers.test_journey("delivered")[len(tracker["tracking_details"]):]]
    places = [{"city": city, "state": state, "zip": code, "country": "US"}
              for city, state, code in (("Houston", "TX", "77063"),
                                        ("Charleston", "SC", "29407"))]
    space.remember(tracker["id"], steps=steps, sender=places[0], recipient=places[1],
                   service="First-Class Package Service", days=3, is_by_hand=True)


def replan(app, hidden, tracker, to):
    """Another end for the part of the life still to come."""
    end = {"in_transit": "delivered", "out_for_delivery": "delivered",
           "pre_transit": "delivered"}.get(to, to)
    steps = carriers.life(app.store.random, tracker["carrier"], hidden["sender"],
                          hidden["recipient"], hidden["days"], end)
    done = len(tracker["tracking_details"])
    statuses = [step.status for step in steps]
    if to not in statuses:
        raise ValueError(f"no life leads to {to}")
    hidden["steps"] = steps[min(done, statuses.index(to)):]


# -- routes --------------------------------------------------------------------


def find_by_code(space, code, carrier, now):
    for key in reversed(space.by_code.get(code, ())):
        tracker = space.objects.get(key)
        if tracker and (not carrier or tracker["carrier"] == carrier) \
                and space.created[key] > now - REMEMBERED:
            return tracker
    return None


@route("POST", "/v2/trackers")
def create_tracker(call):
    params = call.wrapped("tracker")
    code = params.get("tracking_code")
    if not isinstance(code, str) or not code.strip():
        raise errors.required("tracking_code")
    carrier = params.get("carrier") or carriers.carrier_of_code(code)
    if not isinstance(carrier, str):
        raise errors.unprocessable("TRACKER.CREATE.ERROR",
                                   "The carrier of the tracking code is not known.")
    known = find_by_code(call.space, code, carrier, call.now)
    if known is not None:
        return 200, known
    return created("trackers", new_tracker(call, code, carrier))


def new_tracker(call, code, carrier):
    tracker = objects.tracker(call.ids, call.mode, call.now, code, carrier)
    tracker["fees"] = [objects.fee("TrackerFee", "0" if call.mode == "test" else "0.03",
                                   call.mode != "test")]
    put_tracker(call.space, tracker, call.now)
    if call.mode == "test":
        call.emit("tracker.created", tracker)
        fill_test_tracker(call, tracker)
        call.emit("tracker.updated", tracker, {"status": "unknown"})
        return tracker
    sender = {"city": "Memphis", "state": "TN", "zip": "38101", "country": "US"}
    recipient = {"city": "Portland", "state": "OR", "zip": "97201", "country": "US"}
    plan(call.app, call.space, tracker, sender, recipient, 3, None, call.now)
    call.emit("tracker.created", tracker)
    return tracker


def fill_test_tracker(call, tracker):
    """In test mode only the seven test codes lead anywhere."""
    status = carriers.TEST_CODES.get(tracker["tracking_code"])
    if status is None:
        tracker["status"] = "error"
        step = carriers.Step(0, "error", None, carriers.TEST_CODE_PROBLEM, "", "",
                             None, "ProcessingError")
        tracker["tracking_details"] = [
            objects.tracking_detail(tracker["carrier"], call.now, step)]
        tracker["finalized"] = True
        return
    journey = carriers.test_journey(status)
    tracker["tracking_details"] = [
        objects.tracking_detail(tracker["carrier"], call.now - hours * 3600, step)
        for hours, step in journey]
    if not journey:
        return
    tracker["status"] = status
    tracker["status_detail"] = journey[-1][1].detail
    tracker["est_delivery_date"] = stamp(call.now)
    tracker["finalized"] = status in carriers.FINAL
    origin = objects.location("HOUSTON", "TX", None, "77063")
    target = objects.location("CHARLESTON", "SC", None, "29407")
    tracker["carrier_detail"] = objects.carrier_detail("First-Class Package Service",
                                                       origin, target)
    if status == "delivered":
        tracker["signed_by"] = "John Tester"
        tracker["carrier_detail"]["destination_tracking_location"] = target
        tracker["carrier_detail"]["initial_delivery_attempt"] = \
            tracker["tracking_details"][-1]["datetime"]


@route("POST", "/v2/trackers/batch")
def batch_of_trackers(call):
    codes = call.body.get("tracking_codes")
    if not isinstance(codes, list) or not codes:
        raise errors.required("tracking_codes")
    found = [find_by_code(call.space, code, call.body.get("carrier"), call.now)
             for code in codes if isinstance(code, str)]
    return 200, {"trackers": [tracker for tracker in found if tracker],
                 "has_more": False}


@route("GET", "/v2/trackers", is_list=True)
def list_trackers(call):
    codes = set(filter(None, call.params("tracking_code")
                       + call.params("tracking_codes")))
    carrier = call.param("carrier")

    def keep(tracker):
        return (not codes or tracker["tracking_code"] in codes) \
            and (not carrier or tracker["carrier"] == carrier)

    found, more = call.space.page("trk", call, keep if codes or carrier else None)
    return 200, {"trackers": found, "has_more": more}


@route("GET", "/v2/trackers/*")
def get_tracker(call):
    return 200, call.space.get(call.args[0], "trk")


@route("DELETE", "/v2/trackers/*")
def delete_tracker(call):
    tracker = call.space.get(call.args[0], "trk")
    cancel_life(call.space, tracker["id"])
    call.space.by_code[tracker["tracking_code"]].remove(tracker["id"])
    call.space.drop(tracker["id"])
    return 200, {"success": True}
