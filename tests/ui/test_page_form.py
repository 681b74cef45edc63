"""How the page looks: at each width, light and dark, on paper, for each visitor."""

import base64
import datetime
import itertools
import os
import re
import subprocess
import sys

import pytest
from selenium.webdriver.common.by import By

import answers
import browser
from fixtures import simulator
from helpers import ROOT, Client

WIDTHS = (390, 768, 1280, 1920)
SCREENSHOTS = os.path.join(ROOT, "build", "screenshots")
DEMO = os.path.join(ROOT, "tests", "sim", "demo.py")


def long_answers():
    shipments = [answers.shipment(number, is_long=True) for number in range(60)]
    return browser.answers_of(answers.dashboard(
        currencies=("USD", "EUR", "JPY"), volume=44000, is_long=True), shipments)


STATES = {
    "full": browser.answers_of,
    "year": lambda: browser.answers_of(answers.dashboard(365)),
    "long": long_answers,
    "unknown": lambda: browser.answers_of(answers.unknown()),
    "empty": lambda: browser.answers_of(answers.nothing(), [],
                                        ledger=answers.page("days", [])),
}


@pytest.mark.parametrize("state", STATES)
def test_nothing_overflows(page, state):
    page.resize(390, 844)
    page.answer_with(STATES[state]())
    page.open()
    page.wait(lambda: page.is_open("sign-in"), "the form")
    page.assert_fits()
    page.sign_in()
    for width, scheme in itertools.product(WIDTHS, ("light", "dark")):
        page.resize(width, 900, scheme)
        page.wait(lambda: page.run(
            "return document.getElementById('volume').clientWidth"
            " === document.querySelector('#volume .uplot')?.clientWidth"), "the chart")
        page.assert_fits()


@pytest.mark.parametrize("state", ["full", "long"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_panel_overflows(page, state, width):
    page.resize(width, 900)
    page.answer_with(STATES[state]())
    page.sign_in(rest="#list")
    page.wait(lambda: page.has("#list-rows tbody tr"), "the list")
    page.assert_fits()
    page.find("#list-rows tbody a").click()
    page.wait(lambda: page.has(".timeline li"), "the timeline")
    page.assert_fits()


@pytest.mark.parametrize("state", ["full", "empty"])
@pytest.mark.parametrize("width", (390, 1280, 1920))
def test_nothing_jumps(page, state, width):
    page.resize(width, 900)
    page.answer_with(STATES[state]())
    page.sign_in()
    page.open()
    page.wait_drawn()
    page.wait(lambda: page.text("#ledger") or page.text("#events"), "the rest")
    assert page.shifts() == []


@pytest.mark.parametrize("width", (390, 768, 1280, 1920))
def test_the_name_stands_still_while_the_rest_is_read(page, width):
    """A browser may draw what it has parsed: the name alone, of all that is on top."""
    page.resize(width, 900)
    page.answer_with(browser.answers_of())
    page.sign_in()
    whole = page.boxes(".top .home, .top .home img")
    page.run("document.querySelectorAll('.top > :not(.home)')"
             ".forEach((one) => one.remove())")
    assert page.boxes(".top .home, .top .home img") == whole


@pytest.mark.parametrize("width", (390, 900, 1280, 1920))
def test_signs_stand_still_while_others_change_their_words(page, width):
    """What is told last, and the minutes since the figures were compared."""
    page.resize(width, 900)
    page.answer_with(browser.answers_of())
    page.sign_in()
    page.wait(lambda: "days" in page.text("#sign-complete"), "the ledger")
    told = page.boxes(".strip, .signs, .signs li, .as-of")
    page.run("document.getElementById('sign-complete').textContent = 'Completeness –'")
    page.run("document.querySelector('#sign-refresh b').textContent = '9 min ago'")
    assert page.boxes(".strip, .signs, .signs li, .as-of") == told


def let_rows_arrive(page, width):
    page.resize(width, 900)
    page.answer_with(browser.answers_of())
    page.sign_in()
    page.wait(lambda: page.has("#failed tbody tr"), "the lists")
    assert page.shifts() == []
    boxes = page.boxes(".card, .tile, .strip, .strip *")
    shipments = [answers.shipment(number) for number in range(-3, 60)]
    events = [answers.event(-1 - number, shipments[number], f"Just now {number}")
              for number in range(3)] + [answers.event(number, shipments[number + 3])
                                         for number in range(17)]
    page.answer_with(browser.answers_of(None, shipments, events))
    page.wait(lambda: "Just now 2" in page.text("#events")
              and shipments[0]["tracking_code"] in page.text("#recent"), "the rows")
    return boxes


@pytest.mark.parametrize("width", (768, 1280, 1920))
def test_only_rows_make_room_for_new_ones(page, width):
    """Nothing else moves while they arrive; rows do, for the newest is on top."""
    boxes = let_rows_arrive(page, width)
    moved = {name for _, names in page.shifts() for name in names}
    assert moved <= {"row of recent", "row of events", "row of late", "row of failed"}
    assert page.boxes(".card, .tile, .strip, .strip *") == boxes


def test_on_a_phone_rows_are_as_high_as_their_words(page):
    """So that what is below them moves a little; nobody loses a word."""
    boxes = let_rows_arrive(page, 390)
    assert sum(value for value, _ in page.shifts()) < 0.05
    lists = page.boxes(".attention, .recent")
    top = min(box[2] for box in lists)
    assert [box for box in page.boxes(".card, .tile, .strip, .strip *")
            if box[2] < top] == [box for box in boxes if box[2] < top]


def test_charts_have_their_table(made):
    for name in ("volume", "cost"):
        made.find(f"#{name}-table summary").click()
        rows = made.wait(lambda: made.driver.find_elements(
            By.CSS_SELECTOR, f"#{name}-table tbody tr"), "the table")
        assert len(rows) == 30
    assert made.find("#volume").get_attribute("aria-label")


def test_numbers_as_the_visitor_writes_them(page, page_url, page_key, tmp_path):
    german = browser.start(tmp_path / "german", "de-DE")
    try:
        one = browser.Page(german, page_url, page_key)
        one.answer_with(browser.answers_of(answers.dashboard(volume=44000)))
        one.sign_in()
        assert one.tile("cost").endswith("\u00a0$")
        assert "," in one.tile("ontime") and one.tile("ontime").endswith("\u00a0%")
        assert one.tile("shipments").count(".") == 1
    finally:
        german.quit()


def day_of(date):
    day = datetime.date.fromisoformat(date)
    return f"{day:%a, %b} {day.day}, {day.year}"


@pytest.mark.parametrize("zone, hour", [
    ("Asia/Dubai", "10:15"), ("America/New_York", "1:15"), ("UTC", "6:15")])
def test_times_are_those_of_the_visitor(page, zone, hour):
    shipment = answers.shipment(0) | {"created_at": "2026-03-01T06:15:00.000Z"}
    page.answer_with(browser.answers_of(shipments=[shipment]))
    page.set_zone(zone)
    try:
        page.sign_in(rest=f"#shipment={shipment['id']}")
        page.wait(lambda: page.has(".timeline li"), "the shipment")
        assert hour in page.text("#shipment-body")
        assert zone in page.text("#clocks")
        # A day of figures is one of UTC, whoever looks.
        page.run("document.getElementById('volume-table').open = true")
        days = page.wait(lambda: page.driver.find_elements(
            By.CSS_SELECTOR, "#volume-table tbody th"), "the days")
        trends = page.rules[0][1]["data"]["shipment_trends"]
        assert {days[0].get_attribute("textContent"), days[-1].get_attribute(
            "textContent")} == {day_of(trends[0]["date"]), day_of(trends[-1]["date"])}
    finally:
        page.set_zone("")


def test_on_paper(page):
    """The figures and lists without what can only be clicked."""
    page.answer_with(browser.answers_of())
    page.sign_in()
    page.wait(lambda: page.has("#failed tbody tr"), "the lists")
    page.resize(1000, 900)
    page.set_media("print")
    try:
        for shown in ("#title", "#tiles", "#carriers", "#routes", "#late", "#health"):
            assert page.find(shown).is_displayed(), shown
        for hidden in ("#search", "#period", "#sign-out", "#late-all", "#connection"):
            assert not page.find(hidden).is_displayed(), hidden
        assert "last 30 days" in page.text("#title")
        assert "Data as of" in page.text("#as-of")
        page.assert_fits()
        paper = page.driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27,
                                                               "paperHeight": 11.69})
        kept(page, "paper.pdf", base64.b64decode(paper["data"]))
    finally:
        page.set_media("")


