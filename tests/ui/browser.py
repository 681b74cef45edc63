"""A browser that looks at the page, and answers that are put in its way.

What must stay true: nothing sleeps, everything waits for a condition; whatever the
page asks for can be answered here, so that each state can be looked at on any
gateway, and the sign-in is always the gateway's own.
"""

import json
import os

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import answers
from env.wait import wait_until

LIMIT_S = 10
CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"

# Stands between the page and the gateway.  rules: [[a path's beginning, answer]],
# the first that fits; an answer: {data}, {status, error}, {fails}, {as: real}.
STUB = """
(() => {
    const real = window.fetch;
    const pending = new Set();
    const setReal = window.setTimeout;
    const clearReal = window.clearTimeout;
    const stub = window.stub = { rules: %s, asked: [], violations: [], pending,
        shifts: [], isHidden: false };
    document.addEventListener('securitypolicyviolation', (event) =>
        stub.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    const name = (node) => {
        const one = node?.nodeType === 1 ? node : node?.parentElement;
        const table = one?.closest('tbody')?.closest('[id]');
        return table ? `row of ${table.id}` : `${one?.tagName}#${one?.id}.${one?.className}`;
    };
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
        if (!entry.hadRecentInput)
            stub.shifts.push([entry.value, entry.sources.map((one) => name(one.node))]);
    })).observe({ type: 'layout-shift', buffered: true });
    Object.defineProperty(document, 'hidden', { get: () => stub.isHidden });
    stub.hide = (isHidden) => {
        stub.isHidden = isHidden;
        document.dispatchEvent(new Event('visibilitychange'));
    };
    window.setTimeout = (what, after, ...rest) => {
        const id = setReal(() => {
            pending.delete(id);
            what(...rest);
        }, after);
        pending.add(id);
        return id;
    };
    window.clearTimeout = (id) => {
        pending.delete(id);
        clearReal(id);
    };
    window.fetch = async (path, options = {}) => {
        const headers = new Headers(options.headers);
        const call = { path: String(path), method: options.method ?? 'GET',
            match: headers.get('If-None-Match'), status: null };
        stub.asked.push(call);
        const rule = stub.rules.find(([start]) => call.path.startsWith(start))?.[1];
        if (!rule || rule.as === 'real') {
            const answer = await real(path, options);
            call.status = answer.status;
            return answer;
        }
        if (rule.fails)
            throw new TypeError('Failed to fetch');
        call.status = rule.status ?? 200;
        const body = JSON.stringify(call.status < 400
            ? { status: 'success', data: rule.data }
            : { status: 'error', error: { code: 'MADE', message: 'Made for a test.',
                errors: [] }, request_id: 'made' });
        const tag = `"${[...body].reduce(
            (sum, one) => (sum * 31 + one.codePointAt(0)) | 0, 7)}"`;
        if (call.status === 200 && call.match === tag)
            call.status = 304;
        return new Response(call.status === 304 ? null : body,
            { status: call.status, headers: { ETag: tag } });
    };
})();
"""

# Every element that is shown and has more in it than room for it.
OVERFLOWING = """
return [...document.querySelectorAll('body, body *')].filter((one) => {
    const style = getComputedStyle(one);
    if (style.display === 'inline' || style.visibility === 'hidden'
        || style.display === 'none' || one.clientWidth === 0
        || one.closest('.unseen, svg, canvas, option, thead')
        || one.matches('.scroll, input, select') || style.textOverflow === 'ellipsis')
        return false;
    return one.scrollWidth > one.clientWidth + 1;
}).map((one) => `${one.tagName}#${one.id}.${one.className} ${one.scrollWidth} in ${
    one.clientWidth}: ${one.textContent.trim().slice(0, 60)}`);
"""

SIDEWAYS = """
const root = document.scrollingElement;
return Math.max(root.scrollWidth, document.body.scrollWidth) - innerWidth;
"""


def answers_of(data=None, shipments=None, events=None, ledger=None):
    """Rules for all that the page asks for, of made answers."""
    data = answers.dashboard() if data is None else data
    if shipments is None:
        shipments = [answers.shipment(number) for number in range(60)]
    if events is None:
        events = [answers.event(number, shipments[number])
                  for number in range(min(20, len(shipments)))]
    ledger = answers.completeness() if ledger is None else ledger
    late = [one for one in shipments if one["status"] == "in_transit"]
    late = [one | {"promised_at": answers.ago(days=2 + number)}
            for number, one in enumerate(late)]
    failed = [one for one in shipments if one["status"] == "failure"]
    listed = answers.page("shipments", shipments, total=len(shipments))
    return [["/db/analytics/dashboard", {"data": data}],
            ["/db/shipments?limit=8&late", {"data": answers.page("shipments", late)}],
            ["/db/shipments?limit=8&failed", {"data": answers.page("shipments", failed)}],
            ["/db/shipments?", {"data": listed}],
            *[[f"/db/shipments/{one['id']}", {"data": answers.detail(one)}]
              for one in shipments],
            ["/db/shipments/", {"status": 404}],
            ["/db/events", {"data": answers.page("events", events)}],
            ["/health", {"data": answers.health()}],
            ["/db/completeness", {"data": ledger}]]


