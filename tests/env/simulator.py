"""The EasyPost simulator as a child process, and its control routes."""

import http.client
import json
import os
import sys
import urllib.parse

from env.process import Failed, Process

PROGRAM = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "sim", "easypost_sim.py")


class Simulator:
    """Stands in for EasyPost on a port of the loopback address."""

    def __init__(self, directory, log, *, test_key, production_key,
                 webhook_url=None, webhook_secret=None, webhook_ca=None,
                 latency="none", state_file=None):
        self.port_file = os.path.join(directory, "simulator.port")
        self.argv = [sys.executable, PROGRAM, "--port", "0",
                     "--port-file", self.port_file, "--test-key", test_key,
                     "--production-key", production_key, "--latency", latency]
        for option, value in (("--webhook-url", webhook_url),
                              ("--webhook-secret", webhook_secret),
                              ("--webhook-ca", webhook_ca),
                              ("--state", state_file)):
            if value:
                self.argv += [option, value]
        self.directory = directory
        self.log = log
        self.process = None
        self.port = None

    def start(self):
        if os.path.exists(self.port_file):
            os.unlink(self.port_file)
        self.process = Process("simulator", self.argv, log=self.log,
                               directory=self.directory).start()
        self.process.ready(self.is_ready)
        return self

    def stop(self):
        if self.process is not None:
            self.process.stop(limit_s=10.0)

    def is_ready(self):
        try:
            with open(self.port_file, encoding="ascii") as file:
                self.port = int(file.read())
            return self.calls() is not None
        except (FileNotFoundError, ValueError, OSError):
            return False

    @property
    def base(self):
        """What EASYPOST_API_BASE is set to."""
        return f"http://127.0.0.1:{self.port}"

    # --- control ------------------------------------------------------------

    def ask(self, method, path, document=None):
        """One call of a control route; its answer."""
        body = None if document is None else json.dumps(document)
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=30)
        try:
            connection.request(method, "/_sim" + path, body,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Failed(f"simulator: {method} {path}: {answer.status} "
                         f"{text[:500].decode('utf-8', 'replace')}")
        return json.loads(text) if text else None

    def reset(self):
        return self.ask("POST", "/reset", {})

    def clock(self, now):
        return self.ask("POST", "/clock", {"now": now})

    def fault(self, match, kind, **more):
        return self.ask("POST", "/fault", {"match": match, "kind": kind,
                                           **more})

    def calls(self):
        return self.ask("GET", "/calls")

    def state(self, object_id):
        return self.ask("GET", "/state/" + urllib.parse.quote(object_id))

    def advance(self, tracker_id):
        return self.ask("POST", f"/tracker/{tracker_id}/advance", {})

    def deliver(self, **what):
        return self.ask("POST", "/deliver", what)

    def webhook(self, url, secret):
        return self.ask("POST", "/webhook", {"url": url, "secret": secret})

    def events(self):
        return self.ask("GET", "/events")

    def canned(self, method, path, status=200, headers=None, body="",
               query=""):
        return self.ask("POST", "/canned", {
            "method": method, "path": path, "query": query, "status": status,
            "headers": headers or {}, "body": body})
