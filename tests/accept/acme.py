#!/usr/bin/python3
"""A certificate is got and renewed as the README says, by certbot over http-01 from
an authority of this machine (pebble), while clients ask all the time.

    tests/accept/acme.py      by itself; else a part of `make accept`

No request may fail: neither when the certificate is another one, nor when nginx
reloads.  Needs apt and the network, once.
"""

import os
import re
import socket
import ssl
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [path for path in [os.path.dirname(HERE)]
                if path not in sys.path]

import requests  # noqa: E402: the path comes first
from env.nginx import ADDRESS, free_port  # noqa: E402
from env.process import Process, run  # noqa: E402
from env.stack import Stack  # noqa: E402
from env.wait import wait_until  # noqa: E402
from helpers import read_answer  # noqa: E402
from load import Load  # noqa: E402

NAME = "ship.example.com"
CLIENTS = 4
AFTER = 200  # requests once more than before, each time something has changed

PEBBLE = """{"pebble": {
    "listenAddress": "%(address)s:%(acme)d",
    "managementListenAddress": "%(address)s:%(management)d",
    "certificate": "%(directory)s/authority.crt",
    "privateKey": "%(directory)s/authority.key",
    "httpPort": %(http)d, "tlsPort": %(tls)d,
    "ocspResponderURL": "", "externalAccountBindingRequired": false}}"""


class Authority:
    """pebble, and the names that it looks up: all of them are this machine."""

    def __init__(self, directory, http_port, tls_port):
        self.directory = directory
        self.ports = {"http": http_port, "tls": tls_port,
                      **{name: free_port() for name in (
                          "acme", "management", "dns", "dns_management")}}
        self.ca = os.path.join(directory, "authority.crt")
        self.root = os.path.join(directory, "root.pem")
        self.url = f"https://{ADDRESS}:{self.ports['acme']}/dir"
        self.processes = []

    def __enter__(self):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
             "/CN=authority", "-addext", f"subjectAltName=IP:{ADDRESS}",
             "-keyout", self.ca.replace(".crt", ".key"), "-out", self.ca],
            directory=self.directory)
        conf = os.path.join(self.directory, "pebble.json")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(PEBBLE % {"address": ADDRESS, **self.ports,
                                 "directory": self.directory})
        dns = f"{ADDRESS}:{self.ports['dns']}"
        try:
            self.start("pebble-challtestsrv", [
                "-dns01", dns, "-http01", "", "-https01", "", "-tlsalpn01", "",
                "-defaultIPv4", ADDRESS, "-defaultIPv6", "", "-management",
                f"{ADDRESS}:{self.ports['dns_management']}"])
            self.start("pebble", ["-strict", "-config", conf,
                                  "-dnsserver", dns])
            wait_until(self.take_root, 30, "the authority's certificate")
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, program, words):
        """Every token is looked at, and at once."""
        self.processes.append(Process(
            program, [program, *words],
            log=os.path.join(self.directory, program + ".log"),
            directory=self.directory, environment={
                "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0",
                "PEBBLE_WFE_NONCEREJECT": "0"}).start())

    def take_root(self):
        """What clients have to trust; it is made when pebble starts."""
        for process in self.processes:
            process.check()
        try:
            with urllib.request.urlopen(
                    f"https://{ADDRESS}:{self.ports['management']}/roots/0",
                    timeout=5, context=ssl.create_default_context(
                        cafile=self.ca)) as got, \
                    open(self.root, "wb") as file:
                file.write(got.read())
        except OSError:
            return False  # it is starting
        return True

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()


