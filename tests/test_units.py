"""What no analysis of the units sees."""

import glob
import os
import re

import pytest

from helpers import ROOT

OTHER_USERS = [path for path in glob.glob(
    os.path.join(ROOT, "systemd", "*.service.d", "*.conf"))
    if re.search("(?m)^User=(?!waybill$)", open(path, encoding="utf-8").read())]


@pytest.mark.parametrize("path", OTHER_USERS, ids=os.path.basename)
def test_the_ipc_of_another_user_is_not_removed(path):
    """The sandbox of all units has RemoveIPC=yes: at the end of a service that
    runs as postgres that would take the server's shared memory away."""
    with open(path, encoding="utf-8") as file:
        assert re.search("(?m)^RemoveIPC=no$", file.read())


def test_there_is_such_a_unit():
    assert OTHER_USERS
