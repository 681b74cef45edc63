"""The dashboard, in a browser: what it shows, and what it must never do."""

import copy
import glob
import json
import os
import re
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import answers
import browser
import documents
from fixtures import simulator
from helpers import ROOT, Client, deliver, unique

POLL_S = 1.0
LIVE_S = 2.0  # from the answer to a webhook until its row is seen
ANSWER_S = 0.5  # for the answer and the drawing, on a busy machine


# --- the session --------------------------------------------------------------------


def test_a_wrong_key_is_told_so(page):
    page.sign_in("wb_" + "0" * 32)
    page.wait(lambda: "not known" in (page.text("#sign-in-error") or ""), "the refusal")
    assert page.is_open("sign-in")
    assert page.driver.switch_to.active_element.get_attribute("id") == "key"


def test_too_many_tries_are_told_so(page):
    page.answer_with([["session", {"status": 401}]])
    page.open()
    page.wait(lambda: page.is_open("sign-in"), "the form")
    page.answer_with([["session", {"status": 429}]])
    page.fill_key("wb_" + "0" * 32)
    page.wait(lambda: "Too many tries" in page.text("#sign-in-error"), "the refusal")


def test_a_right_key_shows_the_figures_and_is_kept_nowhere(page):
    page.sign_in()
    assert not page.is_open("sign-in")
    assert page.find("#key").get_attribute("value") == ""
    assert page.run("return localStorage.length + sessionStorage.length") == 0
    assert page.key not in page.run(
        "return location.href + document.cookie + JSON.stringify(history.state)"
        " + performance.getEntries().map((one) => one.name).join()"
        " + document.documentElement.outerHTML")


def test_who_is_signed_in_stays_so_after_a_reload(seen):
    seen.open()
    seen.wait_drawn()
    assert not seen.is_open("sign-in")


def test_signing_out_leaves_nothing_behind(seen):
    seen.find("#sign-out").click()
    seen.wait(lambda: seen.run("return window.stub && document.getElementById("
                               "'sign-in')?.open"), "the form")
    assert seen.tile("shipments") in ("", "–")
    seen.open()
    seen.wait(lambda: seen.is_open("sign-in"), "the form again")


def test_a_session_that_has_ended_keeps_the_view(made):
    before = made.tile("shipments")
    made.answer_with([["/db/", {"status": 401}], *made.rules])
    made.wait(lambda: made.is_open("sign-in"), "the form")
    assert made.tile("shipments") == before
    made.answer_with(made.rules[1:])
    made.fill_key(made.key)
    made.wait(lambda: not made.is_open("sign-in")
              and made.text("#connection-text") == "Live", "the page again")


# --- numbers -------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_answer(seen):
    answer = seen.driver.execute_async_script("""
        const done = arguments[0];
        fetch('/db/analytics/dashboard?days=30').then((one) => one.json()).then(done);
    """)["data"]
    summary = answer["summary"]
    seen.wait(lambda: seen.tile("shipments") == f"{summary['total_shipments']:,}",
              "the number of shipments")
    assert seen.tile("delivered") == f"{summary['delivered_count']:,}"
    assert seen.tile("failed") == f"{summary['failed_count']:,}"
    carriers = [one.text for one in seen.driver.find_elements(
        By.CSS_SELECTOR, "#carriers tbody th")]
    assert carriers == [one["carrier"] for one in answer["carrier_performance"]]


def test_each_figure_of_a_made_answer(made):
    summary = made.rules[0][1]["data"]["summary"]
    cost = summary["costs"][0]
    assert made.tile("shipments") == f"{summary['total_shipments']:,}"
    assert made.tile("transit") == f"{summary['in_transit_count']:,}"
    assert made.tile("late") == "7"
    assert made.tile("ontime") == "93.2%"
    assert f"{summary['on_time_sample']:,}" in made.about("ontime")
    assert "without late ones under way" in made.about("ontime")
    assert "late and still under way is not in it" in made.text("#carriers")
    assert made.tile("speed") == "3 median, 5 p90"
    assert made.tile("cost") == f"${float(cost['total_cost']):,.2f}"


def test_what_is_not_known_is_a_dash_with_its_reason(page):
    page.answer_with(browser.answers_of(answers.unknown()))
    page.sign_in()
    for name in ("ontime", "speed", "cost", "late"):
        assert page.tile(name).startswith("–"), name
    assert "no delivered shipment with a promised day yet" in page.about("ontime")
    assert "0" not in page.about("cost")
    assert "no delivered shipment" in page.text("#carriers")


