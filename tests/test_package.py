"""The Debian package: what is in it, what its scripts do, and that its pages and
its completion know every command and key.

It is built once, of the objects that are there already; nothing is installed.
"""

import os
import re
import shutil
import subprocess

import pytest

from helpers import ROOT

PARTS = ["Makefile", "README.md", "SECURITY.md", "VERSION", "backup", "ctl",
         "debian", "docs", "fcgi", "man", "monitoring", "nginx", "shared", "sql",
         "systemd", "web"]
OBJECTS = ["ctl", "fcgi", "shared"]
UNITS = "lib/systemd/system"
STARTED = [f"waybill-{name}" for name in (
    "jobs.service", "read.service", "read.socket", "upstream.service",
    "upstream.socket", "webhook.service", "webhook.socket", "refresh.timer",
    "reconcile.timer", "backup-diff.timer", "backup-full.timer")]


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          timeout=170, **options)
    assert done.returncode == 0, (words, done.stdout[-3000:], done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def package(request, tmp_path_factory):
    """The path of the package."""
    if request.config.getoption("--build") != "build":
        pytest.skip("the package holds the ordinary build")
    source = tmp_path_factory.mktemp("package") / "source"
    (source / "build").mkdir(parents=True)
    for part in PARTS:
        run("cp", "-a", os.path.join(ROOT, part), source)
    for part in OBJECTS:
        run("cp", "-a", os.path.join(ROOT, "build", part), source / "build")
    run("debian/rules", "binary", cwd=source,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
             "DEB_BUILD_OPTIONS": "noautodbgsym"})
    found, = (source.parent).glob("waybill_*.deb")
    return found


@pytest.fixture(scope="module")
def files(package):
    """Mode, owner and link by path."""
    found = {}
    for line in run("dpkg-deb", "-c", package).splitlines():
        mode, owner, _, _, _, path = line.split(None, 5)
        found[path.removeprefix("./")] = (mode, owner)
    return found


@pytest.fixture(scope="module")
def scripts(package):
    """The scripts of the maintainer and what else is beside the files."""
    folder = package.parent / "control"
    run("dpkg-deb", "-e", package, folder)
    return {path.name: path.read_text() for path in folder.iterdir()}


# --- the package -----------------------------------------------------------------


@pytest.mark.skipif(shutil.which("lintian") is None, reason="no lintian")
def test_lintian_has_nothing_to_say(package):
    assert run("lintian", "--allow-root", "--fail-on", "error,warning",
               package) == ""


def test_its_version_is_that_of_the_program(package):
    assert run("dpkg-deb", "-f", package, "Version").strip() \
        == read("VERSION").strip()


def test_it_depends_on_what_it_uses(package):
    needed = run("dpkg-deb", "-f", package, "Depends")
    for name in ("libfcgi0ldbl", "libpq5", "libcurl4", "libssl3",
                 "libutf8proc2", "libjansson4", "libxxhash0", "libc6", "nginx",
                 "ca-certificates", "procps", "systemd"):
        assert re.search(rf"(^|, ){name}( \(|,|$)", needed), (name, needed)
    assert "postgresql" in run("dpkg-deb", "-f", package, "Recommends")
    assert "postgresql" not in needed  # which may be on another host


