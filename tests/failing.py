"""Calls to the system that fail: the Nth of a kind, in one process, at a moment
that the test chooses.  The library is env/failing.c.

    failing = Failing(directory)
    Stack(..., environment=failing.environment)
    failing.arm("fsync", 1, "EIO", pid)   # its next fsync() fails
    failing.disarm()                      # how many did
    failing.move_clock(86400)             # tomorrow, for all of them
"""

import ctypes
import errno
import mmap
import os
import struct
import subprocess

from env.process import ENVIRONMENT
from env.stack import ROOT

# In the order of `enum call`.
CALLS = ["", "open", "write", "read", "fsync", "rename", "unlink", "close",
         "stat", "statvfs", "mkdir", "readdir", "flock", "send", "recv",
         "connect", "poll", "socket", "memory", "fork", "mmap", "access"]

# What each may say (their man pages), and what no man page has: half of the
# bytes are taken, or all of them, and nobody gets to know it.
ERRORS = {
    "open": ["EACCES", "EMFILE", "ENOSPC"],
    "write": ["EIO", "ENOSPC", "EINTR", "HALF"],
    "read": ["EIO", "EINTR", "HALF"],
    "fsync": ["EIO", "EINTR", "LOST"],
    "rename": ["EIO", "ENOSPC"],
    "unlink": ["EIO"],
    "close": ["EIO"],
    "stat": ["EIO"],
    "statvfs": ["EIO"],
    "mkdir": ["ENOSPC"],
    "readdir": ["EIO"],
    "flock": ["ENOLCK"],
    "send": ["EPIPE", "HALF", "LOST"],
    "recv": ["ECONNRESET", "EINTR", "HALF", "LOST"],
    "connect": ["ECONNREFUSED", "EAGAIN"],
    "poll": ["ENOMEM", "EINTR"],
    "socket": ["EMFILE"],
    "memory": ["ENOMEM"],
    "fork": ["EAGAIN"],
    "mmap": ["ENOMEM"],
    "access": ["EACCES"],
}
OWN_ERRORS = {"HALF": 1001, "LOST": 1002}

# struct control: pid, call, left, error, failed; and then ahead_s
CONTROL = struct.Struct("iiiii")
SIZE = CONTROL.size + 4


class Failing:
    def __init__(self, directory, build="build"):
        self.preload = os.path.join(directory, "failing.so")
        self.control = os.path.join(directory, "failing.control")
        # The sanitizers bring their own malloc().
        is_sanitized = os.path.basename(build) == "build-asan"
        subprocess.run(
            ["gcc", "-D_GNU_SOURCE", "-std=c11", "-O1", "-Wall", "-Werror",
             "-fPIC", "-shared"] + ["-DWITH_MEMORY"] * (not is_sanitized)
            + ["-o", self.preload, os.path.join(ROOT, "tests/env/failing.c"),
               "-ldl"], check=True)
        with open(self.control, "wb") as file:
            file.write(bytes(SIZE))
        with open(self.control, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)
        self.environment = {
            "LD_PRELOAD": self.preload, "FAILING_FILE": self.control,
            "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"]
            + ":verify_asan_link_order=0"}
        self.calls = CALLS[1:]
        if is_sanitized:
            self.calls.remove("memory")

    def arm(self, call, nth, error, pid=-1):
        """-1: whoever was started with `environment`."""
        number = OWN_ERRORS.get(error) or getattr(errno, error)
        CONTROL.pack_into(self.map, 0, 0, CALLS.index(call), nth, number, 0)
        ctypes.c_int32.from_buffer(self.map).value = pid  # at last

    def disarm(self):
        """How many calls failed."""
        failed = CONTROL.unpack_from(self.map)[4]
        self.map[:CONTROL.size] = bytes(CONTROL.size)
        return failed

    def move_clock(self, seconds):
        """The wall clock of whoever was started with `environment` is that far
        ahead from now on."""
        ctypes.c_int32.from_buffer(self.map, CONTROL.size).value = seconds

    def sweep(self, calls, is_whole, pid=lambda: -1):
        """Steps, each of which lets another call fail while one is in it: of each
        kind the first, the second, ..., until there is none that could.  Not
        is_whole: some of them, and one error each."""
        for call in calls:
            if call not in self.calls:
                continue
            for error in ERRORS[call] if is_whole else ERRORS[call][:1]:
                for nth in ALL if is_whole else SOME:
                    step = Step(self, call, nth, error, pid)
                    yield step
                    if not step.failed:
                        break


class Step:
    """with step: ...    # in here the call fails
    """

    def __init__(self, failing, call, nth, error, pid):
        self.failing, self.pid, self.failed = failing, pid, 0
        self.what = call, nth, error

    def __enter__(self):
        self.failing.arm(*self.what, self.pid())
        return self

    def __exit__(self, *_):
        self.failed = self.failing.disarm()

    def __repr__(self):
        return " ".join(map(str, self.what))


# Of thousands of allocations not each one: they are alike.
ALL = [*range(1, 40), *(int(40 * 1.1 ** n) for n in range(80))]
SOME = [1, 2, 3, 8, 21, 55, 144]