def test_two_currencies_are_two_figures(page):
    data = answers.dashboard(currencies=("USD", "EUR"))
    page.answer_with(browser.answers_of(data))
    page.sign_in()
    dollars, euros = data["summary"]["costs"]
    assert page.tile("cost").split("\n") == [f"${float(dollars['total_cost']):,.2f}",
                                             f"€{float(euros['total_cost']):,.2f}"]
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#cost .u-wrap")) == 2


def test_a_cost_without_a_currency_is_a_number(page):
    """EasyPost did not say which: no word of ours stands in for it."""
    data = answers.dashboard(currencies=("USD", None))
    page.answer_with(browser.answers_of(data))
    page.sign_in()
    page.find("#cost-table summary").click()
    page.wait(lambda: page.has("#cost-table tbody tr"), "the table")
    assert "null" not in page.run(
        "return document.body.innerText + document.getElementById('cost')"
        ".getAttribute('aria-label')")
    dollars, other = data["summary"]["costs"]
    readout = page.text("#cost-readout")
    assert other["total_cost"] in readout
    assert f"${float(dollars['total_cost']):,.2f}" in readout


def test_a_small_sample_is_told(page):
    data = answers.dashboard()
    data["summary"].update(on_time_rate=92.86, on_time_sample=14)
    page.answer_with(browser.answers_of(data))
    page.sign_in()
    assert page.tile("ontime") == "93%"
    assert "of 14" in page.about("ontime")


@pytest.mark.parametrize("rate, sample, shown", [
    (99.96, 5000, "99.9%"), (0.02, 5000, "0.1%"), (99.6, 50, "99%"), (0.4, 50, "1%"),
    (100, 5000, "100%"), (0, 5000, "0%"), (100, 50, "100%")])
def test_what_is_not_all_is_not_shown_as_all(page, rate, sample, shown):
    data = answers.dashboard()
    data["summary"].update(on_time_rate=rate, on_time_sample=sample)
    page.answer_with(browser.answers_of(data))
    page.sign_in()
    assert page.tile("ontime") == shown


def test_an_empty_database_says_what_to_do(page):
    page.answer_with(browser.answers_of(answers.nothing(), [],
                                        ledger=answers.page("days", [])))
    page.sign_in()
    page.wait(lambda: page.find("#welcome").is_displayed(), "the next step")
    assert f"{page.url}/v2" in page.text("#welcome")
    assert "waybill backfill" in page.text("#welcome")


def test_health_is_told_in_words(page):
    health = answers.health(depth=3)
    health["background"]["events"]["failed"] = 2
    page.answer_with([["/health", {"data": health}], *browser.answers_of()])
    page.sign_in()
    assert "3 waiting" in page.text("#sign-spool")
    assert "2 failed" in page.text("#sign-sync")
    assert "12 min ago" in page.text("#sign-refresh")
    assert "29 of 30 days" in page.text("#sign-complete")
    assert "2 events could not be applied" in page.text("#health")


# --- switches -----------------------------------------------------------------------------


@pytest.mark.parametrize("days", [7, 90, 365])
def test_the_period_switch(seen, days):
    seen.find(f"#period input[value='{days}']").click()
    seen.wait(lambda: f"last {days} days" in seen.run(
        "return document.getElementById('title').textContent"), "the period")
    assert f"days={days}" in seen.driver.current_url
    seen.run("document.getElementById('volume-table').open = true")
    seen.wait(lambda: len(seen.driver.find_elements(
        By.CSS_SELECTOR, "#volume-table tbody tr")) == days, "a row for each day")


def test_a_period_that_cannot_be_read_leaves_the_one_before(made):
    made.answer_with([["/db/analytics/dashboard?days=90", {"status": 503}], *made.rules])
    made.find("#period input[value='90']").click()
    made.wait(lambda: "cannot answer" in made.text("#connection-text"), "the error")
    assert made.has("main.waiting")
    made.find("#period input[value='30']").click()
    made.wait(lambda: made.text("#connection-text") == "Live", "the figures")
    assert not made.has("main.waiting")