def test_what_is_in_it(files):
    for path in files:
        assert files[path][1] == "root/root", path
        assert files[path][0][5] != "w" and files[path][0][8] != "w", path
    for name in ("waybill", "waybill-fcgi"):
        assert files[f"usr/bin/{name}"][0] == "-rwxr-xr-x"
    for name in os.listdir(os.path.join(ROOT, "systemd")):
        if name.endswith((".service", ".socket", ".timer")):
            assert f"{UNITS}/{name}" in files
    assert f"{UNITS}/waybill-.service.d/00-sandbox.conf" in files
    for path in ("lib/sysusers.d/waybill.conf", "lib/tmpfiles.d/waybill.conf",
                 "share/bash-completion/completions/waybill",
                 "share/man/man8/waybill.8.gz",
                 "share/man/man8/waybill-fcgi.8.gz",
                 "share/man/man5/waybill.conf.5.gz",
                 "share/waybill/web/openapi.json",
                 "share/waybill/web/dashboard/index.html",
                 "share/waybill/nginx/waybill-server.conf",
                 "share/waybill/systemd/database-network.conf",
                 "share/doc/waybill/docs/troubleshooting.md.gz"):
        assert f"usr/{path}" in files
    sql = {path.removeprefix("usr/share/waybill/") for path in files
           if path.endswith(".sql")}
    assert sql == {os.path.relpath(os.path.join(folder, name), ROOT)
                   for folder, _, names in os.walk(os.path.join(ROOT, "sql"))
                   for name in names}
    assert not [path for path in files if "sites-enabled" in path]
    assert not [path for path in files if path.startswith("etc/nginx/conf.d")]


def test_the_operators_files_are_kept(scripts):
    assert set(scripts["conffiles"].split()) == {
        "/etc/waybill/waybill.conf", "/etc/nginx/sites-available/waybill"}


def test_programs_and_files_are_found_where_they_are(package):
    folder = package.parent / "files"
    run("dpkg-deb", "-x", package, folder)
    for unit in (folder / UNITS).glob("*.service"):
        for program in re.findall(r"^Exec\w+=(\S+)", unit.read_text(), re.M):
            if program.startswith("/usr/bin/waybill"):
                assert (folder / program[1:]).exists(), (unit, program)
    site = (folder / "etc/nginx/sites-available/waybill").read_text()
    parts = list((folder / "usr/share/waybill/nginx").iterdir())
    for text in [site] + [path.read_text() for path in parts]:
        assert not re.search(r"@[A-Z0-9_]+@", text)
        for path in re.findall(r"^ *(?:include|root) (\S+);", text, re.M):
            # the second is nginx's own
            assert (folder / path[1:]).exists() or path == "/var/www/html", path
    # Nothing in it is set: an upgrade then never changes what somebody set.
    conf = (folder / "etc/waybill/waybill.conf").read_text()
    assert not [line for line in conf.splitlines()
                if line and not line.startswith("#")]


def test_all_units_are_started_and_none_is_restarted(scripts):
    for unit in STARTED:
        assert f"was-enabled '{unit}'" in scripts["postinst"], unit
        assert re.search(rf"invoke start .*'{unit}'", scripts["postinst"])
        assert re.search(rf"invoke stop .*'{unit}'", scripts["prerm"])
    # A socket that is closed refuses what comes meanwhile.
    assert '"$1" = remove' in scripts["prerm"]
    assert not re.search(r"restart[^\n]*\.(socket|timer)", scripts["postinst"])


def test_users_come_before_their_files_and_these_before_the_services(scripts):
    order = [scripts["postinst"].index(word) for word in (
        "systemd-sysusers", "systemd-tmpfiles", "deb-systemd-invoke start",
        "if upgrade_services;")]
    assert order == sorted(order)


def test_secrets_and_spool_go_with_a_purge_only(scripts):
    remove, purge = re.search(r"\nremove\)\n(.*?);;\npurge\)\n(.*?);;",
                              scripts["postrm"], re.S).groups()
    assert "/etc/waybill" not in remove and "/var/lib" not in remove
    assert "/etc/waybill /var/lib/waybill" in purge
    for script in scripts.values():
        assert "postgresql/" not in script and "dropdb" not in script


# --- what cannot be forgotten ----------------------------------------------------


@pytest.fixture(scope="module")
def commands():
    """Each line of THE TABLE: name and usage."""
    table = re.search(r"commands\[\] = \{(.*?)\n\};", read("ctl", "main.c"),
                      re.S)[1]
    found = re.findall(r'\{ "(\w+)",\s*((?:"[^"]*"\s*)+),', table)
    assert len(found) > 10
    return [(name, re.sub(r"(\\n)?\s+", " ", re.sub(r'"\s*"', "", usage)
                          .strip('" \n'))) for name, usage in found]


