"""The way of an admin through the page, in a real browser: sign in, look, drill down, download, sign out."""

import csv
import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from streams.auth import make_token
from tests.web.conftest import Web
from tests.web.seeded import CUT, TENANT

pytestmark = [pytest.mark.browser, pytest.mark.stack]
ADDRESSES = (
    "/sync-logs/books_to_fsm",
    "/sync-logs/books_to_fsm?period=26w",
    "/sync-logs/books_to_fsm/syncs/big",
    "/sync-logs/fsm_to_crm",
    "/sync-errors",
    "/setup/billing/billing-setup/sync-setting",
)


@contextmanager
def signed_in(browser: Browser, web: Web, width: int = 1280, scripts: bool = True) -> Iterator[Page]:
    """A page that came in by the sign-in link. Whatever the browser complains about fails the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        base_url=web.url,
        java_script_enabled=scripts,
        timezone_id="Asia/Kolkata",
        locale="en-GB",
    )
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page = context.new_page()
    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(15_000)
    page.goto(f"/sign-in?token={make_token(web.settings, TENANT)}")
    yield page
    context.close()
    assert complaints == []


def downloaded(page: Page, count: str) -> int:
    """Clicks the link whose text is `count` in the open page's reach; the number of rows of the file that comes."""
    with page.expect_download() as download:
        page.locator(count).first.click()
    path = download.value.path()
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def test_an_admin_finds_why_records_failed(browser: Browser, web: Web) -> None:
    with signed_in(browser, web) as page:
        assert page.url == f"{web.url}/sync-logs/books_to_fsm", "the token has left the address"
        page.get_by_role("link", name="Sync Setting").click()
        page.get_by_role("link", name="Know More").click()
        tab = page.get_by_role("link", name="Zoho FSM to Zoho Books/Invoice")
        tab.click()
        expect(tab).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("link", name="pushed", exact=True)).to_be_visible()
        page.get_by_role("link", name="Zoho Books/Invoice to Zoho FSM").click()

        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="big", exact=True))
        failed = web.seed.sync("big")["failed"]
        expect(row.locator('a[href*="failed.csv"]')).to_have_text(str(failed))
        assert downloaded(page, 'a[href*="/big/failed.csv"]') == failed
        assert (
            downloaded(page, 'section:has(#by-reason) a[href*="reason=duplicate_record"]')
            == (web.seed.reasons(62)["duplicate_record"])
        )

        page.get_by_role("link", name="26 weeks").click()
        assert (
            downloaded(page, 'section:has(#by-reason) a[href*="reason=duplicate_record"]')
            == (web.seed.reasons(182)["duplicate_record"])
        )
        page.get_by_role("link", name="big", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sync big")
        page.get_by_role("link", name="A required field is empty").first.click()
        expect(page.locator("h2:target")).to_have_text("A required field is empty")

        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        page.goto("/sync-logs/books_to_fsm")
        assert "/sign-in?next=" in page.url


def test_times_turn_to_the_viewers_zone(browser: Browser, web: Web) -> None:
    """Midnight in UTC is half past five in Kolkata."""
    with signed_in(browser, web) as page:
        shown = page.locator(f'.banner time[datetime^="{CUT:%Y-%m-%dT%H:%M}"]').last
        expect(shown).to_contain_text("05:30")
        expect(shown).to_have_attribute("title", f"{CUT.day} {CUT:%b %Y}, 00:00 UTC")
        local = CUT + dt.timedelta(hours=5, minutes=30)
        expect(shown).to_contain_text(f"{local.day} {local:%b}")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(browser: Browser, web: Web, width: int) -> None:
    with signed_in(browser, web, width) as page:
        for address in ADDRESSES:
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") == width, address


def test_every_page_works_without_scripts(browser: Browser, web: Web) -> None:
    with signed_in(browser, web, scripts=False) as page:
        for address in ADDRESSES:
            page.goto(address)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto("/sync-logs/books_to_fsm")
        expect(page.locator(".banner")).to_contain_text("00:00 UTC")
        page.get_by_text("Counts by day as a table").click()
        expect(page.get_by_role("table", name="Records by day and status")).to_be_visible()
        page.get_by_role("link", name="Older syncs").click()
        expect(page).to_have_url(re.compile("cursor="))


def test_the_page_can_be_used_from_the_keyboard(browser: Browser, web: Web) -> None:
    with signed_in(browser, web) as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        names = page.evaluate(
            "[...document.querySelectorAll('a, button, [tabindex]')].filter(e => e.tabIndex >= 0)"
            ".filter(e => !(e.textContent.trim() || e.ariaLabel)).length"
        )
        assert names == 0, "whatever takes the focus has a name"
