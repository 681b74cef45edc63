"""A FastCGI client that says what nginx never would: bodies of another length than
announced, parameters that are missing, connections that end in the middle.

    ask(socket, {"REQUEST_METHOD": "GET", "REQUEST_URI": "/livez"})
"""

import http.client
import io
import socket
import struct

from helpers import Answer

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT = 1, 2, 3, 4, 5, 6
LIMIT_S = 20
CHUNK = 0xfff8


def record(kind, content=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def stream(kind, content):
    """In records of a length that there may be; without the empty one that ends
    it."""
    return b"".join(record(kind, content[at:at + CHUNK])
                    for at in range(0, len(content), CHUNK))


def pair(name, value):
    name, value = name.encode("latin-1"), value.encode("latin-1")
    return (struct.pack(">II", len(name) | 1 << 31, len(value) | 1 << 31)
            + name + value)


def head(params):
    """All of a request but its body."""
    pairs = params.items() if isinstance(params, dict) else params
    return (record(BEGIN, struct.pack(">HB5x", 1, 0))
            + stream(PARAMS, b"".join(pair(*one) for one in pairs))
            + record(PARAMS))


def connect(path):
    wire = socket.socket(socket.AF_UNIX)
    wire.settimeout(LIMIT_S)
    wire.connect(path)
    return wire


def ask(path, params, body=b"", *, end=record(STDIN), half_close=False):
    """The answer; None when the connection was closed without one.  `end` is what
    is sent behind the body."""
    with connect(path) as wire:
        wire.sendall(head(params) + stream(STDIN, body) + end)
        if half_close:
            wire.shutdown(socket.SHUT_WR)
        return read_answer(wire)


def read_answer(wire):
    out = b""
    source = wire.makefile("rb")
    while True:
        start = source.read(8)
        if len(start) < 8:
            break
        _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", start)
        content = source.read(length + padding)[:length]
        if kind == END:
            break
        if kind == STDOUT:
            out += content
    if not out:
        return None
    lines, _, body = out.partition(b"\r\n\r\n")
    headers = http.client.parse_headers(io.BytesIO(lines + b"\r\n\r\n"))
    return Answer(int(headers["Status"].split()[0]), headers.items(), body)
