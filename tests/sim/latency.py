"""How long the real service takes: median, 90 % and maximum seconds per route."""

from random import Random

MEASURED = {
    "POST /v2/addresses": (0.045, 0.077, 0.84),
    "POST /v2/parcels": (0.033, 0.053, 0.14),
    "POST /v2/shipments": (0.858, 1.17, 3.93),
    "GET /v2/shipments": (0.589, 1.70, 2.10),
    "GET /v2/shipments/*": (0.154, 0.168, 0.17),
    "POST /v2/shipments/*/buy": (0.970, 1.26, 1.87),
    "POST /v2/shipments/*/rerate": (0.71, 0.94, 0.94),
    "GET /v2/shipments/*/smartrate": (0.108, 0.127, 0.24),
    "POST /v2/trackers": (0.082, 0.124, 0.17),
    "POST /v2/batches": (0.045, 0.078, 0.29),
    "GET /v2/events": (0.223, 0.291, 0.38),
    "POST /v2/webhooks": (0.165, 0.426, 0.46),
    "POST /v2/orders": (1.10, 1.38, 2.15),
    "POST /v2/orders/*/buy": (1.74, 1.96, 2.22),
    "POST /v2/pickups": (1.11, 2.00, 2.41),
    "POST /v2/pickups/*/buy": (1.23, 2.49, 4.41),
    "POST /v2/insurances": (0.375, 0.545, 0.87),
}
OTHER = (0.126, 1.01, 4.41)


class Latency:
    def __init__(self, kind, seed):
        self.measured = kind == "measured"
        self.random = Random(seed + 3)

    def of(self, pattern):
        """A sample: piecewise linear through median, 90 %, 99 % and maximum."""
        median, ninety, most = MEASURED.get(pattern, OTHER)
        share = self.random.random()
        if share < 0.5:
            return median * (0.6 + 0.8 * share)
        if share < 0.9:
            return median + (ninety - median) * (share - 0.5) / 0.4
        upper = ninety + (most - ninety) * 0.4
        if share < 0.99:
            return ninety + (upper - ninety) * (share - 0.9) / 0.09
        return upper + (most - upper) * (share - 0.99) / 0.01
