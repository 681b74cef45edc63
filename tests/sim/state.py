"""The simulator's memory between two runs (--state FILE), written when it ends.

A database outlives the process; with this, what is in it can still be asked for,
bought parcels go on with their lives, and what was not delivered is delivered.
"""

import os
import pickle
import sys

FORMAT = 1      # raise it when the shape of what is kept changes

STORE_KEPT = ("spaces", "user_id", "keys", "agenda", "sequence", "user", "children",
              "key_objects", "brand", "payment_methods", "random")


def save(app, path):
    kept = {"format": FORMAT,
            "store": {name: getattr(app.store, name) for name in STORE_KEPT},
            "ids": (app.store.ids.random, app.store.ids.last),
            "events": app.webhooks.events}
    with open(path + ".new", "wb") as file:
        pickle.dump(kept, file, pickle.HIGHEST_PROTOCOL)
    os.replace(path + ".new", path)


def load(app, path):
    """Go on where save() left off; a file that does not fit is left alone."""
    if not os.path.exists(path):
        return
    try:
        with open(path, "rb") as file:
            kept = pickle.load(file)
        if kept["format"] != FORMAT:
            raise ValueError("of another version")
    except Exception as problem:
        print(f"easypost_sim: {path} is not used: {problem!r}", file=sys.stderr)
        return
    configured = app.store.keys
    for name, value in kept["store"].items():
        setattr(app.store, name, value)
    for key, facts in configured.items():
        app.store.keys.setdefault(key, [facts[0], True, app.store.user_id])
    app.store.ids.random, app.store.ids.last = kept["ids"]
    app.webhooks.events = kept["events"]
    app.webhooks.by_id = {event.shape["id"]: event for event in kept["events"]}
    app.add_own_webhooks()
    app.webhooks.promise_again()
