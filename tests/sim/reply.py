"""An answer on its way out, and JSON as the service writes it."""

import json


def dumps(value):
    """Compact UTF-8; floats keep their ".0"."""
    return json.dumps(value, separators=(",", ":"),
                      ensure_ascii=False).encode("utf-8", "replace")


class Reply:
    """`body` is bytes; `headers` come on top of those every answer has."""
    __slots__ = ("status", "body", "headers", "content_type", "is_raw")

    def __init__(self, status, body=b"", headers=(), is_raw=False,
                 content_type="application/json; charset=utf-8"):
        self.status = status
        self.body = body
        self.headers = list(headers)
        self.content_type = content_type
        self.is_raw = is_raw        # no added headers, no compression


def created(folder, obj):
    return Reply(201, dumps(obj), [("location", f"/api/v2/{folder}/{obj['id']}")])


def with_newline(status, obj):
    """The side services end their JSON with a newline."""
    return Reply(status, dumps(obj) + b"\n")
