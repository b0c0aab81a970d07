"""The API against a published view whose numbers are known: shapes, numbers, paging, and whose rows they are."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from schemas.reasons import CATALOGUE
from streams import clock
from streams.clickhouse.client import Database
from streams.web.failures import COLUMNS
from tests.web import seeded
from tests.web.conftest import Web
from tests.web.seeded import CUT, DAY, DIRECTION, FIRST, HOSTILE, NASTY, OTHER, SECOND

pytestmark = pytest.mark.stack
API = f"/api/v1/{DIRECTION}"


def get(client: httpx.Client, address: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(address, params=parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert isinstance(body, dict)
    return body


def all_items(client: httpx.Client, address: str, **parameters: Any) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = get(client, address, **parameters, **({"cursor": cursor} if cursor else {}))
        items += body["items"]
        cursor = body["next"]
    return items


def test_every_answer_names_its_snapshot(client: httpx.Client) -> None:
    expected = {
        "number": 2,
        "cut": clock.rfc3339(CUT),
        "cuts": {"0": 1_000_000, "1": 1_000_000},
        "published_at": clock.rfc3339(CUT + DAY / 480),
        "next_at": clock.rfc3339(CUT + 7 * DAY),
    }
    for path in ("summary", "syncs", "syncs/big", "reasons", "failures"):
        assert get(client, f"{API}/{path}")["snapshot"] == expected


def test_a_list_answers_items_and_next(client: httpx.Client) -> None:
    for path in ("syncs", "reasons", "failures"):
        assert get(client, f"{API}/{path}", limit=1).keys() == {"snapshot", "items", "next"}


def test_the_summary_counts_by_day_and_status(client: httpx.Client, web: Web) -> None:
    for period, days in (("62d", 62), ("26w", 182)):
        body = get(client, f"{API}/summary", period=period)
        results = web.seed.of(days=days)
        for name, status in (("succeeded", "success"), ("failed", "failed"), ("skipped", "skipped")):
            assert body["totals"][name] == sum(r.status == status for r in results)
            by_day = {item["day"]: item[name] for item in body["days"]}
            day = (CUT - 3 * DAY).date()
            assert by_day[day.isoformat()] == sum(r.status == status and r.at.date() == day for r in results)
        assert body["totals"]["total"] == len(results)
        assert len(body["days"]) == days + 1, "every day from the period's first to the cut's"
    assert body["dead_letters"] == [{"code": "invalid_json", "messages": 3}, {"code": "too_large", "messages": 1}]
    assert (body["reconciliation"], body["difference"]) == ("exact", 0)


def test_syncs_come_newest_first_with_their_numbers_and_reasons(client: httpx.Client, web: Web) -> None:
    items = all_items(client, f"{API}/syncs", limit=7)
    results = web.seed.of(days=182)
    firsts = {s: min(r.at for r in results if r.sync_id == s) for s in {r.sync_id for r in results}}
    assert [item["sync_id"] for item in items] == sorted(firsts, key=lambda s: (firsts[s], s), reverse=True)
    for item in items:
        counts = web.seed.sync(item["sync_id"])
        assert (item["succeeded"], item["failed"], item["skipped"]) == tuple(counts[s] for s in seeded.STATUSES)
        assert item["total"] == counts.total()
        assert sum(reason["records"] for reason in item["reasons"]) == item["failed"]


def test_a_sync_has_the_shape_of_the_contract(client: httpx.Client, web: Web) -> None:
    body = get(client, f"{API}/syncs/big")
    body.pop("snapshot")
    reasons = body.pop("reasons")
    counts = web.seed.sync("big")
    assert body == {
        "sync_id": "big",
        "modules": ["customers"],
        "started_at": clock.rfc3339(CUT - 3 * DAY),
        "finished_at": clock.rfc3339(clock.from_ms(clock.to_ms(CUT - 3 * DAY) + 299)),
        "expected": 300,
        "total": 300,
        "succeeded": counts["success"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
        "outcome": "partly_failed",
    }
    assert all(item.keys() == {"reason", "records"} for item in reasons)
    assert next(i for i in get(client, f"{API}/syncs")["items"] if i["sync_id"] == "big")["reasons"] == reasons


def test_a_sync_without_marks_has_no_times_of_its_own(client: httpx.Client) -> None:
    body = get(client, f"{API}/syncs/sync-003")
    assert (body["started_at"], body["finished_at"], body["expected"]) == (None, None, None)


def test_a_sync_id_may_hold_any_character(client: httpx.Client) -> None:
    from urllib.parse import quote

    body = get(client, f"{API}/syncs/{quote(HOSTILE, safe='')}")
    assert (body["sync_id"], body["failed"]) == (HOSTILE, len(NASTY))


def test_reasons_explain_themselves_and_count_as_the_results_do(client: httpx.Client, web: Web) -> None:
    for period, days in (("62d", 62), ("26w", 182)):
        items = get(client, f"{API}/reasons", period=period)["items"]
        assert {item["reason"]: item["records"] for item in items} == web.seed.reasons(days)
        assert [i["records"] for i in items] == sorted((i["records"] for i in items), reverse=True)
    entry = CATALOGUE.by_code["invalid_format"]
    assert next(i for i in items if i["reason"] == "invalid_format") == {
        "reason": "invalid_format",
        "title": entry.title,
        "owner": entry.owner,
        "remedy": entry.remedy,
        "retryable": entry.retryable,
        "records": len(NASTY),
        "syncs": 1,
    }
    assert all_items(client, f"{API}/reasons", period="26w", limit=1) == items


def test_failures_are_the_rows_behind_the_counts(client: httpx.Client, web: Web) -> None:
    for parameters, expected in (
        ({}, web.seed.reasons(62).total()),
        ({"period": "26w"}, web.seed.reasons(182).total()),
        ({"reason": "duplicate_record"}, web.seed.reasons(62)["duplicate_record"]),
        ({"sync_id": "big"}, web.seed.sync("big")["failed"]),
        ({"sync_id": "big", "reason": "rate_limited"}, 0),
    ):
        items = all_items(client, f"{API}/failures", limit=13, **parameters)
        assert len(items) == len({item["event_id"] for item in items}) == expected, parameters
        assert all(tuple(item) == COLUMNS for item in items)


def test_failures_have_the_texts_as_they_came(client: httpx.Client) -> None:
    items = all_items(client, f"{API}/failures", sync_id=HOSTILE)
    assert {item["record_name"] for item in items} == set(NASTY)
    first = next(item for item in items if item["record_id"] == "r0")
    assert (first["error_count"], first["error_20_field"], first["payload"]) == (20, NASTY[0], '{"Email":"=1+1"}')


def test_an_earlier_snapshot_shows_what_it_showed(client: httpx.Client) -> None:
    earlier = get(client, f"{API}/syncs/big", snapshot=1)
    assert (earlier["snapshot"]["number"], earlier["total"]) == (1, 10)
    assert get(client, f"{API}/syncs/big")["total"] == 300


def test_a_cursor_keeps_to_its_snapshot(client: httpx.Client) -> None:
    page = get(client, f"{API}/syncs", snapshot=1, limit=1)
    assert get(client, f"{API}/syncs", cursor=page["next"])["snapshot"]["number"] == 1
    assert client.get(f"{API}/syncs", params={"cursor": page["next"], "snapshot": 2}).status_code == 400


def test_a_cursor_fits_its_own_list_and_tenant_only(client: httpx.Client, web: Web) -> None:
    cursor = get(client, f"{API}/syncs", limit=1)["next"]
    assert client.get(f"{API}/failures", params={"cursor": cursor}).status_code == 400
    assert client.get(f"{API}/syncs", params={"cursor": cursor, "period": "62d"}).status_code == 400
    with web.client(OTHER) as other:
        assert other.get(f"{API}/syncs", params={"cursor": cursor}).status_code == 400


def test_each_tenant_sees_its_own_rows_only(client: httpx.Client, web: Web) -> None:
    with web.client(OTHER) as other:
        assert {i["sync_id"] for i in all_items(other, f"{API}/syncs")} == {"sync-000", "only-theirs"}
        assert get(other, f"{API}/syncs/sync-000")["failed"] == 3
        assert [i["reason"] for i in get(other, f"{API}/reasons")["items"]] == ["rate_limited"]
        assert get(other, f"{API}/summary")["dead_letters"] == []
        assert other.get(f"{API}/syncs/big").status_code == 404
    theirs, never = (client.get(f"{API}/syncs/{sync}") for sync in ("only-theirs", "never-was"))
    assert (theirs.status_code, never.status_code) == (404, 404)
    assert theirs.text.replace("only-theirs", "X") == never.text.replace("never-was", "X")


def test_directions_are_apart(client: httpx.Client) -> None:
    assert [i["sync_id"] for i in get(client, "/api/v1/fsm_to_books/syncs")["items"]] == ["pushed"]
    assert client.get("/api/v1/fsm_to_books/syncs/big").status_code == 404


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("syncs?limit=abc", "limit is 'abc'"),
        ("syncs?limit=0", "limit is '0'"),
        ("failures?limit=1001", "limit is '1001'"),
        ("reasons?period=1y", "period is '1y': Input should be '62d' or '26w'."),
        ("failures?reason=", "reason is ''"),
    ],
)
def test_a_bad_parameter_is_named_with_its_value(client: httpx.Client, path: str, words: str) -> None:
    answer = client.get(f"{API}/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"].startswith(words)


def test_a_snapshot_that_never_was_is_gone(client: httpx.Client) -> None:
    answer = client.get(f"{API}/syncs?snapshot=77")
    assert (answer.status_code, answer.json()["link"]) == (410, f"/sync-logs/{DIRECTION}")


Empty = tuple[Database, Callable[[], httpx.Client]]


def test_before_the_first_publication_lists_are_empty_and_say_so(empty: Empty) -> None:
    with empty[1]() as client:
        for path in ("syncs", "reasons", "failures"):
            assert get(client, f"{API}/{path}") == {"snapshot": None, "items": [], "next": None}
        summary = get(client, f"{API}/summary")
        assert (summary["snapshot"], summary["totals"]["total"], summary["days"]) == (None, 0, [])
        assert client.get(f"{API}/syncs/big").status_code == 404
        assert client.get(f"{API}/syncs?snapshot=1").status_code == 410


def test_a_snapshot_is_honoured_while_its_rows_stand(empty: Empty) -> None:
    """1 may have lost rows to the TTL; 2 was replaced by 3, two days ago; 3 and all behind it stand."""
    database, make = empty
    now = clock.now()
    seeded.pointer(database, 1, [FIRST], CUT - 40 * DAY)
    seeded.pointer(database, 2, [FIRST], CUT - 7 * DAY, published_at=now - 3 * DAY)
    seeded.pointer(database, 3, [SECOND], CUT - 7 * DAY, published_at=now - 2 * DAY)
    seeded.pointer(database, 4, [SECOND, FIRST], CUT - 7 * DAY, published_at=now - DAY)
    seeded.pointer(database, 5, [SECOND, FIRST, seeded.CRASHED], CUT, published_at=now)
    with make() as client:
        statuses = {n: client.get(f"{API}/syncs", params={"snapshot": n}).status_code for n in range(7)}
    assert statuses == {0: 410, 1: 410, 2: 410, 3: 200, 4: 200, 5: 200, 6: 410}
