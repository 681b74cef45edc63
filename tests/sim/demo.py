#!/usr/bin/env python3
"""A shop's history, through the gateway's front door.

Day by day of simulated time: customers order, labels are rated and bought through the
gateway as an official client would; the simulator plays the parcels' lives and delivers
the signed webhooks to the gateway.  Some labels are refunded, some parcels come back,
some go abroad, every other week a batch is bought.  Nothing is written to the database
behind the gateway's back.
"""

import argparse
import http.client
import json
import queue
import random
import ssl
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import names

CONNECTIONS = 6
BATCH_EVERY_DAYS = 14
BATCH_SIZE = 5
ABROAD_SHARE, RETURN_SHARE, REFUND_SHARE, INSURED_SHARE = 0.10, 0.04, 0.03, 0.12
CHEAPEST_SHARE = 0.5        # the others want it faster, or from another carrier
FAVOURITES = {"USPS": 25, "UPS": 40, "FedEx": 25, "DHLExpress": 30}
DEAREST = 4                 # times the cheapest rate: nobody pays more
BAR = 32                    # characters of the progress bar
TRIES = 3                   # of a call that spends nothing


class Failed(Exception):
    pass


def today():
    return datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


def day(text):
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--ca", metavar="FILE", help="the gateway's certificate")
    parser.add_argument("--key", required=True, help="a gateway key of test mode")
    parser.add_argument("--sim", required=True, metavar="URL")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--shipments", type=int, default=400)
    parser.add_argument("--until", metavar="YYYY-MM-DD", type=day, default=today(),
                        help="the day after the last of the history (today)")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


