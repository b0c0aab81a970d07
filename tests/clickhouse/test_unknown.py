"""Unknown failures of stored history: each failed record once, by its published reasons where it is published."""

import uuid

import pytest

from streams import clock
from streams.clickhouse.client import Database
from streams.clickhouse.queries.unknown import Counts, History, Unknown
from tests.clickhouse.failed_rows import CRASHED, CUT, DAY, NOW, Row, failed, pointer, published, put

pytestmark = pytest.mark.stack
SINCE = clock.to_ms(NOW - 182 * DAY)
X = ("odd thing", "unclassified")
Y = ("odder thing", "unclassified")
KNOWN = ("too many requests", "rate_limited")


def read(database: Database, since: int = SINCE, tenant: str = "") -> list[tuple[str, str, list[str]]]:
    return [(r.tenant, r.sync_id, [m for _, m in r.errors]) for r in History(database, since, tenant).stream()]


def test_before_the_first_publication_every_row_tells_its_own_reason(tables: Database) -> None:
    put(tables, "sync_records", failed("s-1", 1, X, offset=1), failed("s-1", 2, KNOWN, offset=2),
        failed("s-1", 3, KNOWN, X, Y, offset=3), failed("s-1", 4, offset=4, status="success"))  # fmt: skip
    assert sorted(read(tables)) == [("acme", "s-1", [X[0]]), ("acme", "s-1", [X[0], Y[0]])]
    assert History(tables, SINCE).counts() == Counts(failed=3, unknown=2, unclassified=1)


def test_a_failure_without_a_text_is_one_empty_error(tables: Database) -> None:
    one = failed("s-1", 1, ("", "unclassified"), offset=1)
    none = failed("s-1", 2, offset=2, reason="unclassified")
    put(tables, "sync_records", one, none)
    assert [unknown.errors for unknown in History(tables, SINCE).stream()] == [(("", ""),)] * 2


def test_published_rows_have_their_published_reason_and_later_ones_their_own(tables: Database) -> None:
    """1 was recognised by a reclassification, 2 was not, 3 came after the cut; a crashed attempt counts nothing."""
    rows = [failed("s-1", n, X, offset=n if n < 3 else CUT + n) for n in (1, 2, 3)]
    put(tables, "sync_records", *rows)
    recognised: Row = {"reason": "rate_limited", "error_reasons": ["rate_limited"]}
    put(tables, "published_failures", published(rows[0], **recognised), published(rows[1]),
        published(failed("s-9", 9, Y, offset=9), CRASHED))  # fmt: skip
    pointer(tables)
    assert read(tables) == [("acme", "s-1", [X[0]])] * 2
    assert History(tables, SINCE).counts() == Counts(failed=3, unknown=2, unclassified=2)


def test_a_copy_is_no_record_of_its_own(tables: Database) -> None:
    """Sent again after the cut: of a published failure, of a success below the cut, and twice after the cut."""
    shown, success = failed("s-1", 1, X, offset=1), failed("s-1", 2, X, offset=2, status="success", reason="")
    fresh = failed("s-1", 3, X, offset=CUT + 3)
    again = [failed("s-1", number, Y, offset=CUT + 10 * number) for number in (1, 2, 3)]
    put(tables, "sync_records", shown, success, fresh, *again)
    put(tables, "published_failures", published(shown))
    pointer(tables)
    assert read(tables) == [("acme", "s-1", [X[0]])] * 2
    tables.command("OPTIMIZE TABLE sync_records FINAL")
    assert read(tables) == [("acme", "s-1", [X[0]])] * 2
    assert History(tables, SINCE).counts().failed == 2


def test_published_and_fresh_records_of_a_sync_come_together(tables: Database) -> None:
    rows = [
        failed(sync, n, X, offset=n, tenant=tenant) for tenant in ("b", "ä", "a") for sync, n in (("2", 1), ("1", 2))
    ]
    put(tables, "published_failures", *(published(row) for row in rows))
    put(tables, "sync_records", *(row | {"event_id": uuid.uuid4(), "kafka_offset": CUT + 1} for row in rows))
    pointer(tables)
    places = [(tenant, sync) for tenant, sync, _ in read(tables)]
    assert places == [(t, s) for t in ("a", "b", "ä") for s in ("1", "1", "2", "2")]


def test_since_and_tenant_bound_what_is_read(tables: Database) -> None:
    old: Row = {"occurred_at": NOW - 100 * DAY}
    rows = [
        failed("s-1", 1, X, offset=1),
        failed("s-1", 2, Y, offset=2, **old),
        failed("s-1", 3, X, offset=3, tenant="b"),
    ]
    put(tables, "published_failures", *(published(row) for row in rows))
    put(tables, "sync_records", *(row | {"event_id": uuid.uuid4(), "kafka_offset": CUT + 1} for row in rows))
    pointer(tables)
    week = clock.to_ms(NOW - 7 * DAY)
    assert len(read(tables)) == 6
    assert {m for _, _, (m,) in read(tables, week)} == {X[0]} and len(read(tables, week)) == 4
    assert {t for t, _, _ in read(tables, tenant="b")} == {"b"} and len(read(tables, week, "acme")) == 2
    assert History(tables, week, "acme").counts() == Counts(2, 2, 2)
    assert History(tables, week, "nobody").counts() == Counts(0, 0, 0)
    assert isinstance(next(History(tables, week, "acme").stream()), Unknown)
