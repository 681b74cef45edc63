"""nginx with the very site that is shipped; only paths and ports differ."""

import os
import re
import shutil
import signal
import socket
import ssl
import tempfile

from env.process import Failed, Process, run

SHIPPED = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "nginx")
# The same for every build: no program is in it.
WEB = os.path.join(os.path.dirname(SHIPPED), "build", "web")
ADDRESS = "127.0.0.1"
FILLED = ("nginx.conf", "waybill", "waybill-http.conf", "waybill-common.conf",
          "waybill-server.conf", "waybill-plain.conf")


def program():
    for path in ("/usr/sbin/nginx", shutil.which("nginx")):
        if path and os.path.exists(path):
            return path
    raise Failed("nginx is not installed")


class Nginx:
    """One nginx on one port of the loopback address; what is said without TLS, on
    port 80 of an installed system, is said on a socket in the file system."""

    def __init__(self, directory, run_dir, log_dir, tls_dir, port):
        self.directory = directory
        self.run_dir = run_dir
        self.log_dir = log_dir
        self.port = port
        self.ca = os.path.join(tls_dir, "waybill.crt")
        self.key = os.path.join(tls_dir, "waybill.key")
        self.conf = os.path.join(directory, "nginx.conf")
        self.log = os.path.join(log_dir, "nginx.error.log")
        self.access_log = os.path.join(log_dir, "waybill.access.log")
        self.plain = os.path.join(run_dir, "plain.sock")
        self.acme_dir = os.path.join(directory, "acme")
        self.process = None

    def make(self):
        """Certificate (once) and configuration, tested."""
        for name in ("body", "fastcgi", "proxy", "scgi", "uwsgi"):
            os.makedirs(os.path.join(self.directory, "temp", name),
                        exist_ok=True)
        os.makedirs(self.acme_dir, exist_ok=True)
        self.make_certificate()
        self.write_configuration()
        run([program(), "-t", "-q", "-e", self.log, "-c", self.conf],
            directory=self.directory)

    def make_certificate(self):
        if os.path.exists(self.ca):
            return
        os.makedirs(os.path.dirname(self.ca), mode=0o700, exist_ok=True)
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "825",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,DNS:ship.example.com,"
             "IP:127.0.0.1,IP:::1",
             "-keyout", self.key, "-out", self.ca],
            directory=os.path.dirname(self.ca))
        os.chmod(self.key, 0o600)

    def write_configuration(self):
        values = {
            # Workers that may enter the private directories of root.
            "USER": "user root;" if os.geteuid() == 0 else "",
            "RUN_DIR": self.run_dir,
            "LOG_DIR": self.log_dir,
            "TEMP_DIR": os.path.join(self.directory, "temp"),
            "NGINX_DIR": self.directory,
            "WEB_DIR": WEB,
            "LISTEN": f"{ADDRESS}:{self.port}",
            "LISTEN6": None,
            "LISTEN_PLAIN": f"unix:{self.plain}",
            "LISTEN_PLAIN6": None,
            "ACME_DIR": self.acme_dir,
            "SERVER_NAME": "localhost",
            "CERTIFICATE": self.ca,
            "KEY": self.key,
        }
        for name in FILLED:
            with open(os.path.join(SHIPPED, name + ".in"),
                      encoding="utf-8") as file:
                text = fill(file.read(), values)
            with open(os.path.join(self.directory, name), "w",
                      encoding="utf-8") as file:
                file.write(without_unknown(text))
        shutil.copyfile(os.path.join(SHIPPED, "waybill-fastcgi.conf"),
                        os.path.join(self.directory, "waybill-fastcgi.conf"))

    def start(self):
        if os.path.exists(self.plain):  # of one that was killed
            os.unlink(self.plain)
        self.process = Process(
            "nginx", [program(), "-e", self.log, "-c", self.conf],
            log=self.log, directory=self.directory).start()
        self.process.ready(self.is_ready)
        return self

    def stop(self):
        """Finishes the requests that are under way."""
        if self.process is not None:
            self.process.stop(signal.SIGQUIT)

    def reload(self):
        self.process.send(signal.SIGHUP)

    def is_ready(self):
        """A TLS handshake, with our certificate: not just anybody's port."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            with socket.create_connection((ADDRESS, self.port), 1) as plain:
                with context.wrap_socket(plain, server_hostname="localhost"):
                    return True
        except OSError:
            return False


def fill(text, values):
    """The words between @ signs replaced; a line whose value is None goes."""
    lines = []
    for line in text.splitlines():
        names = re.findall(r"@([A-Z0-9_]+)@", line)
        if any(values[name] is None for name in names):
            continue
        lines.append(re.sub(r"@([A-Z0-9_]+)@",
                            lambda match: values[match[1]], line))
    return "\n".join(lines) + "\n"


def without_unknown(text):
    """An nginx without the security updates of its distribution does not know
    max_headers; it starts all the same."""
    with open(program(), "rb") as file:
        if b"max_headers" in file.read():
            return text
    return re.sub(r"^ *max_headers .*\n", "", text, flags=re.MULTILINE)


def free_port(first=None):
    """A port that nobody listens on: from `first` on, or any."""
    candidates = range(first, 65536) if first else [0]
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise Failed(f"no free port from {first} on")


def check():
    """Fails unless nginx accepts what is shipped."""
    with tempfile.TemporaryDirectory() as directory:
        Nginx(directory, directory, directory, directory, 8443).make()


if __name__ == "__main__":
    check()
