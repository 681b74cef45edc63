#!/usr/bin/python3
"""testssl.sh looks for what is wrong with the site's TLS, as it comes and with the
line for TLS 1.3 only: nothing may be, down to LOW, but what is not the site's.

    tests/accept/tls.py      by itself; else a part of `make accept`

The certificate is the one that acme.py has got.  Debian's testssl.sh gives no grade;
a later one does: TESTSSL=/path/to/testssl.sh tests/accept/tls.py
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [path for path in [os.path.dirname(HERE)]
                if path not in sys.path]

import acme  # noqa: E402: the path comes first
from env.nginx import ADDRESS  # noqa: E402
from env.stack import Stack  # noqa: E402

LIMIT_S = 1800  # a minute where nobody else computes

HARMLESS = ("OK", "INFO", "DEBUG")
# What is not to be mended in the site, and why.
ALLOWED = {
    "cert_validityPeriod": "the authority of the test gives five years",
    "cert_extlifeSpan": "the same, as later versions call it",
    "cert_revocation": "that authority has neither lists nor OCSP",
    "cipher_order": "the client may choose, as the profile has it: all are "
                    "strong, and not every client has AES in its processor; "
                    "later versions do not mind",
    "FS_KEMs": "hybrids with ML-KEM need OpenSSL 3.5, Debian 12 has 3.0",
    "engine_problem": "the scanner's own OpenSSL has no GOST",
    "NPN": "with TLS 1.3 only there is none, which a later version warns of",
    "QUIC": "the same cannot try HTTP/3, which nobody offers",
    "sessionresumption_ticket": "a later version takes it for a connection that "
                                "failed that there are none",
}
# A scan that has seen these has seen the rest.
SEEN = {"TLS1_2", "TLS1_3", "HSTS_time", "cert_chain_of_trust", "BREACH",
        "LUCKY13", "RC4"}


def scan(stack, directory, name, root):
    """All that it found: a list of its JSON."""
    path = os.path.join(directory, name + ".json")
    subprocess.run(
        [os.environ.get("TESTSSL", "testssl"), "--quiet", "--color", "0",
         "--warnings", "batch", "--nodns", "none", "--ip", ADDRESS,
         "--add-ca", root, "--jsonfile", path, f"{acme.NAME}:{stack.port}"],
        check=False, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def judge(name, findings, has_tls12):
    missing = SEEN - {one["id"] for one in findings}
    assert not missing, (name, "was not looked at", missing)
    wrong = [f"{one['severity']} {one['id']}: {one['finding']}"
             for one in findings if one["severity"] not in HARMLESS
             and one["id"] not in ALLOWED]
    assert not wrong, "\n".join([name, *wrong])
    offered = {one["id"]: one["finding"].startswith("offered")
               for one in findings if one["id"] in ("TLS1_2", "TLS1_3")}
    assert offered == {"TLS1_2": has_tls12, "TLS1_3": True}, offered
    grades = {one["id"]: one["finding"] for one in findings
              if one["id"] in ("overall_grade", "final_score")}
    print(f"ok  testssl.sh, {name}: {len(findings)} findings, none to mend",
          *(f"{key}={value}" for key, value in grades.items()))


def check(stack, directory, root):
    judge("as it comes", scan(stack, directory, "intermediate", root), True)
    acme.edit_site(stack, [(r"#(ssl_conf_command MinProtocol)", r"\1")])
    judge("TLS 1.3 only", scan(stack, directory, "modern", root), False)


def main():
    with tempfile.TemporaryDirectory(prefix="waybill-accept-") as directory, \
            Stack(os.path.join(directory, "stack")) as stack:
        check(stack, directory, acme.check(stack, directory))


if __name__ == "__main__":
    main()