# --- to be looked at ----------------------------------------------------------------


def kept(page, name, data=None):
    """A file among the screenshots, the whole page when it is none else."""
    os.makedirs(SCREENSHOTS, exist_ok=True)
    if data is None:
        width, height = page.run("const root = document.scrollingElement;"
                                 "return [innerWidth, root.scrollHeight]")
        data = base64.b64decode(page.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": {
                "x": 0, "y": 0, "width": width, "height": height, "scale": 1}})["data"])
    with open(os.path.join(SCREENSHOTS, name), "wb") as file:
        file.write(data)
    assert len(data) > 10_000


@pytest.mark.parametrize("name, width, scheme", [
    ("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light"),
    ("wide", 1920, "light")])
def test_screenshots(page, name, width, scheme):
    page.answer_with(browser.answers_of())
    page.resize(width, 900, scheme)
    page.sign_in()
    page.wait(lambda: page.has("#failed tbody tr") and page.text("#ledger"), "the lists")
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    light = sum(int(one) for one in re.findall(r"\d+", ground)[:3]) > 3 * 128
    assert light == (scheme == "light")
    kept(page, f"{name}.png")
    page.find("#recent tbody a").click()
    page.wait(lambda: page.has(".timeline li"), "the shipment")
    kept(page, f"{name}-shipment.png", base64.b64decode(
        page.driver.get_screenshot_as_base64()))


@pytest.fixture(scope="module")
def demo(gateway):
    """A shop's history of a month, of test mode, as `make run` makes it."""
    done = subprocess.run(
        [sys.executable, DEMO, "--gateway", gateway.url, "--ca", gateway.ca, "--key",
         gateway.key, "--sim", simulator(gateway).base, "--days", "30",
         "--shipments", "60"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return gateway


def test_the_history_of_the_demo(page, demo):
    data = Client(demo, demo.key).get(
        "/db/analytics/dashboard?days=30&mode=test").json()["data"]
    summary = data["summary"]
    assert summary["total_shipments"] > 50 and summary["delivered_count"] > 10
    page.sign_in(demo.key, rest="?mode=test")
    page.wait(lambda: page.tile("shipments") == f"{summary['total_shipments']:,}",
              "the history")
    assert page.tile("ontime").endswith("%")
    assert page.tile("cost").startswith("$")
    assert page.tile("speed").endswith("p90")
    carriers = [one.text for one in page.driver.find_elements(
        By.CSS_SELECTOR, "#carriers tbody th")]
    assert carriers == [one["carrier"] for one in data["carrier_performance"]]
    assert len(carriers) > 1
    page.wait(lambda: page.has("#recent tbody tr") and page.has("#events tbody tr"),
              "the lists")
    page.assert_fits()
    kept(page, "demo.png")