def start(profile, language="en-US"):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", f"--lang={language}", f"--user-data-dir={profile}"):
        options.add_argument(word)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # it refuses to start as root with one
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.accept_insecure_certs = True
    return webdriver.Chrome(service=Service(DRIVER), options=options)


class Page:
    """The dashboard as a person sees it."""

    def __init__(self, driver, url, key):
        self.driver = driver
        self.url = url
        self.key = key
        self.rules = []
        self.script = None
        self.statuses = {401}  # refusals that a test expects
        driver.get("about:blank")
        driver.get_log("browser")
        self.resize(1280, 900)

    def close(self):
        if self.script:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument",
                                        {"identifier": self.script})
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin",
                                    {"origin": self.url, "storageTypes": "all"})
        self.driver.delete_all_cookies()
        self.driver.get("about:blank")
        self.driver.get_log("browser")

    # --- what it asks for ---------------------------------------------------------

    def answer_with(self, rules):
        """From the next load on, and at once when the page is there."""
        self.rules = rules
        if self.script:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument",
                                        {"identifier": self.script})
        self.script = self.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument",
            {"source": STUB % json.dumps(rules)})["identifier"]
        self.run("if (window.stub) window.stub.rules = arguments[0]", rules)

    def asked(self, start=""):
        return [one for one in self.run("return window.stub.asked")
                if one["path"].startswith(start)]

    def run(self, script, *words):
        return self.driver.execute_script(script, *words)

    # --- going somewhere -------------------------------------------------------------

    def open(self, rest=""):
        if not self.script:
            self.answer_with([])
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/dashboard/{rest}")

    def sign_in(self, key=None, rest=""):
        self.open(rest)
        self.wait(lambda: self.run("return document.getElementById('sign-in').open"),
                  "the form")
        self.fill_key(key or self.key)
        if key is None:
            self.wait_drawn()

    def fill_key(self, key):
        field = self.find("#key")
        field.clear()
        field.send_keys(key)
        field.send_keys(Keys.ENTER)

    def wait_drawn(self):
        self.wait(lambda: self.text("#connection-text") == "Live"
                  and not self.has(".unread")
                  and self.text("#tile-cost + *, #tiles .value") is not None
                  and self.text("#carriers"), "the figures")

    def resize(self, width, height, scheme="light"):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}]})

    def set_zone(self, zone):
        """Where the visitor lives; "" is where this machine is."""
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})

    def set_media(self, media):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})

    # --- looking ------------------------------------------------------------------------

    def shifts(self):
        """[how far, what] has moved by itself since the page was opened."""
        return self.run("return window.stub.shifts")

    def boxes(self, selector):
        return self.run("""return [...document.querySelectorAll(arguments[0])].map((one) => {
            const { x, y, width, height } = one.getBoundingClientRect();
            return [one.id || one.className, x, y, width, height];
        })""", selector)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def has(self, selector):
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def is_open(self, name):
        return self.run("return document.getElementById(arguments[0]).open", name)

    def text(self, selector):
        """What is shown there; None when nothing is."""
        return self.run("return document.querySelector(arguments[0])?.innerText",
                        selector)

    def tile(self, name):
        """The value of a figure."""
        return self.run("return document.getElementById(`tile-${arguments[0]}`)"
                        ".closest('.tile').querySelector('.value').innerText", name)

    def about(self, name):
        return self.run("return document.getElementById(`tile-${arguments[0]}`)"
                        ".closest('.tile').querySelector('.about').innerText", name)

    def wait(self, condition, what, limit_s=LIMIT_S):
        def look():
            try:
                return condition()
            except StaleElementReferenceException:
                return False
        return wait_until(look, limit_s, what)

    # --- judging ---------------------------------------------------------------------------

    def assert_quiet(self):
        """Nothing on the console, no violation of the content policy."""
        violations = self.run("return window.stub?.violations ?? []")
        assert not violations, violations
        loud = [line["message"] for line in self.driver.get_log("browser")
                if not any(f"status of {status}" in line["message"]
                            for status in self.statuses)]
        assert not loud, loud

    def assert_fits(self):
        overflowing = self.run(OVERFLOWING)
        assert not overflowing, "\n".join(overflowing[:10])
        assert self.run(SIDEWAYS) <= 0