def test_the_mode_switch_by_keyboard(seen):
    seen.wait(lambda: seen.has("#mode input:checked"), "the mode")
    first = seen.find("#mode input:checked")
    mode = first.get_attribute("value")
    first.send_keys(Keys.ARROW_RIGHT if mode == "production" else Keys.ARROW_LEFT)
    other = "test" if mode == "production" else "production"
    seen.wait(lambda: any(f"mode={other}" in one["path"]
                          for one in seen.asked("/db/shipments")), "the other mode")
    assert f"mode={other}" in seen.driver.current_url


# --- live ----------------------------------------------------------------------------------


def test_a_new_event_appears_by_itself(made):
    rules = copy.deepcopy(made.rules)
    events = next(rule for start, rule in rules if start == "/db/events")["data"]["events"]
    news = answers.event(99, answers.shipment(3), "Something has just happened")
    events.insert(0, news)
    made.run("window.isSame = true")
    made.answer_with(rules)
    made.wait(lambda: "Something has just happened" in made.text("#events"), "the event",
              POLL_S + ANSWER_S)
    assert made.run("return window.isSame")


def test_what_has_not_changed_is_not_sent_again(seen):
    def again():
        return [one for one in seen.asked("/db/analytics/dashboard")
                if one["match"] and one["status"] == 304]
    seen.wait(again, "an answer of 304")


def test_pages_take_what_the_server_keeps_for_a_second(seen, gateway):
    """It is not asked for an answer of this moment each time."""
    place = gateway.log_sizes()
    before = len(seen.asked("/db/"))
    seen.wait(lambda: len(seen.asked("/db/")) > before + 6, "some rounds")
    log = gateway.logs(place)["waybill.access.log"].decode()
    lines = [json.loads(line) for line in log.splitlines()
             if "/db/" in line and "Chrome" in line]
    assert len(lines) > 3
    assert {one["cache"] for one in lines} <= {"MISS", "HIT"}
    assert 304 in {one["status"] for one in lines}


def test_what_follows_is_asked_for_when_something_has_happened(made):
    """And not each second."""
    follower = "/db/shipments?limit=8&failed"
    events = len(made.asked("/db/events"))
    made.wait(lambda: len(made.asked("/db/events")) >= events + 3, "three rounds")
    assert len(made.asked(follower)) <= 2
    rules = copy.deepcopy(made.rules)
    next(rule for start, rule in rules if start == "/db/events")["data"][
        "events"].insert(0, answers.event(99, answers.shipment(3)))
    failed = next(rule for start, rule in rules if start == follower)["data"]
    failed["shipments"].insert(0, answers.shipment(1, status="failure"))
    made.answer_with(rules)
    code = failed["shipments"][0]["tracking_code"]
    made.wait(lambda: code in made.text("#failed"), "the list", POLL_S + ANSWER_S)


def test_rows_stay_the_same_elements(made):
    row = made.find("#recent tbody a")
    made.run("arguments[0].focus()", row)
    before = len(made.asked("/db/events"))
    made.wait(lambda: len(made.asked("/db/events")) > before + 1, "two more rounds")
    assert made.driver.switch_to.active_element == row


def test_a_hidden_tab_asks_for_nothing(made):
    made.run("window.stub.hide(true)")
    # Nothing is planned any more, so nothing can be asked for.
    made.wait(lambda: made.run("return window.stub.pending.size") == 0, "rest")
    before = len(made.asked())
    made.run("window.stub.hide(false)")
    made.wait(lambda: len(made.asked()) > before, "the first look", ANSWER_S)


def test_a_lost_connection_is_told_and_found_again(made):
    figures = made.tile("shipments")
    made.answer_with([["/", {"fails": True}], *made.rules])
    made.wait(lambda: "Connection lost, trying again" in made.text("#connection-text"),
              "the loss")
    assert "ago" in made.text("#connection-text")
    assert made.tile("shipments") == figures
    made.answer_with(made.rules[1:])
    made.run("window.dispatchEvent(new Event('online'))")
    made.wait(lambda: made.text("#connection-text") == "Live", "the connection")


def test_pauses_grow_while_nobody_answers(made):
    made.answer_with([["/", {"fails": True}], *made.rules])
    made.wait(lambda: "Connection lost" in made.text("#connection-text"), "the loss")
    begin, first = time.monotonic(), len(made.asked("/db/events"))
    made.wait(lambda: len(made.asked("/db/events")) == first + 2, "two more tries", 15)
    assert time.monotonic() - begin > 4  # 2 s and 4 s, less what had passed


