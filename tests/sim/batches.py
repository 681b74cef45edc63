"""Batches and scan forms.  What a batch does, it does after its answer.

Each step answers with the state before it and ends, App.batch_seconds later, with a
batch.updated event; a client that does not wait sees the half-done batch.
"""

import errors
import objects
import shipments
from errors import ApiError, required, unprocessable
from server import route
from store import stamp


def later(call, batch, function):
    """Run function(batch) after the answer, at what is then the time."""
    key, generation = batch["id"], call.app.webhooks.generation

    def due():
        if call.app.webhooks.generation == generation and key in call.space.objects:
            call.now = call.store.now()
            function(call, batch)

    call.app.loop.call_later(call.app.batch_seconds, due)


def changed(call, batch, state):
    previous = {"state": batch["state"]}
    batch["state"] = state
    batch["updated_at"] = stamp(call.now)
    call.emit("batch.updated", batch, previous)


def refresh(call, batch):
    """Lines and counters from the shipments as they are now."""
    lines = [call.space.objects[line["id"]] for line in batch["shipments"]]
    batch["shipments"] = [objects.batch_line(shipment) for shipment in lines]
    counts = dict.fromkeys(batch["status"], 0)
    counts["creation_failed"] = batch["status"]["creation_failed"]
    for shipment in lines:
        counts[shipment["batch_status"]] += 1
    batch["status"] = counts
    batch["num_shipments"] = len(lines)
    batch["updated_at"] = stamp(call.now)


def join(call, batch, shipment, status=None):
    if shipment["batch_id"] not in (None, batch["id"]):
        raise unprocessable("BATCH.SHIPMENT.INVALID",
                            "The shipment belongs to another batch.")
    shipment["batch_id"] = batch["id"]
    shipment["batch_status"] = status or (
        "postage_purchased" if shipments.bought(shipment) else "created")
    if shipment["id"] not in [line["id"] for line in batch["shipments"]]:
        batch["shipments"] = batch["shipments"] + [objects.batch_line(shipment)]


def wanted_shipments(call, params):
    wanted = params.get("shipments")
    if not isinstance(wanted, list) or not wanted:
        raise required("shipments")
    return wanted


def existing(call, one):
    key = one.get("id") if isinstance(one, dict) else one
    return call.space.get(key, "shp")


@route("POST", "/v2/batches")
def create_batch(call):
    if call.body and "batch" not in call.body:
        raise required("batch")
    params = call.body.get("batch") or {}
    if not isinstance(params, dict):
        raise errors.invalid("batch", "must be an object")
    wanted = params.get("shipments") or []
    if not isinstance(wanted, list):
        raise errors.invalid("shipments", "must be an array")
    for one in wanted:
        if not isinstance(one, dict) or one.get("id"):
            existing(call, one)
    batch = objects.batch(call.ids, call.mode, call.now,
                          objects.text_or_null(params, "reference"))
    batch["num_shipments"] = len(wanted)
    call.space.put(batch, call.now)
    call.emit("batch.created", batch)
    later(call, batch, lambda call, batch: fill(call, batch, wanted))
    return 200, batch


def fill(call, batch, wanted):
    for one in wanted:
        try:
            if isinstance(one, dict) and not one.get("id"):
                join(call, batch, shipments.make(call, one))
            else:
                join(call, batch, existing(call, one))
        except ApiError:
            batch["status"]["creation_failed"] += 1
    refresh(call, batch)
    is_empty = wanted and not batch["shipments"]
    changed(call, batch, "creation_failed" if is_empty else "created")


@route("GET", "/v2/batches", is_list=True)
def list_batches(call):
    found, more = call.space.page("batch", call, oldest_first=True)
    return 200, {"batches": found, "has_more": more}


@route("GET", "/v2/batches/*")
def get_batch(call):
    return 200, call.space.get(call.args[0], "batch")


@route("POST", "/v2/batches/*/add_shipments")
def add_shipments(call):
    batch = call.space.get(call.args[0], "batch")
    for one in [existing(call, one) for one in wanted_shipments(call, call.body)]:
        join(call, batch, one)
    refresh(call, batch)
    return 200, batch


@route("POST", "/v2/batches/*/remove_shipments")
def remove_shipments(call):
    batch = call.space.get(call.args[0], "batch")
    for shipment in [existing(call, one)
                     for one in wanted_shipments(call, call.body)]:
        if shipment["batch_id"] != batch["id"]:
            raise unprocessable("BATCH.SHIPMENT.INVALID",
                                "The shipment is not in this batch.")
        shipment["batch_id"] = shipment["batch_status"] = None
        batch["shipments"] = [line for line in batch["shipments"]
                              if line["id"] != shipment["id"]]
    refresh(call, batch)
    return 200, batch


