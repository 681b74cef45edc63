"""The operator's program itself: how it is asked, and that what it printed has
arrived."""

import os
import subprocess

import pytest

from env.process import ENVIRONMENT
from helpers import ROOT


@pytest.fixture
def waybill(request):
    """A function that runs it: its status, stdout and stderr."""
    program = os.path.join(ROOT, request.config.getoption("--build"), "waybill")

    def run(*words, stdout=subprocess.PIPE, **environment):
        return subprocess.run(
            [program, *words], env={**ENVIRONMENT, **environment}, text=True,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
            check=False, timeout=20)

    return run


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["help"],
                                   ["-c", "/dev/null", "help"]])
def test_help_is_given(waybill, words):
    done = waybill(*words)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("usage: waybill [-c FILE] COMMAND\n")
    assert "\n  migrate " in done.stdout and "Exit status: " in done.stdout


@pytest.mark.parametrize("words,says", [
    ([], "usage: waybill"),
    (["-c"], "requires an argument"),
    (["--what"], "unrecognized option"),
    (["nothing", "more"], "waybill: there is no command nothing\n\nusage:"),
    (["version", "more"], "usage: waybill")])
def test_who_asks_wrongly_is_shown_how(waybill, words, says):
    done = waybill(*words)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr and "usage: waybill" in done.stderr


def test_a_word_behind_an_unknown_option_is_no_command(waybill):
    done = waybill("--what", "version")
    assert done.returncode == 2 and "there is no command" not in done.stderr


def test_a_configuration_that_is_not_there(waybill):
    done = waybill("-c", "/no/such/file", "config")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == ("waybill: /no/such/file: cannot be read: "
                           "No such file or directory\n")
    # Who needs none is not kept back.
    assert waybill("-c", "/no/such/file", "version").returncode == 0


@pytest.mark.parametrize("words", [["version"], ["help"], ["-h"], ["config"],
                                   ["config", "WORKERS"]])
def test_what_did_not_arrive_was_not_done(waybill, words):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = waybill("-c", "/dev/null", *words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "waybill: No space left on device\n"


def test_what_failed_anyway_is_not_told_twice(waybill):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = waybill("-c", "/dev/null", "config", "DATABASE_URL",
                       stdout=full)
    assert done.returncode == 1 and done.stderr == ""