def test_the_page_has_every_command(commands):
    page = [re.sub(r"[*_\\]", "", line)
            for line in read("man", "waybill.8.scd").splitlines()]
    for name, usage in commands:
        assert f"{name} {usage}".strip() in page, (name, usage)


def complete(*words):
    """What the completion offers for the last word."""
    script = (f'. {ROOT}/ctl/completion.bash; COMP_WORDS=("$@"); '
              'COMP_CWORD=$(($# - 1)); _waybill; '
              '[ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
    return set(run("bash", "-c", script, "bash", "waybill", *words).split())


def test_the_completion_has_every_command(commands):
    assert complete("") - {"-c"} == {name for name, _ in commands}
    for name, usage in commands:
        first = usage.split()[0] if usage else ""
        wanted = re.findall(r"--[a-z-]+", usage)
        if re.fullmatch(r"\[?[a-z|]+\]?", first):
            words = first.strip("[]").split("|")
            assert set(words) <= complete(name, ""), (name, usage)
            given = (name, words[0], "--") if len(words) == 1 else (name, "--")
        else:
            given = (name, "--")
        assert set(wanted) <= complete(*given), (name, usage)
    assert complete("mig") == {"migrate"}
    assert complete("-c", "/x", "key", "l") == {"limit", "list"}
    assert complete("report", "--mode", "") == {"test", "production"}


def test_the_shipped_file_and_so_its_page_have_every_key():
    table = re.search(r"setting keys\[\] = \{(.*?)\n\};",
                      read("shared", "conf.c"), re.S)[1]
    rows = re.findall(r'\{ "([A-Z_]+)", \w+, AT\([\w.]+\), "([^"]*)".*?'
                      r'(?:"([A-Z_]+)"|NULL) \}', table)
    assert len(rows) == table.count("{ ")
    shipped = read("systemd", "waybill.conf")
    assert dict(re.findall(r"^#([A-Z_]+)=(.*)$", shipped, re.M)) == {
        name: default for name, default, _ in rows}
    for _, _, alias in rows:
        assert not alias or alias in shipped, alias
    page = run("awk", "-f", f"{ROOT}/man/conf.awk",
               f"{ROOT}/systemd/waybill.conf").replace("\\", "")
    for name, default, _ in rows:
        assert f"*{name}=*{default}" in page, name


def test_the_pages_are_well_formed(tmp_path):
    sources = {name: read("man", name) for name in os.listdir(
        os.path.join(ROOT, "man")) if name.endswith(".scd")}
    sources["waybill.conf.5"] = run("awk", "-f", f"{ROOT}/man/conf.awk",
                                    f"{ROOT}/systemd/waybill.conf")
    for name, text in sources.items():
        page = tmp_path / name
        page.write_text(run("scdoc", input=text))
        shown = subprocess.run(
            ["man", "--warnings", "-l", page], capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
            check=True, timeout=30)
        assert shown.stderr == "" and "NAME" in shown.stdout, name


# --- what the units ask ----------------------------------------------------------


@pytest.mark.parametrize("keys,environment,status", [
    (["DATABASE_URL"], {}, 1),
    (["DATABASE_URL"], {"DATABASE_URL": "postgresql:///x"}, 0),
    (["DATABASE_URL", "WORKERS"], {}, 0),
    (["DATABASE"], {}, 2),
    (["DATABASE_URL"], {"WORKERS": "none"}, 1)])
def test_whether_a_key_is_set(request, keys, environment, status):
    program = os.path.join(ROOT, request.config.getoption("--build"), "waybill")
    done = subprocess.run([program, "-c", "/dev/null", "config", *keys],
                          env=environment, capture_output=True, text=True,
                          check=False, timeout=20)
    assert done.returncode == status, done.stderr
    assert "postgresql:" not in done.stdout
    if status == 0:
        assert [line.partition("=")[0] for line in done.stdout.splitlines()] \
            == keys
