"""A Debian of its own, booted by systemd as PID 1 (systemd-nspawn), without a
network but its own loopback."""

import ctypes
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess

from env.process import PR_SET_PDEATHSIG
from env.wait import wait_until

HERE = pathlib.Path(__file__).resolve().parent
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000  # sched.h
BOOT_SECONDS = 120
RUN_SECONDS = 180
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
               "/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}
# What is always there on a server, and what looks at it.
BASE = ("systemd", "systemd-sysv", "dbus", "procps", "iproute2", "sudo", "curl",
        "ca-certificates", "openssl", "logrotate")


# What of this machine got into it: a name that nobody there knows, and another port
# where its own was taken.
HOOKS = ("""echo ship >"$1/etc/hostname"; echo '127.0.1.1 ship' >>"$1/etc/hosts" """,
         """sed -i 's/^port = .*/port = 5432/' \\
         "$1"/etc/postgresql/*/main/postgresql.conf""")


def make_root(directory, packages):
    """A root file system with these packages of Debian, made once."""
    wanted = ",".join(dict.fromkeys((*BASE, *packages)))
    name = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    root = pathlib.Path(directory, f"root-{name}")
    if not root.exists():
        fresh = root.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase",
             f"--include={wanted}", *(f"--customize-hook={one}" for one in HOOKS),
             "bookworm", str(fresh), *sources()], check=True, timeout=1800)
        fresh.rename(root)
    return root


def packaged_unit(directory, name):
    """The service of a package of Debian, which is not installed."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    subprocess.run(["apt-get", "download", "-q", name], cwd=directory,
                   stdout=subprocess.DEVNULL, check=True, timeout=300)
    [package] = directory.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, directory], check=True)
    [unit] = directory.glob(f"**/{name}.service")
    return unit


def sources():
    """Where this machine gets its packages from."""
    found = [*pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"),
             *pathlib.Path("/etc/apt/sources.list.d").glob("*.list"),
             pathlib.Path("/etc/apt/sources.list")]
    return [str(path) for path in found
            if path.exists() and path.stat().st_size]


class Machine:
    """Boots with `with`; gone afterwards."""

    def __init__(self, root, overlay):
        self.overlay = pathlib.Path(overlay)
        self.console = self.overlay / "console.log"
        self.overlay.mkdir(parents=True, exist_ok=True)
        with open(self.console, "ab") as console:
            self.launcher = subprocess.Popen(
                ["unshare", "--mount", "--net", "--propagation", "private",
                 "--", str(HERE / "boot.sh"), str(root), str(overlay)],
                stdout=console, stderr=console, start_new_session=True,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG,
                                              signal.SIGTERM))

    def __enter__(self):
        try:
            self.wait_for_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pid in self.descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.launcher.wait(30)

    def descendants(self):
        """The processes of the launcher and below, children last."""
        found = [self.launcher.pid]
        for pid in found:
            try:
                found += map(int, pathlib.Path(
                    f"/proc/{pid}/task/{pid}/children").read_text().split())
            except FileNotFoundError:
                pass
        return found

    def outside(self, number):
        """Number and name, on this machine, of a process of that one; None
        and "": there is none now."""
        for pid in self.descendants():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            numbers = status.partition("NSpid:")[2].partition("\n")[0].split()
            if len(numbers) > 1 and numbers[-1] == str(number):
                return pid, name
        return None, ""

    @property
    def init(self):
        """Its PID 1 on this machine; None: there is none now."""
        pid, name = self.outside(1)
        return pid if name == "systemd" else None

    def enter_network(self):
        """From here on the calling thread, and what it starts, is on the
        loopback of the machine."""
        with open(f"/proc/{self.launcher.pid}/ns/net", "rb") as file:
            if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def argv(self, words):
        assert self.init is not None, self.console.read_text()[-2000:]
        return ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p",
                "-C", "--", "env", "-i",
                *(f"{name}={value}" for name, value in ENVIRONMENT.items()),
                *words]

    def run(self, *words, check=True, stdin=None, timeout=RUN_SECONDS):
        """What the command printed, on both ways; as root."""
        done = subprocess.run(
            self.argv(words), input=stdin, text=True, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit status"
                                 f" {done.returncode}\n{done.stdout[-4000:]}")
        return done.stdout

    def shell(self, script, **options):
        return self.run("sh", "-euc", script, **options)

    def write(self, path, text, mode=None):
        """Replaces a file's content; owner and mode stay unless given."""
        self.run("sh", "-euc", 'cat >"$1"', "sh", path, stdin=text)
        if mode:
            self.run("chmod", mode, path)

    def copy(self, source, target):
        with open(source, "rb") as file:
            subprocess.run(self.argv(["sh", "-euc", 'cat >"$1"', "sh", target]),
                           stdin=file, check=True, timeout=RUN_SECONDS)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name,
                        unit).strip()

    def wait_for_boot(self):
        def is_up():
            assert self.launcher.poll() is None, \
                self.console.read_text()[-2000:]
            return self.init is not None and self.run(
                "systemctl", "is-system-running", check=False).strip() in (
                    "running", "degraded")

        wait_until(is_up, BOOT_SECONDS, "the machine to boot")

    def reboot(self):
        before = self.init
        self.run("systemctl", "reboot", check=False)
        wait_until(lambda: self.init not in (None, before), BOOT_SECONDS,
                   "another PID 1")