class Line:
    """One kept-alive connection."""

    def __init__(self, url, ca=None, key=None):
        parts = urlsplit(url)
        if parts.scheme == "https":
            tls = ssl.create_default_context(cafile=ca)
            self.connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=60, context=tls)
        else:
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port,
                                                         timeout=60)
        self.headers = {"Content-Type": "application/json",
                        "User-Agent": "EasyPost/v2 PythonClient/10.7.0 Python/3.11 "
                                      "OS/Linux Implementation/CPython"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise Failed(f"{method} {path}: {answer.status} "
                         f"{text[:300].decode('utf-8', 'replace')}")
        return json.loads(text) if text else None

    def repeatable(self, method, path, body=None):
        """For what may happen twice: a restart of the gateway does no harm."""
        for left in range(TRIES - 1, -1, -1):
            try:
                return self.call(method, path, body)
            except (OSError, http.client.HTTPException, Failed):
                self.connection.close()
                if not left:
                    raise
                time.sleep(0.3)
        return None


class Progress:
    """One line that grows on a terminal, a line a tenth in a log."""

    def __init__(self, total):
        self.total = max(1, total)
        self.done = 0
        self.shown = -1
        self.is_terminal = sys.stdout.isatty()
        self.began = time.monotonic()

    def step(self, count, note):
        self.done += count
        share = min(1.0, self.done / self.total)
        if self.is_terminal:
            bar = ("#" * int(share * BAR)).ljust(BAR, ".")
            sys.stdout.write(f"\r  demo history [{bar}] {share:4.0%}  {note:<24}")
            sys.stdout.flush()
        elif int(share * 10) > self.shown:
            self.shown = int(share * 10)
            print(f"demo history {share:.0%} {note}", flush=True)

    def end(self, text):
        if self.is_terminal:
            sys.stdout.write("\r" + " " * (BAR + 60) + "\r")
        seconds = time.monotonic() - self.began
        print(f"  demo history: {text}, {seconds:.1f} s", flush=True)


class Crew:
    """Threads with a connection each; do() waits for all of the work given."""

    def __init__(self, options):
        self.work = queue.SimpleQueue()
        self.results = queue.SimpleQueue()
        for _ in range(CONNECTIONS):
            threading.Thread(target=self._run, args=(options,), daemon=True).start()

    def _run(self, options):
        line = Line(options.gateway, options.ca, options.key)
        while True:
            number, function, argument = self.work.get()
            try:
                self.results.put((number, function(line, argument), None))
            except Exception as problem:
                line.connection.close()
                self.results.put((number, None, problem))

    def do(self, function, items):
        for number, item in enumerate(items):
            self.work.put((number, function, item))
        answers = [None] * len(items)
        for _ in items:
            number, answer, problem = self.results.get()
            if problem is not None:
                raise problem
            answers[number] = answer
        return answers


# -- the shop ------------------------------------------------------------------


def orders_of_a_day(rng, day, count, number):
    """Shipment parameters; what the shop wants is under "wish"."""
    made = []
    for offset in range(count):
        parcel, item = names.basket(rng)
        order = {"from_address": rng.choice(names.WAREHOUSES), "parcel": parcel,
                 "reference": f"JG-{day:%y%m}-{number + offset:05d}",
                 "wish": "cheap" if rng.random() < CHEAPEST_SHARE else "any",
                 "luck": rng.random(), "insured": rng.random() < INSURED_SHARE,
                 "value": item["value"]}
        if rng.random() < ABROAD_SHARE:
            order["to_address"] = names.customer_abroad(rng)
            order["customs_info"] = {
                "contents_type": "merchandise", "contents_explanation": "",
                "customs_certify": True, "customs_signer": "Juniper Goods",
                "eel_pfc": "NOEEI 30.37(a)", "non_delivery_option": "return",
                "restriction_type": "none", "customs_items": [item]}
        else:
            order["to_address"] = names.customer(rng)
        made.append(order)
    return made


def parameters(order):
    return {name: order[name] for name in (
        "from_address", "to_address", "parcel", "reference", "customs_info", "is_return",
        "options") if name in order}


def choose(shipment, order):
    ranked = sorted(shipment["rates"], key=lambda rate: float(rate["rate"]))
    if not ranked:
        raise Failed(f"no rates: {shipment['messages'][:2]}")
    if order["wish"] == "cheap":
        return ranked[0]
    luck = random.Random(order["luck"])
    usable = [rate for rate in ranked
              if float(rate["rate"]) <= DEAREST * float(ranked[0]["rate"])]
    offered = sorted({rate["carrier"] for rate in usable})
    carrier = luck.choices(offered, [FAVOURITES.get(one, 10) for one in offered])[0]
    usable = [rate for rate in usable if rate["carrier"] == carrier]
    return usable[min(int(luck.expovariate(1.2)), len(usable) - 1)]


def ship(line, order):
    """Create, rate, buy: the two calls of every shop.  Never repeated once bought."""
    shipment = line.repeatable("POST", "/v2/shipments", {"shipment": parameters(order)})
    body = {"rate": {"id": choose(shipment, order)["id"]}}
    if order["insured"]:
        body["insurance"] = f"{order['value']:.2f}"
    return line.call("POST", f"/v2/shipments/{shipment['id']}/buy", body)


def refund(line, shipment):
    """Nothing when the carrier already has the parcel: it can be that quick."""
    try:
        return line.call("POST", f"/v2/shipments/{shipment['id']}/refund", {})
    except Failed as problem:
        if "SHIPMENT.REFUND.UNAVAILABLE" in str(problem):
            return None
        raise


def return_of(rng, shipment):
    """A delivered parcel comes back: the addresses change places."""
    def plain(address):
        return {name: address[name] for name in
                ("name", "company", "street1", "street2", "city", "state", "zip",
                 "country", "phone", "email") if address[name]}
    parcel = {name: shipment["parcel"][name]
              for name in ("length", "width", "height", "weight")}
    return {"from_address": plain(shipment["to_address"]),
            "to_address": plain(shipment["from_address"]), "parcel": parcel,
            "reference": f"{shipment['reference']}-R", "is_return": True,
            "wish": "cheap", "luck": rng.random(), "insured": False, "value": 0}


def buy_batch(line, orders):
    """What a shop does with its newsletter gifts: one batch, one service, one purchase."""
    accounts = line.repeatable("GET", "/v2/carrier_accounts")
    usps = [account["id"] for account in accounts if account["readable"] == "USPS"]
    lines = [{**parameters(order), "service": "GroundAdvantage", "carrier": "USPS",
              "carrier_accounts": usps} for order in orders]
    batch = line.call("POST", "/v2/batches", {"batch": {"shipments": lines}})
    await_state(line, batch["id"], "created")
    line.call("POST", f"/v2/batches/{batch['id']}/buy", {})
    batch = await_state(line, batch["id"], "purchased")
    # The database learns of each label when its shipment is read.
    for one in batch["shipments"]:
        line.repeatable("GET", f"/v2/shipments/{one['id']}")
    return batch


def await_state(line, key, state):
    for _ in range(100):
        batch = line.repeatable("GET", f"/v2/batches/{key}")
        if batch["state"] == state:
            return batch
        time.sleep(0.03)
    raise Failed(f"batch {key} is {batch['state']}, not {state}")


# -- time ----------------------------------------------------------------------

class Simulator:
    def __init__(self, url):
        self.line = Line(url)

    def ask(self, method, path, body=None):
        return self.line.call(method, "/_sim" + path, body)

    def clock(self, when, step=0.0):
        now = None if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.ask("POST", "/clock", {"now": now, "step": step})

    def settle(self):
        answer = self.ask("POST", "/idle", {"timeout": 60})
        if not answer["idle"]:
            raise Failed(f"{answer['open']} webhooks could not be delivered")


def volumes(rng, until, days, total):
    """Orders a day: a slow rise, quiet weekends, chance."""
    dates = [until - timedelta(days=days - number) for number in range(days)]
    weights = [(0.7 + 0.6 * number / days) * (0.45 if date.weekday() >= 5 else 1.0)
               * rng.uniform(0.7, 1.3) for number, date in enumerate(dates)]
    counts = [0] * days
    for number in rng.choices(range(days), weights=weights, k=total):
        counts[number] += 1
    return list(zip(dates, counts))


def history(options, sim, crew, progress):
    rng = random.Random(options.seed)
    counts = {"labels": 0, "refunds": 0, "returns": 0, "batches": 0}
    number, waiting = 10001, []     # of (return date, shipment) pairs
    for index, (date, count) in enumerate(volumes(rng, options.until,
                                                  options.days, options.shipments)):
        # Opening time; each call takes its share of a day's eight hours.
        sim.clock(date + timedelta(hours=15), step=28800 / (2 * count + 8))
        orders = orders_of_a_day(rng, date, count, number)
        number += count
        orders += [return_of(rng, shipment) for due, shipment in waiting if due <= date]
        counts["returns"] += sum(1 for due, _ in waiting if due <= date)
        waiting = [(due, shipment) for due, shipment in waiting if due > date]
        gifts = []
        if index % BATCH_EVERY_DAYS == 6:
            gifts = [order for order in orders_of_a_day(rng, date, BATCH_SIZE, number)
                     if order["to_address"]["country"] == "US"]
            number += BATCH_SIZE
        bought = crew.do(ship, orders)
        if gifts:
            crew.do(buy_batch, [gifts])
            counts["batches"] += 1
            counts["labels"] += len(gifts)
        counts["labels"] += len(bought)
        doomed = [one for one in bought if rng.random() < REFUND_SHARE]
        counts["refunds"] += sum(1 for one in crew.do(refund, doomed) if one)
        waiting += [(date + timedelta(days=rng.randrange(9, 20)), one) for one in bought
                    if one not in doomed and not one["is_return"]
                    and one["to_address"]["country"] == "US"
                    and rng.random() < RETURN_SHARE]
        progress.step(count, f"{date:%d %b}: {counts['labels']} labels")
    return counts


def main():
    options = arguments()
    sim = Simulator(options.sim)
    crew = Crew(options)
    progress = Progress(options.shipments)
    limit = sim.ask("GET", "/settings")["list_limit"]
    sim.ask("POST", "/settings", {"list_limit": 0})
    if not sim.ask("GET", "/stats")["objects"]["test"].get("hook"):
        print("  (the simulator has no webhook: nothing will be heard of the parcels)")
    try:
        counts = history(options, sim, crew, progress)
        # What is still under way goes on in real time.
        sim.clock(None)
        progress.step(0, "last deliveries")
        sim.settle()
    finally:
        sim.clock(None)
        sim.ask("POST", "/settings", {"list_limit": limit})
    events = sim.ask("GET", "/stats")["events"]
    progress.end(f"{counts['labels']} labels, {counts['refunds']} refunds, "
                 f"{counts['returns']} returns, {counts['batches']} batches, "
                 f"{events} webhooks")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, OSError, http.client.HTTPException) as problem:
        sys.exit(f"demo: {problem}")