def test_an_error_of_the_gateway_is_told(made):
    made.answer_with([["/db/", {"status": 503}], *made.rules])
    made.wait(lambda: "cannot answer (MADE)" in made.text("#connection-text"), "the error")


# --- panels ----------------------------------------------------------------------------------


def assert_timeline(page, one):
    page.wait(lambda: page.is_open("shipment-panel") and page.has(".timeline li"),
              "the timeline")
    assert page.text("#shipment-title") == one["tracking_code"]
    assert len(page.driver.find_elements(By.CSS_SELECTOR, ".timeline li")) == 4


def test_the_timeline_opens_by_click_and_closes_by_escape(made):
    one = answers.shipment(0)
    link = made.find("#recent tbody a")
    link.click()
    assert_timeline(made, one)
    assert made.driver.current_url.endswith(f"#shipment={one['id']}")
    made.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    made.wait(lambda: not made.is_open("shipment-panel"), "its end")
    assert made.driver.switch_to.active_element == link
    assert "#" not in made.driver.current_url


def test_the_timeline_opens_by_keyboard(made):
    made.find("#recent tbody a").send_keys(Keys.ENTER)
    assert_timeline(made, answers.shipment(0))
    inside = made.run("return document.getElementById('shipment-panel')"
                      ".contains(document.activeElement)")
    assert inside


def test_the_timeline_opens_by_address(page):
    one = answers.shipment(2)
    page.answer_with(browser.answers_of())
    page.sign_in(rest=f"#shipment={one['id']}")
    assert_timeline(page, one)


def test_a_shipment_that_does_not_exist_is_told(page):
    page.answer_with(browser.answers_of())
    page.sign_in(rest="#shipment=none")
    page.wait(lambda: page.text("#shipment-title") == "No such shipment", "the answer")
    assert page.text("#connection-text") == "Live"


def test_a_list_that_cannot_be_is_no_lost_connection(seen):
    """The first day behind the last: it is told in the list, the page goes on."""
    seen.statuses.add(400)
    seen.run("location.hash = '#list&date_from=2026-12-01&date_to=2026-01-01'")
    seen.wait(lambda: "before the end of date_to" in seen.text("#list-rows"),
              "the reason")
    before = len(seen.asked("/db/events"))
    seen.wait(lambda: len(seen.asked("/db/events")) > before + 1, "two more rounds")
    assert seen.text("#connection-text") == "Live"
    field = seen.find("#filters input[name='date_to']")
    seen.run("arguments[0].value = '2027-01-01';"
             "arguments[0].dispatchEvent(new Event('input', { bubbles: true }))", field)
    seen.wait(lambda: "No shipment fits" in seen.text("#list-rows"), "the list")
    seen.run("location.hash = '#shipment=x'")
    seen.wait(lambda: seen.text("#shipment-title") == "No such shipment", "the answer")
    assert seen.text("#connection-text") == "Live"


def test_a_shipment_lies_on_its_list(made):
    made.find("#tile-failed").click()
    made.wait(lambda: made.has("#list-rows tbody a"), "the list")
    made.find("#list-rows tbody a").click()
    assert_timeline(made, answers.shipment(0))
    made.driver.back()
    made.wait(lambda: not made.is_open("shipment-panel"), "the way back")
    assert made.is_open("list-panel")
    made.find("#list-panel .close").click()
    made.wait(lambda: not made.is_open("list-panel"), "the page")


def test_the_search(made):
    made.run("document.activeElement.blur()")
    made.find("body").send_keys("/")
    made.driver.switch_to.active_element.send_keys("lovelace francisco", Keys.ENTER)
    made.wait(lambda: any("q=lovelace+francisco" in one["path"]
                          for one in made.asked("/db/shipments?")), "the question")
    assert made.is_open("list-panel")


