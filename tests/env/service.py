"""Waybill's own processes: the three pools, the jobs, and the program of the
operator for what is done once."""

import os
import re
import signal
import socket

from env.process import Process, run

POOLS = ("read", "webhook", "upstream")


class Service:
    """All of them for one configuration file."""

    def __init__(self, build, conf_file, run_dir, log_dir, directory,
                 environment=None, operator_url=None):
        self.build = os.path.abspath(build)
        self.conf_file = conf_file
        self.run_dir = run_dir
        self.log_dir = log_dir
        self.directory = directory
        self.environment = environment
        self.operator_url = operator_url
        self.processes = {}

    # --- pools and jobs ---------------------------------------------------

    def start(self, name):
        """A pool, or "jobs"; returns when it accepts connections."""
        if name == "jobs":
            argv = [self.program("waybill"), "-c", self.conf_file, "jobs"]
        else:
            argv = [self.program("waybill-fcgi"), "-c", self.conf_file,
                    "-l", self.socket(name), name]
        process = Process(name, argv, log=self.log(name),
                          directory=self.directory,
                          environment=self.environment).start()
        self.processes[name] = process
        if name in POOLS:
            process.ready(lambda: accepts(self.socket(name)))
        return process

    def start_all(self):
        for name in POOLS:
            self.start(name)
        self.start("jobs")

    def stop(self, name, limit_s=70.0):
        """Gracefully: requests under way are answered first."""
        process = self.processes.get(name)
        return process.stop(signal.SIGTERM, limit_s) if process else None

    def stop_all(self):
        """All at once; each may take as long as its longest request."""
        for process in self.processes.values():
            process.send(signal.SIGTERM)
        for name in self.processes:
            self.stop(name)

    def restart(self, name):
        self.stop(name)
        return self.start(name)

    def reload(self, name):
        """SIGHUP; does not wait for the new workers."""
        self.processes[name].send(signal.SIGHUP)

    def pids(self):
        return {name: process.pid for name, process in self.processes.items()
                if process.is_running()}

    # --- the program of the operator ---------------------------------------

    def waybill(self, *words, limit_s=60.0):
        """Runs `waybill WORDS...` to its end; what it printed."""
        operator = ({"DATABASE_URL": self.operator_url}
                    if words[0] in ("migrate", "key", "privacy") and self.operator_url
                    else {})
        return run([self.program("waybill"), "-c", self.conf_file, *words],
                   directory=self.directory,
                   environment={**(self.environment or {}), **operator},
                   limit_s=limit_s)

    def make_key(self, name, mode, scopes="read,write,admin", **limits):
        """A new gateway key; limits as rate_limit=600."""
        words = [word for limit, value in limits.items()
                 for word in ("--" + limit.replace("_", "-"), str(value))]
        said = self.waybill("key", "create", "--name", name, "--mode", mode,
                            "--scopes", scopes, *words)
        return re.search(r"\bwb_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", said)[0]

    # --- places -------------------------------------------------------------

    def program(self, name):
        return os.path.join(self.build, name)

    def socket(self, pool):
        return os.path.join(self.run_dir, pool + ".sock")

    def log(self, name):
        return os.path.join(self.log_dir, name + ".log")


def accepts(path):
    """Whether somebody listens on a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
