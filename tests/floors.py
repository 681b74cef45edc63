#!/usr/bin/python3
"""Fails when a file includes what does not lie below it, or a library that is
another file's business.

    floors.py      from the root of the project; silent when all is well

The tables below are the whole truth: a new file needs its place in them.
"""

import os
import re
import sys

# A file may include headers of lower floors of its folder, and of the folders
# named with it; never of its own floor: what two handlers need moves down.
FLOORS = {
    "shared": [
        "log buf",
        "arena clock file",
        "address backup envfile fuse hmac json kind linefile moment nfkd notify pause "
        "reply sqlstate statement "
        "throttle",
        "setting spool",
        "conf",
        "db easypost pool privacy",
        "counters csv",
        "scoreboard",
    ],
    "fcgi": [
        "base64 decimal etag event exposition growth listen mask params pattern phrase utf8 uuid",
        "deed poolmetrics query rate row target",
        "request",
        "activity breaker cookie",
        "response",
        "fields guard parameter record",
        "answer body form upstream where",
        "ask budget claim draft item list stale wish",
        "defer once total",
        "spending",
        "export",
        "backlog bulk figures health metrics proxy purchase read session simple track tracking webhook "
        "write",
        "route",
        "worker",
        "crew",
        "supervisor",
        "main",
    ],
    "ctl": [
        "facts table",
        "commands credentials delivery hooks load machine ping service sqlfiles "
        "tuning",
        "scene session",
        "activities books secret trial walk",
        "backfill check config jobs key migrate privacy rebuild reconcile refresh report spool "
        "status tune webhook",
        "main",
    ],
}
BELOW = {"shared": [], "fcgi": ["shared"], "ctl": ["shared"]}

# Files that are one module in several files, and stand on its floor.
PARTS = {"spoolfile": "spool", "spoolview": "spool", "checkhost": "check",
         "checkdata": "check", "checkwork": "check", "checknet": "check",
         "checknginx": "check", "checkbackup": "check", "checkunits": "check"}

# One library, one file.
LIBRARIES = {
    r"fcgi\w*\.h": "fcgi/request.c",
    r"libpq-fe\.h|postgres_ext\.h": "shared/db.c",
    r"curl/.*": "shared/easypost.c",
    r"openssl/.*": "shared/hmac.c",
    r"utf8proc\.h": "shared/nfkd.c",
    r"jansson\w*\.h": "shared/json.c",
    r"xxh\w*\.h": "fcgi/etag.c",
}


def rank(folder, stem):
    stem = PARTS.get(stem, stem)
    for floor, names in enumerate(FLOORS[folder]):
        if stem in names.split():
            return floor
    return None


def module(path):
    folder, name = path.split("/")
    stem = os.path.splitext(name)[0]
    return folder, stem


def problems(path, line):
    """What is wrong with one line of one file."""
    library = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
    if library:
        for pattern, owner in LIBRARIES.items():
            if re.fullmatch(pattern, library[1]) and path != owner:
                yield f"<{library[1]}> may be included by {owner} only"
    own = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
    if not own:
        return
    if not re.fullmatch(r"\w+/\w+\.h", own[1]):
        yield f'"{own[1]}" must be written folder/name.h'
        return
    folder, stem = module(path)
    other_folder, other = module(own[1])
    if other_folder != folder:
        if other_folder not in BELOW[folder]:
            yield f"{folder}/ may not include from {other_folder}/"
        return
    if PARTS.get(other, other) == PARTS.get(stem, stem):
        return
    upper, lower = rank(folder, stem), rank(folder, other)
    if lower is None or upper is None:
        return  # told once, for the file itself
    if lower >= upper:
        yield f"may not include {own[1]}, which is not below it"


def main():
    bad = False
    for folder in FLOORS:
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            if not name.endswith((".c", ".h")):
                continue
            if rank(*module(path)) is None:
                print(f"{path}: has no floor in tests/floors.py")
                bad = True
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    for problem in problems(path, line):
                        print(f"{path}:{number}: {problem}")
                        bad = True
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
