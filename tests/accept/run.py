#!/usr/bin/python3
"""`make accept`: what others wrote judges us: two linters the contract, the
official client for Node.js, curl and Prometheus a stack, axe the page, certbot the
way to a certificate, testssl.sh the site that has it.

Needs npm, apt and the network, therefore not a part of `make test`.  What
package.json names is installed into a directory that is gone afterwards.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE),
                os.path.join(os.path.dirname(HERE), "ui")]

import acme  # noqa: E402: the path comes first
import answers  # noqa: E402
import browser  # noqa: E402
import prometheus  # noqa: E402
import tls  # noqa: E402
from env.stack import Stack  # noqa: E402
from contract import SERVED  # noqa: E402
from helpers import setting  # noqa: E402

SECRET = "s\u00e9cret"
ADDRESS = json.dumps({"address": {
    "name": "Jack Sparrow", "street1": "388 Townsend St",
    "city": "San Francisco", "state": "CA", "zip": "94107", "country": "US"}})


def curl(stack, *words):
    """Status and body, as a person at a terminal would see them."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", stack.ca,
         "--write-out", "\n%{http_code}", *words],
        capture_output=True, text=True, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def check_curl(stack, key, name):
    """The same call with both kinds of credentials."""
    for kind, words in (("Basic", ["--user", key + ":"]),
                        ("Bearer", ["--oauth2-bearer", key])):
        status, body = curl(
            stack, *words, "--header", "Content-Type: application/json",
            "--data", ADDRESS, stack.url + "/v2/addresses")
        assert status == 201, (status, body)
        own = json.loads(body)["id"]
        status, again = curl(stack, *words, f"{stack.url}/v2/addresses/{own}")
        assert (status, again) == (200, body)
        status, body = curl(stack, *words, stack.url + "/v2/shipments/shp_no")
        assert status == 404, (status, body)
        assert json.loads(body)["error"]["code"] == "NOT_FOUND"
        print(f"ok  curl, {kind}, {name}")


def check_metrics(stack, promtool):
    """Names, types and words as Prometheus wants them."""
    status, body = curl(stack, "--oauth2-bearer", stack.key,
                        stack.url + "/metrics")
    assert status == 200, (status, body)
    done = subprocess.run([promtool, "check", "metrics"], check=False,
                          input=body, text=True, capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    print("ok  promtool check metrics")


def check_contract(modules):
    """Whatever they find, however small, is an error."""
    for words in (["redocly", "lint", "--config", f"{HERE}/redocly.yaml"],
                  ["spectral", "lint", "--ruleset", f"{HERE}/spectral.yaml",
                   "--fail-severity", "hint"]):
        subprocess.run([f"{modules}/.bin/{words[0]}", *words[1:], SERVED],
                       check=True)
        print(f"ok  the contract, {words[0]}")


AXE = """
const done = arguments[0];
axe.run(document, { resultTypes: ['violations'] }).then(
    (found) => done(found.violations.map((one) => `${one.id}: ${one.help}: ${
        one.nodes.map((node) => node.html).join(' ')}`)),
    (error) => done([String(error)]));
"""


def sign_in_form(page):
    page.open()
    page.wait(lambda: page.is_open("sign-in"), "the form")


def figures(*rules, rest=""):
    def reach(page):
        page.answer_with(browser.answers_of(*rules))
        page.sign_in(rest=rest)
    return reach


def a_list(page):
    figures(rest="#list&status=failure")(page)
    page.wait(lambda: page.has("#list-rows tbody tr"), "the list")


def an_empty_list(page):
    figures(answers.nothing(), [], rest="#list")(page)
    page.wait(lambda: "No shipment fits" in page.text("#list-rows"), "the list")


def a_shipment(page):
    figures(rest=f"#shipment={answers.shipment(0)['id']}")(page)
    page.wait(lambda: page.has(".timeline li"), "the shipment")


def lost(page):
    figures()(page)
    page.answer_with([["/", {"fails": True}], *page.rules])
    page.wait(lambda: "Connection lost" in page.text("#connection-text"), "the loss")


def open_tables(page):
    figures()(page)
    for name in ("volume", "cost"):
        page.find(f"#{name}-table summary").click()
        page.wait(lambda name=name: page.has(f"#{name}-table tbody tr"), "the table")


STATES = {
    "sign-in": sign_in_form, "figures": figures(), "unknown": figures(answers.unknown()),
    "two currencies": figures(answers.dashboard(currencies=("USD", "EUR"))),
    "nothing": figures(answers.nothing(), []), "a list": a_list,
    "an empty list": an_empty_list, "a shipment": a_shipment, "lost": lost,
    "open tables": open_tables,
}


def check_page(stack, modules, directory):
    """What axe finds in each state of the page, light and dark, wide and narrow."""
    with open(os.path.join(modules, "axe-core", "axe.min.js"),
              encoding="utf-8") as file:
        axe = file.read()
    driver = browser.start(os.path.join(directory, "chromium"))
    driver.set_script_timeout(60)
    try:
        def judge(page, state, width, scheme):
            page.resize(width, 900, scheme)
            driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
            found = driver.execute_async_script(AXE)
            assert found == [], (state, width, scheme, found)

        for state, reach in STATES.items():
            page = browser.Page(driver, stack.url, stack.key)
            reach(page)
            for width in (390, 1280):
                for scheme in ("light", "dark"):
                    judge(page, state, width, scheme)
            page.close()
    finally:
        driver.quit()
    print("ok  the page, axe")


def main():
    with tempfile.TemporaryDirectory(prefix="waybill-accept-") as directory:
        shutil.copy(os.path.join(HERE, "package.json"), directory)
        subprocess.run(["npm", "install", "--silent", "--no-save",
                        "--prefix", directory], check=True)
        check_contract(os.path.join(directory, "node_modules"))
        with Stack(os.path.join(directory, "stack"), conf={
                "EASYPOST_WEBHOOK_SECRET": SECRET}) as stack:
            easypost = setting(stack, "EASYPOST_TEST_API_KEY")
            done = subprocess.run(
                ["node", os.path.join(HERE, "accept.mjs")], check=False,
                env={**os.environ, "NODE_EXTRA_CA_CERTS": stack.ca,
                     "MODULES": directory, "WAYBILL_URL": stack.url,
                     "WAYBILL_KEY": stack.key, "EASYPOST_KEY": easypost})
            if done.returncode:
                return done.returncode
            check_curl(stack, stack.key, "gateway key")
            check_curl(stack, easypost, "EasyPost key")
            check_metrics(stack, prometheus.check(stack, directory))
            check_page(stack, os.path.join(directory, "node_modules"),
                       directory)
            # last: the name and the certificate are others then
            tls.check(stack, directory, acme.check(stack, directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
