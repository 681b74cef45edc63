#!/usr/bin/env python3
"""The EasyPost simulator: a strict, stateful stand-in for api.easypost.com.

Prints nothing but errors.  The port that was taken is written to --port-file once
the server listens.  Ends on SIGTERM and SIGINT with exit status 0.
"""

import argparse
import os
import secrets
import signal
import ssl

import state
from http1 import Loop
from server import App


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--test-key", default="EZTKsimulator")
    parser.add_argument("--production-key", default="EZAKsimulator")
    parser.add_argument("--latency", choices=("none", "measured"), default="none")
    parser.add_argument("--seed", type=int, default=None, help="the same calls get the "
                        "same ids, prices and lives; without it no id ever comes twice")
    parser.add_argument("--list-limit", type=int, default=5, metavar="N",
                        help="list requests a second and key; 0: no limit")
    parser.add_argument("--state", metavar="FILE",
                        help="remember everything there until the next start")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--control-port-file",
                        help="a second, plain port, useful when the first one has TLS")
    parser.add_argument("--webhook-url")
    parser.add_argument("--webhook-secret")
    parser.add_argument("--webhook-ca")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = secrets.randbits(64)
    return options


def write_port(path, port):
    """Whoever waits for the file must never see it half written."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(f"{port}\n")
    os.replace(path + ".new", path)


def main():
    options = arguments()
    tls = None
    if options.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_cert, options.tls_key)
    loop = Loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    import resources    # its handlers register themselves
    assert resources
    app = App(loop, options)
    if options.state:
        state.load(app, options.state)
    port = app.server.listen(options.host, options.port, tls)
    if options.port_file:
        write_port(options.port_file, port)
    if options.control_port_file:
        write_port(options.control_port_file, app.server.listen(options.host, 0))
    loop.run()
    app.server.close_all()
    app.webhooks.couriers.stop()
    if options.state:
        state.save(app, options.state)


if __name__ == "__main__":
    main()
