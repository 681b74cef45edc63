"""HTTP/2, byte for byte: for requests that no good client would send."""

import socket
import ssl
import struct

from hpack import Decoder, Encoder, NeverIndexedHeaderTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW = 4  # a setting
CANCEL = 8          # an error


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


def setting(name, value):
    return struct.pack(">HI", name, value)


def block(pairs):
    """Compressed without a memory: the same bytes in every connection."""
    return Encoder().encode([NeverIndexedHeaderTuple(*pair) for pair in pairs],
                            huffman=False)


def head(method, path, *more, authority="localhost"):
    """The path comes first, so that a refusal of the others knows of it."""
    return [(":path", path), (":method", method), (":scheme", "https"),
            (":authority", authority), *more]


class Refused(Exception):
    """The server ended the connection, or the stream, without an answer."""


class Connection:
    """One connection; its requests one after the other."""

    def __init__(self, stack, timeout=20, address=""):
        context = ssl.create_default_context(cafile=stack.ca)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", stack.port), timeout,
                                         source_address=(address, 0))
        self.wire = context.wrap_socket(plain, server_hostname="localhost")
        self.wire.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self.decoder = Decoder()
        self.stream = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def ask(self, pairs, body=None):
        """Status, headers and content; the pairs may be any, in any order."""
        self.stream += 2
        end = END_STREAM if body is None else 0
        self.wire.sendall(frame(HEADERS, END_HEADERS | end, self.stream,
                                block(pairs)))
        if body is not None:
            self.wire.sendall(frame(DATA, END_STREAM, self.stream, body))
        return self.answer()

    def ask_many(self, count, pairs):
        """The statuses of as many requests at the same time."""
        self.wire.sendall(b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, number, block(pairs))
            for number in range(1, 2 * count, 2)))
        found, open_streams = [], count
        while open_streams:
            kind, flags, _, payload = self.read_frame()
            if kind == HEADERS:
                found.append(int(dict(self.decoder.decode(payload))[":status"]))
            if kind in (RESET, GOAWAY):
                raise Refused(kind, payload)
            open_streams -= bool(kind in (HEADERS, DATA) and flags & END_STREAM)
        return found

    def answer(self):
        headers, content = [], b""
        while True:
            kind, flags, stream, payload = self.read_frame()
            if kind == SETTINGS and not flags & ACK:
                self.wire.sendall(frame(SETTINGS, ACK, 0))
            elif kind == GOAWAY or (kind, stream) == (RESET, self.stream):
                raise Refused(kind, payload)
            elif stream == self.stream and kind in (HEADERS, DATA):
                if kind == HEADERS:
                    headers += self.decoder.decode(payload)
                else:
                    content += payload
                if flags & END_STREAM:
                    return int(dict(headers)[":status"]), headers[1:], content

    def read_frame(self):
        start = self.read(9)
        length = struct.unpack(">I", b"\0" + start[:3])[0]
        kind, flags, stream = struct.unpack(">BBI", start[3:])
        return kind, flags, stream, self.read(length)

    def read(self, count):
        found = b""
        while len(found) < count:
            more = self.wire.recv(count - len(found))
            if not more:
                raise Refused("closed")
            found += more
        return found