class Certbot:
    """The commands of the README, in directories of our own."""

    def __init__(self, directory, stack, authority):
        self.live = os.path.join(directory, "letsencrypt", "live", NAME)
        self.directory = directory
        self.stack = stack
        self.authority = authority

    def run(self, *words):
        places = [f"--{kind}-dir={self.directory}/letsencrypt{rest}"
                  for kind, rest in (("config", ""), ("work", "/work"),
                                     ("logs", "/log"))]
        run(["certbot", *words, *places, "--non-interactive"],
            directory=self.directory, limit_s=180, environment={
                "REQUESTS_CA_BUNDLE": self.authority.ca})

    def obtain(self):
        """For `systemctl reload nginx` its signal."""
        self.run("certonly", "--webroot", "-w", self.stack.nginx.acme_dir,
                 "-d", NAME, "--deploy-hook",
                 f"kill -HUP {self.stack.nginx.process.pid}",
                 "--server", self.authority.url, "--agree-tos",
                 "--register-unsafely-without-email")

    def renew(self):
        """As its timer does, but that the day has not come."""
        self.run("renew", "--force-renewal", "--no-random-sleep-on-renew")

    def certificate(self):
        with open(os.path.join(self.live, "cert.pem"),
                  encoding="ascii") as file:
            return ssl.PEM_cert_to_DER_cert(file.read())


class Visitor:
    """Who trusts the stack's first certificate and the authority's."""

    def __init__(self, stack, authority):
        self.port = stack.port
        self.context = ssl.create_default_context(cafile=stack.ca)
        self.context.load_verify_locations(authority.root)

    def connect(self):
        plain = socket.create_connection((ADDRESS, self.port), 20)
        return self.context.wrap_socket(plain, server_hostname=NAME)

    def ask(self):
        """One request through nginx and a worker, on a connection of its own."""
        try:
            with self.connect() as wire:
                wire.sendall(f"GET /livez HTTP/1.1\r\nHost: {NAME}\r\n"
                             "Connection: close\r\n\r\n".encode())
                return read_answer(wire)
        except OSError as error:
            raise requests.ConnectionError(error) from error

    def certificate(self):
        with self.connect() as wire:
            return wire.getpeercert(binary_form=True)


def edit_site(stack, changes):
    """As the operator does, in the site that is his; then a reload."""
    path = os.path.join(os.path.dirname(stack.nginx.conf), "waybill")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        assert re.search(old, text, re.M), old
        text = re.sub(old, new, text, flags=re.M)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    run(["/usr/sbin/nginx", "-t", "-q", "-e", stack.nginx.log, "-c",
         stack.nginx.conf], directory=stack.directory)
    stack.nginx.reload()


def accepts(port):
    try:
        socket.create_connection((ADDRESS, port), 1).close()
    except OSError:
        return False
    return True


def check(stack, directory):
    """All of it.  The site is as an operator leaves it: with its name and the
    authority's certificate, whose root is the answer."""
    directory = os.path.join(directory, "acme")
    os.mkdir(directory)
    http_port = free_port()
    edit_site(stack, [(r"^    server_name .*;", f"    server_name {NAME};"),
                      (r"listen unix:.*;", f"listen {ADDRESS}:{http_port};")])
    wait_until(lambda: accepts(http_port), 20, "the listener without TLS")
    with Authority(directory, http_port, stack.port) as authority:
        certbot = Certbot(directory, stack, authority)
        visitor = Visitor(stack, authority)
        seen = [visitor.certificate()]
        with Load([visitor.ask] * CLIENTS) as load:

            def wait_served(what):
                """A reload is done when the new certificate is there; then it
                goes on for a while."""
                wait_until(lambda: visitor.certificate()
                           == certbot.certificate(), 30, what)
                seen.append(certbot.certificate())
                goal = len(load.results) + AFTER
                wait_until(lambda: len(load.results) >= goal, 60, "requests")

            certbot.obtain()
            edit_site(stack, [
                (r"^    ssl_certificate .*;",
                 f"    ssl_certificate {certbot.live}/fullchain.pem;"),
                (r"^    ssl_certificate_key .*;",
                 f"    ssl_certificate_key {certbot.live}/privkey.pem;")])
            wait_served("the authority's certificate")
            certbot.renew()
            wait_served("the renewed certificate")
        assert len(set(seen)) == 3, "a certificate was served twice"
        assert load.failed() == [], load.failed()[:10]
    print(f"ok  ACME: a certificate and its renewal, {len(load.results)} "
          f"requests meanwhile, 0 failed, the slowest {load.times()[-1]:.2f} s")
    return authority.root


def main():
    with tempfile.TemporaryDirectory(prefix="waybill-accept-") as directory, \
            Stack(os.path.join(directory, "stack")) as stack:
        check(stack, directory)


if __name__ == "__main__":
    main()
