"""One child process: its log, its end, and the proof that nothing is left.

A child stands in a session of its own, so that Ctrl-C in a terminal reaches
only us and we stop everything in the right order; and it is told to stop when
the thread that started it dies, however that happens (prctl(2)).  So stacks are
started from the main thread.
"""

import ctypes
import os
import pwd
import signal
import subprocess

from env.wait import TooLate, wait_until

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None, use_errno=True)

# What a program gets from us, and nothing else: the settings of the person who
# runs the tests must not change them.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1"
                    ":strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "LSAN_OPTIONS": "print_suppressions=0:suppressions=" + os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "lsan.supp"),
}


class Failed(Exception):
    """A program of the environment did not do its part."""


class Process:
    """A program that runs until it is told to stop."""

    def __init__(self, name, argv, *, log, directory, user=None,
                 environment=None, parent_death=signal.SIGTERM):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log = log
        self.directory = directory
        self.user = user
        self.environment = {**ENVIRONMENT, **(environment or {})}
        self.parent_death = parent_death
        self.child = None

    def start(self, to_terminal=False):
        """Its output goes to its log, or to where ours goes."""
        parent = os.getpid()
        number = int(self.parent_death)

        def in_child():
            LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
            if os.getppid() != parent:  # it died before we could say so
                os._exit(1)

        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL,
                stdout=None if to_terminal else log, stderr=log,
                cwd=self.directory, env=self.environment,
                start_new_session=True, preexec_fn=in_child,
                **as_user(self.user))
        return self

    @property
    def pid(self):
        return self.child.pid if self.child else None

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        if self.is_running():
            self.child.send_signal(number)

    def wait(self, limit_s):
        """Its exit status."""
        try:
            return self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise TooLate(f"{self.name} (process {self.pid}) did not stop "
                          f"within {limit_s:g} s") from None

    def stop(self, number=signal.SIGTERM, limit_s=70.0):
        """Asks it to stop and waits; its exit status, None if it never ran."""
        if self.child is None:
            return None
        self.send(number)
        return self.wait(limit_s)

    def kill(self):
        """No questions asked."""
        if self.child is not None:
            self.send(signal.SIGKILL)
            self.child.wait()

    def check(self):
        """Fails with its last words when it is not running."""
        if not self.is_running():
            raise Failed(f"{self.name} ended with status "
                         f"{self.child and self.child.returncode}:\n"
                         + last_lines(self.log))
        return True

    def ready(self, condition, limit_s=20.0):
        """Waits for the condition; fails at once when the program ends."""
        wait_until(lambda: condition() or not self.check(), limit_s,
                   lambda: f"{self.name} is not ready\n{last_lines(self.log)}")
        return self


def run(argv, *, directory, user=None, environment=None, limit_s=60.0,
        stdin=b""):
    """Runs a program to its end; its output, or Failed with what it said."""
    parent = os.getpid()

    def in_child():
        LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    argv = [str(word) for word in argv]
    try:
        done = subprocess.run(
            argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=directory, env={**ENVIRONMENT, **(environment or {})},
            timeout=limit_s, preexec_fn=in_child, check=False, **as_user(user))
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]}: did not end within {limit_s:g} s") from None
    if done.returncode != 0:
        said = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
        raise Failed(f"{' '.join(argv)}: status {done.returncode}\n{said}")
    return done.stdout.decode("utf-8", "replace")


def as_user(user):
    """What subprocess needs to run something as another user; as ourselves
    when there is none.  Without a helper program such as su, which would make
    the kernel forget that the child dies with us."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def last_lines(path, count=25):
    try:
        with open(path, "rb") as file:
            lines = file.read()[-20000:].decode("utf-8", "replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(lines.splitlines()[-count:])


def adopt_orphans():
    """From now on a process whose parent has died becomes ours (prctl(2)), so
    that nothing that we started can leave the tree below us."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def living(directories):
    """What below us still works in one of the directories: process ids with
    command lines.  A stack's processes all do, whoever their parent is."""
    found = {}
    for pid in descendants(os.getpid()):
        try:
            where = [os.readlink(f"/proc/{pid}/cwd")]
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")
        except OSError:  # gone meanwhile
            continue
        if any(is_below(path, directory) for directory in directories
               for path in where + words):
            found[pid] = " ".join(words).strip()
    return found


def descendants(pid):
    """All living processes below one, but for what is dead already."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="latin-1") as file:
                    words = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if words[0] != "Z":
                children.setdefault(int(words[1]), []).append(int(entry))
    found = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def is_below(path, directory):
    return path == directory or path.startswith(directory + "/")
