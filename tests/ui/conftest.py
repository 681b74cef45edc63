"""A gateway whose page is looked at, and a browser to look at it with."""

import pytest

import browser as chromium
import documents
from env.stack import Stack
from fixtures import simulator
from helpers import Client, unique


HISTORY = (("USPS", "pre_transit"), ("UPS", "in_transit"), ("USPS", "delivered"),
           ("USPS", "out_for_delivery"), ("USPS", "available_for_pickup"),
           ("UPS", "delivered"), ("USPS", "failure"), ("USPS", "cancelled"))


def shipment(number, mode, carrier, status):
    made = documents.shipment(bought=True, mode=mode, carrier=carrier,
                              created_at=documents.at(days=-number))
    made["status"] = made["tracker"]["status"] = status
    return made


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    """With some history, of both modes; one of each status."""
    with Stack(tmp_path_factory.mktemp("ui"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        for key, mode in ((one.key, "test"), (one.key_production, "production")):
            path = "/v2/" + unique("history_")
            simulator(one).canned("POST", path, {"shipments": [
                shipment(number, mode, *one) for number, one in enumerate(HISTORY)]})
            assert Client(one, key).post(path).status_code == 200
        one.waybill("refresh")
        yield one


@pytest.fixture(scope="session")
def page_url(gateway):
    """Scheme, host and port of a gateway that serves /dashboard/."""
    return gateway.url


@pytest.fixture(scope="session")
def page_key(gateway):
    """A key of it with the scope read."""
    return gateway.service.make_key("page", "production", "read")


@pytest.fixture(scope="session")
def driver(page_url, page_key, tmp_path_factory):
    started = chromium.start(tmp_path_factory.mktemp("chromium"))
    yield started
    started.quit()


@pytest.fixture
def page(driver, page_url, page_key):
    """Nobody is signed in; at its end nothing must have gone wrong in silence."""
    one = chromium.Page(driver, page_url, page_key)
    yield one
    try:
        one.assert_quiet()
    finally:
        one.close()


@pytest.fixture
def seen(page):
    """The page, signed in."""
    page.sign_in()
    return page


@pytest.fixture
def made(page):
    """The page, signed in, with made answers instead of the gateway's."""
    page.answer_with(chromium.answers_of())
    page.sign_in()
    return page
