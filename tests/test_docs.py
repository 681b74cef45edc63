"""The documents say what the programs say: messages, alerts, checks, links."""

import glob
import os
import re

import pytest

from helpers import ROOT


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


@pytest.fixture(scope="module")
def told():
    """All that the programs can say, what they fill in as "..."."""
    text = ""
    for pattern in ("*/*.c", "*/*.h", "nginx/*", "sql/*/*.sql",
                    "web/dashboard/*.js", "debian/postinst"):
        for path in glob.glob(os.path.join(ROOT, pattern)):
            with open(path, encoding="utf-8") as file:
                text += file.read()
    text = re.sub(r"\"\s*\n\s*\"|'\s*\n\s*\+ '", "", text)  # one literal
    text = re.sub(r"%[-.*0-9]*l{0,2}z?[sdufcxo]|\$\{[^}]*\}", "...", text)
    return text.replace('\\"', '"').replace("\\'", "'")


def rows(text):
    """The first cells of its tables."""
    return [re.split(r"(?<!\\)\|", line)[1] for line in text.splitlines()
            if line.startswith("| ") and not line.startswith("| seen")]


# What others say: libpq, the system, nginx.
FOREIGN = ("connection to server on socket", "Connection refused", "Peer authentication failed",
           "too many clients", "remaining connection slots",
           'role "..." does not exist', 'database "..." does not exist',
           'schema "api" does not exist', "Permission denied",
           "No such file or directory", "worker_connections are not enough")


def messages(cell):
    return [text for text in re.findall(r"`([^`]+)`", cell)
            if not re.match(r"\[|Waybill[A-Z]|waybill webhook test$|"
                            r"X-Waybill", text) and text not in FOREIGN]


def test_every_message_is_one(told):
    found = [text for cell in rows(read("docs", "troubleshooting.md"))
             for text in messages(cell)]
    assert len(found) > 80
    bare = [text.removeprefix("waybill: ") for text in found]
    assert [text for text in bare if text not in told] == []


def test_the_messages_of_an_upgrade_are_ours(told):
    text = read("docs", "upgrade.md")
    for message in ("this version has other SQL",
                    "this version refuses the configuration",
                    "this program is not for this database",
                    "applied, but this program does not have it",
                    "edited after it was applied",
                    "nothing was changed",
                    "the functions and views are not those of this program"):
        assert message in text.replace("\n", " ") and message in told, message


def test_every_alert_has_its_place():
    alerts = re.findall(r"alert: (\w+)", read("monitoring",
                                              "waybill.rules.yml"))
    assert len(alerts) > 40
    for name in ("troubleshooting.md", "monitoring.md"):
        text = read("docs", name)
        assert set(re.findall(r"`(Waybill[A-Z]\w+)`", text)) == set(alerts), name


def test_every_check_has_its_place():
    table = re.search(r"\} checks\[\] = \{(.*?)\n\};", read("ctl", "check.c"),
                      re.S)[1]
    names = set(re.findall(r'\{ "([^"]+)"', table))
    assert len(names) > 20
    text = read("docs", "troubleshooting.md")
    assert set(re.findall(r"`\[([a-z A-Z]+)\]`", text)) - {"name"} == names


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", ["README.md", "SECURITY.md", *(
    os.path.join("docs", one) for one in sorted(os.listdir(
        os.path.join(ROOT, "docs"))))])
def test_links_and_files_exist(name):
    text = read(name)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, part = target.partition("#")
        if path.startswith("http"):
            continue
        there = os.path.normpath(os.path.join(os.path.dirname(name), path)) \
            if path else name
        assert os.path.exists(os.path.join(ROOT, there)), target
        if part:
            assert part in [anchor(one) for one in re.findall(
                r"^#+ (.*)$", read(there), re.M)], target
    for path in re.findall(
            r"`((?:docs|fcgi|shared|ctl|sql|nginx|systemd|tests|monitoring"
            r"|backup|debian|web|man)/[\w./@-]*)`", text):
        assert os.path.exists(os.path.join(ROOT, path)), (name, path)
