"""The failures that were not recognised: numbers that add up to the file, texts shown as texts, whose they are."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from schemas.reasons import UNCLASSIFIED
from streams import clock
from streams.clickhouse.client import Database
from streams.web import unknown
from tests.web import seeded
from tests.web.conftest import Web
from tests.web.seeded import CUT, DAY, FIRST, NASTY, OTHER, Result
from tests.web.test_pages import counts, hrefs, next_page, page, text_of

pytestmark = pytest.mark.stack
PATH = "/sync-errors/unknown"
API = "/api/v1/books_to_fsm/reasons/unknown"
Empty = tuple[Database, Callable[[], httpx.Client]]
FROZEN = "Ledger {quoted} was frozen by the auditor at {number}"


@pytest.fixture
def filled(empty: Empty) -> Iterator[httpx.Client]:
    """40 failures of a frozen ledger, 10 of them older than two months; hostile ones; 60 of a text each; others'."""
    database, make = empty
    texts = [FROZEN.format(quoted=f'"L{n}"', number=n) for n in range(40)]
    results = [_failed("frozen", n, text, CUT - (3 if n < 30 else 100) * DAY) for n, text in enumerate(texts)]
    results += [_failed("nasty", n, f"<script>{text}</script>", CUT - DAY) for n, text in enumerate(NASTY)]
    results += [_failed("rare", n, f"unheard {_letters(n)}", CUT - DAY) for n in range(60)]
    results += [_failed("theirs", n, "only theirs", CUT - DAY, tenant=OTHER) for n in range(5)]
    results += [_failed("pushed", 0, "only pushed", CUT - DAY, direction="fsm_to_books")]
    results += [_failed("known", 0, "too many requests", CUT - DAY, reason="rate_limited")]
    several = (("E1", "the first of several", ""), ("", "the second of several", ""))
    results += [_failed("several", 0, "", CUT - DAY, errors=several)]
    seeded.insert_failures(database, FIRST, 1, results)
    seeded.pointer(database, 1, [FIRST], CUT)
    with make() as client:
        yield client


def _failed(sync: str, number: int, message: str, at: Any, **more: Any) -> Result:
    given = {"reason": UNCLASSIFIED, "errors": (("", message, ""),)} | more
    return Result(sync, number, "failed", at, **given)