@route("POST", "/v2/batches/*/buy")
def buy_batch(call):
    batch = call.space.get(call.args[0], "batch")
    if batch["state"] != "created" or not batch["shipments"]:
        raise unprocessable("BATCH.BUY.INVALID_STATE",
                            "The batch is not ready to be bought.")
    for line in batch["shipments"]:
        shipment = call.space.objects[line["id"]]
        if not shipments.bought(shipment):
            shipment["batch_status"] = "queued_for_purchase"
    batch["shipments"] = [objects.batch_line(call.space.objects[line["id"]])
                          for line in batch["shipments"]]
    later(call, batch, purchase)
    return 200, batch


def purchase(call, batch):
    changed(call, batch, "purchasing")
    failed = False
    for line in batch["shipments"]:
        shipment = call.space.objects[line["id"]]
        if shipments.bought(shipment):
            continue
        service = call.space.recall(shipment["id"], "service")
        try:
            if not service:
                raise unprocessable("BATCH.SHIPMENT.INVALID", "No service was chosen.")
            chosen = shipments.rate_for(shipment, service,
                                        call.space.recall(shipment["id"], "carrier"))
            shipments.buy(call, shipment, chosen)
            shipment["batch_status"] = "postage_purchased"
        except ApiError as refusal:
            shipment["batch_status"] = "postage_purchase_failed"
            shipment["batch_message"] = refusal.body["error"]["message"]
            failed = True
    refresh(call, batch)
    changed(call, batch, "purchase_failed" if failed else "purchased")


def must_be_purchased(batch):
    if not batch["shipments"] or any(line["batch_status"] != "postage_purchased"
                                     for line in batch["shipments"]):
        raise unprocessable("BATCH.LABEL.INVALID_STATE",
                            "Not every shipment of the batch has postage.")


@route("POST", "/v2/batches/*/label")
def label_batch(call):
    batch = call.space.get(call.args[0], "batch")
    kind = str(call.body.get("file_format") or "").lower()
    if not kind:
        raise required("file_format")
    if kind not in ("pdf", "zpl", "epl2"):
        raise errors.invalid("file_format", "must be PDF, ZPL or EPL2")
    must_be_purchased(batch)
    batch["state"] = "label_generating"
    batch["updated_at"] = stamp(call.now)

    def finish(call, batch):
        batch["label_url"] = objects.file_url(call.ids, "batch_label", call.now, kind)
        changed(call, batch, "label_generated")

    later(call, batch, finish)
    return 200, batch


@route("POST", "/v2/batches/*/scan_form")
def scan_form_of_batch(call):
    batch = call.space.get(call.args[0], "batch")
    must_be_purchased(batch)

    def finish(call, batch):
        lines = [call.space.objects[line["id"]] for line in batch["shipments"]]
        batch["scan_form"] = manifest(call, lines, batch["id"])
        batch["updated_at"] = stamp(call.now)
        call.emit("batch.updated", batch, {"scan_form": None})

    later(call, batch, finish)
    return 200, batch


# -- scan forms ----------------------------------------------------------------


def manifest(call, lines, batch_id):
    """A ScanForm of these bought shipments; a failed one if they cannot be together."""
    failure = None
    if any(one["selected_rate"]["carrier"] != "USPS" for one in lines):
        failure = "Unable to create manifest. The carrier does not support scan forms."
    elif any(one["scan_form"] for one in lines):
        failure = "Unable to create manifest. A shipment is already on one."
    form = objects.scan_form(call.ids, call.now,
                             [one["tracking_code"] for one in lines],
                             lines[0]["from_address"], batch_id, failure)
    call.space.put(form, call.now)
    if failure is None:
        for one in lines:
            one["scan_form"] = form
            one["updated_at"] = stamp(call.now)
    call.emit("scan_form.created", form)
    return form


@route("POST", "/v2/scan_forms")
def create_scan_form(call):
    lines = [existing(call, one)
             for one in wanted_shipments(call, call.wrapped("scan_form"))]
    for one in lines:
        shipments.must_be_bought(one)
    return 200, manifest(call, lines, call.ids.new("batch"))


@route("GET", "/v2/scan_forms", is_list=True)
def list_scan_forms(call):
    found, more = call.space.page("sf", call)
    return 200, {"scan_forms": found, "has_more": more}


@route("GET", "/v2/scan_forms/*")
def get_scan_form(call):
    return 200, call.space.get(call.args[0], "sf")
