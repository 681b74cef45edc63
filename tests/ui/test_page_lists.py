"""Each number leads to its list, and the list has as many as the number says."""

import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import browser

UNDER_WAY = ("pre_transit", "in_transit", "out_for_delivery", "available_for_pickup")

# [address, number] of each count that is shown.
COUNTS = """
const of = (link, text) => [link.getAttribute('href'), text];
return [
    ...['shipments', 'delivered', 'transit', 'late', 'failed'].map((name) => {
        const link = document.getElementById(`tile-${name}`);
        return of(link, link.closest('.tile').querySelector('.value').innerText);
    }),
    ...[...document.querySelectorAll('#carriers td[data-label=Shipments] a, '
        + '#carriers td[data-label=Failed] a, #routes td[data-label=Shipments] a')]
        .map((link) => of(link, link.innerText)),
];
"""


def listed(page, address):
    """How many the list at this address says it has."""
    page.run("location.hash = ''")
    page.wait(lambda: not page.is_open("list-panel"), "its end")
    page.run("location.hash = arguments[0]", address)
    page.wait(lambda: page.is_open("list-panel")
              and re.fullmatch(r"[\d,]+ shipments?", page.text("#list-count")), "the list")
    return page.text("#list-count").split()[0]


def test_the_number_that_is_clicked_is_the_total_of_its_list(seen):
    seen.wait(lambda: seen.has("#routes td a") and seen.has("#carriers td a"),
              "the tables")
    counts = seen.run(COUNTS)
    assert len(counts) >= 5 + 2 * 2 + 1
    assert {number for _, number in counts} > {"0", "1"}
    assert counts == [[address, listed(seen, address)] for address, _ in counts]


@pytest.mark.parametrize("name, wanted", [
    ("shipments", "date_from="), ("delivered", "status=delivered"),
    ("transit", "status=pre_transit%2Cin_transit"), ("late", "late=true"), ("failed", "failed=true")])
def test_each_number_leads_to_its_list(made, name, wanted):
    made.find(f"#tile-{name}").send_keys(Keys.ENTER)
    made.wait(lambda: made.is_open("list-panel") and made.has("#list-rows tbody tr"),
              "the list")
    found = made.wait(lambda: [one for one in made.asked("/db/shipments")
                               if "limit=50" in one["path"]], "its question")
    assert wanted in found[-1]["path"]
    csv = made.find("#list-csv").get_attribute("href")
    assert wanted in csv and "format=csv" in csv and "mode=production" in csv


def test_under_way_is_one_list_and_four(made):
    made.find("#tile-transit").click()
    made.wait(lambda: made.text("#list-kin a[aria-current]") == "Under way", "the list")
    assert made.text("#list-title").startswith("Shipments: under way")
    assert made.find("#filters select[name='status']").get_attribute(
        "value") == ",".join(UNDER_WAY)
    made.driver.find_element(By.LINK_TEXT, "Out for delivery").click()
    made.wait(lambda: any("status=out_for_delivery" in one["path"]
                          for one in made.asked("/db/shipments?")), "another")
    assert made.text("#list-kin a[aria-current]") == "Out for delivery"


def test_a_route_is_a_list_with_its_places(made):
    made.find("#routes tbody a").click()
    made.wait(lambda: made.is_open("list-panel"), "the list")
    route = made.rules[0][1]["data"]["top_routes"][0]
    asked = made.wait(lambda: [one["path"] for one in made.asked("/db/shipments?")
                               if "from_city=" in one["path"]], "its question")[-1]
    for name in ("from_city", "from_state", "to_city", "to_country"):
        assert f"{name}={(route[name] or '').replace(' ', '+')}" in asked, name
    assert "date_from=" in asked and "q=" not in asked
    assert f"{route['from_city']} CA US" in made.text("#list-title")
    made.driver.find_element(By.LINK_TEXT, "All routes").click()
    made.wait(lambda: "from_city" not in made.driver.current_url, "all of them")
    assert not made.find("#list-kin").is_displayed()


# --- the form of a list ---------------------------------------------------------------


def fill(page, name, value):
    field = page.find(f"#filters [name='{name}']")
    page.run("arguments[0].value = arguments[1];"
             "arguments[0].dispatchEvent(new Event('input', { bubbles: true }))",
             field, value)


def rows(page):
    return page.run("return [...document.querySelectorAll('#list-rows tbody tr')].length")


@pytest.mark.parametrize("name, value, query", [
    ("status", "delivered", "status=delivered"), ("carrier", "UPS", "carrier=UPS"),
    ("date_from", "2026-01-02", "date_from=2026-01-02"),
    ("date_to", "2030-01-02", "date_to=2030-01-02"), ("only", "late", "late=true"),
    ("only", "failed", "failed=true"), ("q", "lovelace", "q=lovelace")])
def test_each_filter_asks_and_has_an_address(made, name, value, query):
    made.run("location.hash = '#list'")
    made.wait(lambda: rows(made) > 0, "the list")
    fill(made, name, value)
    made.wait(lambda: any(query in one["path"] and "limit=50" in one["path"]
                          for one in made.asked("/db/shipments?")), "the question")
    assert query in made.driver.current_url
    assert query in made.find("#list-csv").get_attribute("href")
    # The address is enough to come back to it, and back leads out of it.
    address = made.driver.current_url.partition("#")[2]
    made.open("#" + address)
    made.wait(lambda: made.is_open("list-panel"), "the list again")
    assert made.find(f"#filters [name='{name}']").get_attribute("value") == value


def test_filters_narrow_what_a_real_gateway_lists(seen):
    seen.run("location.hash = '#list'")
    every = seen.wait(lambda: rows(seen), "the list")
    assert every > 4
    fill(seen, "carrier", "UPS")
    seen.wait(lambda: 0 < rows(seen) < every, "fewer")
    assert {one.text.split()[0] for one in seen.driver.find_elements(
        By.CSS_SELECTOR, "#list-rows td[data-label=Carrier]")} == {"UPS"}
    fill(seen, "only", "failed")
    seen.wait(lambda: "No shipment fits" in seen.text("#list-rows"), "none")
    fill(seen, "carrier", "")
    seen.wait(lambda: rows(seen) == 1, "the one that failed")
    assert "Failed shipments" in seen.text("#list-title")
    assert seen.find("#list-rows td[data-label=Status] time").is_displayed()
    fill(seen, "only", "")
    seen.wait(lambda: rows(seen) == every, "all again")


def test_a_form_that_is_typed_into_is_left_alone(made):
    """What comes meanwhile does not take the word out of somebody's hand."""
    made.run("location.hash = '#list&q=ada'")
    made.wait(lambda: rows(made) > 0, "the list")
    field = made.find("#filters [name='q']")
    field.send_keys(" love", Keys.END)
    made.wait(lambda: "q=ada+love" in made.driver.current_url, "the words")
    before = len(made.asked("/db/shipments?q=ada+love"))
    made.wait(lambda: len(made.asked("/db/shipments?q=ada+love")) > before, "a round")
    assert made.driver.switch_to.active_element == field
    assert field.get_attribute("value") == "ada love"