def _letters(number: int) -> str:
    return chr(97 + number // 26) + chr(97 + number % 26)


def items(client: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(API, params=parameters | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
    return found


def rows_of_file(client: httpx.Client, **parameters: Any) -> list[dict[str, str]]:
    answer = client.get("/sync-logs/books_to_fsm/failed.csv", params={"reason": UNCLASSIFIED, **parameters})
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_templates_add_up_to_the_file_of_the_period(filled: httpx.Client) -> None:
    for period, frozen in (("62d", 30), ("26w", 40)):
        body = filled.get(API, params={"period": period, "limit": 1_000}).json()
        rows = rows_of_file(filled, period=period)
        assert body["records"] == len(rows) == sum(item["records"] for item in body["items"])
        assert body["ungrouped"] == 0 and body["next"] is None
        first = body["items"][0]
        assert (first["template"], first["records"]) == ("ledger <value> was frozen by the auditor at #", frozen)
        several = [(i["template"], i["records"]) for i in body["items"] if i["code"] == "E1"]
        assert several == [("the first of several", 1)]
        assert not any("second of several" in item["template"] for item in body["items"])


def test_a_template_has_its_span_and_samples_as_they_came(filled: httpx.Client) -> None:
    first = items(filled, period="26w")[0]
    assert (first["first_seen"], first["last_seen"]) == (clock.rfc3339(CUT - 100 * DAY), clock.rfc3339(CUT - 3 * DAY))
    messages = {FROZEN.format(quoted=f'"L{n}"', number=n) for n in range(40)}
    assert 1 < len(first["samples"]) <= 3 and set(first["samples"]) <= messages
    assert first.keys() == {"code", "template", "records", "first_seen", "last_seen", "samples"}


def test_pages_of_the_list_hold_each_template_once_and_most_records_first(filled: httpx.Client) -> None:
    whole = items(filled, limit=1_000)
    assert items(filled, limit=7) == whole
    assert [item["records"] for item in whole] == sorted((item["records"] for item in whole), reverse=True)
    assert max(Counter((item["code"], item["template"]) for item in whole).values()) == 1


def test_the_page_links_its_number_to_the_file_and_shows_every_template(filled: httpx.Client) -> None:
    whole = items(filled, period="26w", limit=1_000)
    address: str | None = f"{PATH}?period=26w"
    words = ""
    while address:
        markup = page(filled, address)
        ((file, number),) = counts(markup).items()
        assert number == len(rows_of_file(filled, period="26w")) and "snapshot=1" in file
        assert int(filled.get(file).headers["x-row-count"]) == number
        words += text_of(markup)
        address = next_page(markup)
    assert all(" ".join(item["template"].split()) in words for item in whole if item["template"].isprintable())
    assert f"{len(whole)} kinds of message" in words


def test_hostile_texts_are_shown_as_texts(filled: httpx.Client) -> None:
    shown = ""
    address: str | None = f"{PATH}?period=26w"
    while address:
        markup = page(filled, address)
        shown += markup
        address = next_page(markup)
    assert "<script>" not in shown and "&lt;script&gt;" in shown


def test_each_tenant_and_direction_has_its_own(filled: httpx.Client, empty: Empty) -> None:
    assert "only theirs" not in filled.get(API, params={"limit": 1_000}).text
    pushed = filled.get("/api/v1/fsm_to_books/reasons/unknown").json()
    assert [(item["template"], item["records"]) for item in pushed["items"]] == [("only pushed", 1)]
    assert "only pushed" in page(filled, f"{PATH}?direction=fsm_to_books")
    assert "only pushed" not in page(filled, PATH)


def test_the_reasons_lead_to_it(filled: httpx.Client) -> None:
    link = f"{PATH}?direction=books_to_fsm&period=26w"
    assert link in hrefs(page(filled, "/sync-logs/books_to_fsm?period=26w"))
    assert PATH in hrefs(page(filled, "/sync-errors"))


def test_texts_beyond_the_bound_are_counted(filled: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 35 texts: all of one record each but for none; 71 different ones are there."""
    monkeypatch.setattr(unknown, "MOST_TEXTS", 35)
    body = filled.get(API, params={"limit": 1_000}).json()
    assert body["records"] == len(rows_of_file(filled, period="62d"))
    assert body["ungrouped"] == body["records"] - sum(item["records"] for item in body["items"]) > 0
    assert "Rare messages that are not grouped here" in page(filled, PATH)


def test_a_tenant_without_unknown_failures_is_told_so(web: Web) -> None:
    with web.client(OTHER) as client:
        assert "has a reason" in page(client, PATH)
        body = client.get(API).json()
        assert (body["records"], body["items"], body["next"]) == (0, [], None)


def test_before_the_first_publication_there_is_nothing(empty: Empty) -> None:
    with empty[1]() as client:
        assert "Nothing has been published yet" in page(client, PATH)
        nothing: dict[str, Any] = {"snapshot": None, "records": 0, "ungrouped": 0, "items": [], "next": None}
        assert client.get(API).json() == nothing


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        (f"{PATH}?direction=sideways", 404, "There is no direction"),
        ("/api/v1/sideways/reasons/unknown", 404, "There is no direction"),
        (f"{PATH}?period=1y", 400, "period is"),
        (f"{API}?limit=0", 400, "limit is"),
        (f"{API}?cursor=forged", 400, "cursor is not one"),
        (f"{PATH}?snapshot=77", 410, "is not kept any more"),
    ],
)
def test_what_is_asked_wrongly_is_said(client: httpx.Client, address: str, status: int, words: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert client.post(address).status_code == 405


def test_a_cursor_of_another_period_is_refused(filled: httpx.Client) -> None:
    cursor = filled.get(API, params={"limit": 1}).json()["next"]
    assert filled.get(API, params={"cursor": cursor, "period": "26w"}).status_code == 400