def test_more_of_a_list(made):
    shipments = [answers.shipment(number) for number in range(75)]
    first = answers.page("shipments", shipments[:50], next_="next", total=75)
    rest = answers.page("shipments", shipments[50:], total=75)
    made.answer_with([["/db/shipments?limit=50&mode=production", {"data": first}],
                      ["/db/shipments?mode=production&limit=50&after", {"data": rest}],
                      ["/db/shipments?mode=production&limit=50", {"data": first}],
                      *made.rules])
    made.find("#recent-all").click()
    made.wait(lambda: len(made.driver.find_elements(
        By.CSS_SELECTOR, "#list-rows tbody tr")) == 50, "a page")
    made.find("#list-more").click()
    made.wait(lambda: len(made.driver.find_elements(
        By.CSS_SELECTOR, "#list-rows tbody tr")) == 75, "all of it")
    assert not made.find("#list-more").is_displayed()
    codes = [one["tracking_code"] for one in shipments]
    for number in (-1, -2):  # new ones push others off the first page
        shipments.insert(0, answers.shipment(number))
        codes.insert(0, shipments[0]["tracking_code"])
        first = answers.page("shipments", shipments, next_="next", total=len(codes))
        made.answer_with([["/db/shipments?mode=production&limit=50", {"data": first}],
                          *made.rules])
        made.wait(lambda: codes[0] in made.text("#list-rows"), "the new one")
        assert [one.text for one in made.driver.find_elements(
            By.CSS_SELECTOR, "#list-rows tbody th a")] == codes


# --- a real gateway, from the beginning to the end -------------------------------------


def test_a_day_at_the_page(page, gateway, tmp_path):
    """Signs in, sees the history, an event arrives, the parcel is found, its
    journey is read, and nobody is signed in any more."""
    shipment = documents.shipment(bought=True, mode="production",
                                  created_at=documents.NOW.strftime(
                                      "%Y-%m-%dT%H:%M:%SZ"))
    path = "/v2/" + unique("day_")
    simulator(gateway).canned("POST", path, shipment)
    assert Client(gateway, gateway.key_production).post(path).status_code == 200
    page.sign_in()
    page.wait(lambda: int(page.tile("shipments").replace(",", "")) >= 4,
              "the history")
    message = unique("Left the depot ")[:40]
    sent = deliver(Client(gateway), documents.event(
        "tracker.updated", mode="production", result=dict(
            shipment["tracker"], status="in_transit", mode="production",
            updated_at=documents.at(minutes=9000), tracking_details=[
                documents.detail(4000, "in_transit", message)])))
    answered = time.monotonic()
    assert sent.status_code == 200
    page.wait(lambda: message in page.text("#events"), "the event")
    assert time.monotonic() - answered < LIVE_S
    page.find("#q").send_keys(shipment["tracking_code"] + Keys.ENTER)
    page.wait(lambda: shipment["tracking_code"] in page.text("#list-rows"),
              "the parcel")
    page.find("#list-rows a").click()
    page.wait(lambda: message in (page.text("#shipment-body") or ""), "its journey")
    page.driver.save_screenshot(str(tmp_path / "journey.png"))
    page.find("body").send_keys(Keys.ESCAPE)
    page.find("body").send_keys(Keys.ESCAPE)
    page.find("#sign-out").click()
    page.wait(lambda: page.is_open("sign-in"), "the form")


def test_the_first_load_is_small(gateway):
    """Over the wire, compressed as nginx does it."""
    client = Client(gateway)
    names = set(re.findall(r'(?:href|src)="([^":#]+\.(?:css|js|svg))"',
                           client.get("/dashboard/").text)) | {""}
    scripts = [os.path.basename(one) for one in glob.glob(
        os.path.join(ROOT, "web", "dashboard", "*.js"))]
    total = 0
    for name in names | set(scripts):
        answer = client.session.get(
            f"{gateway.url}/dashboard/{name}", stream=True,
            headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, name
        total += len(answer.raw.read(decode_content=False))
    assert total <= 100 * 1024


def test_the_first_look_is_small(page):
    """All that comes over the wire to a browser that has nothing yet, until the
    figures are there: the page, its files, and the answers."""
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    page.sign_in()
    page.wait(lambda: page.tile("shipments") not in ("", "–"), "the figures")
    sizes = page.run("""
        return [...performance.getEntriesByType("navigation"),
                ...performance.getEntriesByType("resource")].map(
            (one) => [new URL(one.name).pathname, one.transferSize])""")
    assert {"/dashboard/", "/db/analytics/dashboard"} <= {name for name, _ in sizes}
    assert all(size > 0 for _, size in sizes), sizes
    assert sum(size for _, size in sizes) <= 100 * 1024, sizes
