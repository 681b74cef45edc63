#!/usr/bin/python3
"""testssl.sh looks for what is wrong with the site's TLS, as it comes (Mozilla's
"intermediate") and with the line for TLS 1.3 only ("modern"): nothing may be, down to
LOW, but what is the certificate's or OpenSSL's, and the grade is the best one.

    TESTSSL=/path/to/testssl.sh tests/accept/tls.py    by itself; else a part of
                                                       `make accept`

The certificate is the one that acme.py has got.
"""

import json
import os
import ssl
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
# What is the certificate's or the library's, and the reason; nothing else may be
# found.
ALLOWED = {
    "cert_extlifeSpan": "the authority of the test gives five years",
    "cert_revocation": "that authority has neither lists nor OCSP",
}
if ssl.OPENSSL_VERSION_INFO < (3, 5):  # as in Debian 12
    ALLOWED["FS_KEMs"] = "it knows no hybrids with ML-KEM"
# What the scanner says that it could not try (WARN), and the reason.
NOT_TRIED = {
    "engine_problem": "the scanner's own OpenSSL has no GOST",
    "NPN": "with TLS 1.3 only there is none",
    "QUIC": "HTTP/3, which nobody offers",
    "sessionresumption_ticket": "it takes it for a connection that failed that "
                                "there are none",
}
GRADE, SCORE = "A+", 96
# A scan that has seen these has seen the rest.
SEEN = {"TLS1_2", "TLS1_3", "HSTS_time", "cert_chain_of_trust", "BREACH",
        "LUCKY13", "RC4"}


def scan(stack, directory, name, root):
    """All that it found: a list of its JSON."""
    path = os.path.join(directory, name + ".json")
    done = subprocess.run(
        [os.environ["TESTSSL"], "--quiet", "--color", "0",
         "--warnings", "batch", "--nodns", "none", "--ip", ADDRESS,
         "--add-ca", root, "--jsonfile", path, f"{acme.NAME}:{stack.port}"],
        check=False, timeout=LIMIT_S, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with open(path, encoding="utf-8") as file:
        findings = json.load(file)
    missing = SEEN - {one["id"] for one in findings}
    assert not missing, (name, "was not looked at", missing, done.stdout)
    return findings


def judge(name, findings, has_tls12):
    wrong = [f"{one['severity']} {one['id']}: {one['finding']}"
             for one in findings if one["severity"] not in HARMLESS
             and one["id"] not in (
                 NOT_TRIED if one["severity"] == "WARN" else ALLOWED)]
    assert not wrong, "\n".join([name, *wrong])
    offered = {one["id"]: one["finding"].startswith("offered")
               for one in findings if one["id"] in ("TLS1_2", "TLS1_3")}
    assert offered == {"TLS1_2": has_tls12, "TLS1_3": True}, offered
    said = {one["id"]: one["finding"] for one in findings}
    grade, score = said["overall_grade"], int(said["final_score"])
    assert grade == GRADE and score >= SCORE, (name, grade, score)
    print(f"ok  testssl.sh, {name}: {len(findings)} findings, none to mend, "
          f"{grade}, {score}")


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
