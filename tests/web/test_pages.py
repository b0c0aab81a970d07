"""The pages: what an admin reads, and that every number with a file behind it is that file's number of rows."""

import csv
import html
import io
import re
from collections.abc import Callable

import httpx
import pytest

from streams import clock
from streams.clickhouse.client import Database
from tests.web import seeded
from tests.web.conftest import Web
from tests.web.seeded import CUT, DAY, DIRECTION, FIRST, OTHER, SECOND

pytestmark = pytest.mark.stack
BASE = f"/sync-logs/{DIRECTION}"
COUNT = re.compile(r'<a href="([^"]*failed\.csv[^"]*)">(\d+)</a>')


def page(client: httpx.Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def text_of(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def counts(markup: str) -> dict[str, int]:
    return {html.unescape(address): int(number) for address, number in COUNT.findall(markup)}


def hrefs(markup: str) -> list[str]:
    return [html.unescape(address) for address in re.findall(r'href="([^"]*)"', markup)]


def next_page(markup: str) -> str | None:
    found = re.search(r'<a href="([^"]*)" rel="next">', markup)
    return html.unescape(found[1]).partition("#")[0] if found else None


def test_every_count_on_every_page_is_the_number_of_rows_of_its_file(client: httpx.Client, web: Web) -> None:
    """Follow every link of the site from the first page on, and compare every number that has a file."""
    seen: set[str] = set()
    todo = ["/", "/sync-logs/fsm_to_books"]
    files: dict[str, int] = {}
    while todo:
        address = todo.pop()
        if address in seen:
            continue
        seen.add(address)
        markup = client.get(address, follow_redirects=True).raise_for_status().text
        for file, number in counts(markup).items():
            assert files.setdefault(file, number) == number, f"two numbers for {file}"
        local = [href.partition("#")[0] for href in hrefs(markup) if href.startswith("/")]
        todo += [href for href in local if href and "failed.csv" not in href and not href.startswith("/static/")]
    syncs = {r.sync_id for r in web.seed.of(days=182)}
    assert len([address for address in seen if "/syncs/" in address and "cursor" not in address]) >= len(syncs)
    assert all("snapshot=2" in file for file in files)
    assert sum("/syncs/" in file and "reason=" not in file for file in files) == len(
        {r.sync_id for r in web.seed.of(days=182) if r.status == "failed"}
    )
    for file, number in files.items():
        answer = client.get(file)
        rows = sum(1 for _ in csv.reader(io.StringIO(answer.text, newline=""))) - 1
        assert (rows, answer.headers["x-row-count"]) == (number, str(number)), file


def test_the_banner_says_when_what_and_when_next(client: httpx.Client) -> None:
    markup = page(client, BASE)
    for moment in (CUT, CUT + DAY / 480, CUT + 7 * DAY):
        assert f'<time datetime="{clock.rfc3339(moment)}">' in markup
    words = text_of(markup)
    assert f"covers everything received until {CUT.day} {CUT:%b %Y}, 00:00 UTC" in words
    assert "Snapshot 2" in words
    assert "live count" not in words, "an exact reconciliation needs no line"


def test_two_months_are_counted_by_status_and_by_day(client: httpx.Client, web: Web) -> None:
    markup = page(client, BASE)
    results = web.seed.of(days=62)
    for label, status in (("Succeeded", "success"), ("Failed", "failed"), ("Skipped", "skipped")):
        assert f"{label} {sum(r.status == status for r in results)} " in text_of(markup)
    assert f"Total {len(results)} " in text_of(markup)
    assert markup.count('<th scope="row"><time datetime=') == 63
    assert markup.count("<g><title>") == 63


def test_reasons_of_two_months_switch_to_six(client: httpx.Client, web: Web) -> None:
    for period, days in (("62d", 62), ("26w", 182)):
        markup = page(client, f"{BASE}?period={period}")
        found = {a: n for a, n in counts(markup).items() if "reason=" in a}
        assert {re.search(r"reason=(\w+)", a)[1]: n for a, n in found.items()} == web.seed.reasons(days)  # type: ignore[index]
        assert all(f"period={period}" in address for address in found)


def test_the_tabs_are_the_two_directions_of_the_pair(client: httpx.Client) -> None:
    markup = page(client, BASE)
    tabs = re.findall(r'<a href="([^"]*)"( aria-current="page")?>(Zoho [^<]*)</a>', markup)
    assert tabs == [
        (BASE, ' aria-current="page"', "Zoho Books/Invoice to Zoho FSM"),
        ("/sync-logs/fsm_to_books", "", "Zoho FSM to Zoho Books/Invoice"),
    ]
    assert "Zoho CRM to Zoho FSM" in page(client, "/sync-logs/fsm_to_crm")
    assert "Setup Billing Billing Setup Sync Setting Sync Log Details" in text_of(markup)


def test_the_overview_pages_through_all_syncs_once(client: httpx.Client, web: Web) -> None:
    listed: list[str] = []
    address: str | None = BASE
    while address:
        markup = page(client, address)
        listed += [href for href in hrefs(markup) if "/syncs/" in href and ".csv" not in href]
        address = next_page(markup)
    assert len(listed) == len(set(listed)) == len({r.sync_id for r in web.seed.of(days=182)})


def test_a_syncs_records_are_listed_once_each_as_they_first_arrived(client: httpx.Client, web: Web) -> None:
    """300 records of which each came twice, and one that came after the cut."""
    records: list[str] = []
    address: str | None = f"{BASE}/syncs/big"
    while address:
        markup = page(client, address)
        assert "a later copy" not in markup and "beyond the cut" not in markup
        records += re.findall(r"<code>(r\d+)</code>", markup)
        address = next_page(markup)
    assert records == [f"r{n}" for n in range(300)]


def test_skipped_records_show_their_cause_and_failed_ones_their_reason(client: httpx.Client) -> None:
    markup = page(client, f"{BASE}/syncs/big")
    assert "Excluded by the filter &lt;active&gt;" in markup
    assert '<a href="/sync-errors#mandatory_field_missing">A required field is empty</a>' in markup


def test_hostile_texts_are_shown_as_texts(client: httpx.Client) -> None:
    for address in [h for h in hrefs(page(client, BASE)) if "%C3%BC" in h and ".csv" not in h]:
        markup = page(client, address)
        assert "<b>" not in markup and "&lt;b&gt;" in markup
        assert "=HYPERLINK(&#34;http://evil.example&#34;,&#34;click&#34;)" in markup


def test_a_tenant_sees_how_many_of_its_messages_could_not_be_read(client: httpx.Client, web: Web) -> None:
    assert "invalid_json 3 too_large 1" in text_of(page(client, BASE))
    with web.client(OTHER) as other:
        assert "Every message that was sent could be read." in page(other, BASE)


def test_an_unknown_sync_and_another_tenants_are_not_found(client: httpx.Client) -> None:
    for sync in ("never-was", "only-theirs", ""):
        answer = client.get(f"{BASE}/syncs/{sync}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.get("/sync-logs/sideways").status_code == 404


def test_an_earlier_snapshot_says_that_it_is_one(client: httpx.Client) -> None:
    markup = page(client, f"{BASE}/syncs/big?snapshot=1")
    assert "This is an earlier snapshot" in markup
    assert all("snapshot=1" in address for address in counts(markup))
    assert "This is an earlier snapshot" not in page(client, f"{BASE}/syncs/big?snapshot=2")


def test_the_setting_leads_to_the_pairs_in_use(client: httpx.Client) -> None:
    markup = page(client, "/setup/billing/billing-setup/sync-setting")
    assert markup.count("Know More") == 1, "the tenant has nothing of the second pair"
    assert f'href="{BASE}"' in markup and "Sync Log Details" in markup


def test_a_second_pair_in_use_has_a_section_of_its_own(empty: tuple[Database, Callable[[], httpx.Client]]) -> None:
    database, make = empty
    seeded.pointer(database, 1, [FIRST], CUT)
    database.command(
        "INSERT INTO published_days SELECT {a:UUID}, 1, {t:String}, 'fsm_to_crm', today() - 9, 1, 0, 0",
        token="day",
        a=FIRST,
        t=seeded.TENANT,
    )
    with make() as client:
        markup = page(client, "/setup/billing/billing-setup/sync-setting")
        assert (markup.count("Know More"), 'href="/sync-logs/crm_to_fsm"' in markup) == (2, True)


def test_before_the_first_publication_the_page_says_so(empty: tuple[Database, Callable[[], httpx.Client]]) -> None:
    with empty[1]() as client:
        assert "Nothing has been published yet" in page(client, BASE)
        assert client.get(f"{BASE}/syncs/big").status_code == 404
        assert "Know More" in page(client, "/setup/billing/billing-setup/sync-setting")
        assert client.get("/readyz").text == "ready\n"


@pytest.mark.parametrize(
    ("state", "difference", "words"),
    [("differs", 12, "differed from these figures by 12"), ("not_reconciled", 0, "were not checked against")],
)
def test_a_publication_that_is_not_reconciled_says_so(
    empty: tuple[Database, Callable[[], httpx.Client]], state: str, difference: int, words: str
) -> None:
    database, make = empty
    seeded.pointer(database, 1, [SECOND], CUT, reconciliation=state, difference=difference)
    with make() as client:
        markup = page(client, BASE)
        assert words in markup
        assert "No record failed" in markup and "No sync in this direction" in markup
