"""What reaches live_counts and live_positions, on a real engine; the ledgers here never meet Kafka."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.rows import TableColumns
from streams import metrics
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.config import Settings, load
from streams.count import driver, live
from streams.count.ledger import Ledger
from streams.count.live import Live
from streams.count.reading import LogReader
from streams.count.tally import KEPT_MS, Counts, Entry
from streams.errors import StoreUnavailable

pytestmark = pytest.mark.stack
HOUR = 1_794_992_400


@pytest.fixture
def settings(clickhouse: str, database: str) -> Settings:
    settings = load(clickhouse=clickhouse, database=database, records_topic="records", partitions=2)
    migrate(settings)
    return settings


@pytest.fixture
async def ledger(settings: Settings) -> AsyncIterator[Ledger]:
    ledger = make(settings)
    yield ledger
    await ledger.close()


def make(settings: Settings, partition: int = 0) -> Ledger:
    """A ledger as it is after opening, with nothing counted."""
    app, _ = driver.application(settings)
    table = driver.table(app, f"counts-{partition}", 2)
    ledger = Ledger(settings, TopicPartition("records", partition), table, LogReader(settings))
    ledger.ready.set()
    return ledger


def commit(ledger: Ledger, position: int, **syncs: Counts) -> None:
    """What a flush leaves behind."""
    changed: dict[Entry, Counts] = {(HOUR, "acme", "books_to_fsm", sync): counts for sync, counts in syncs.items()}
    ledger.table.update(changed)
    ledger.unwritten.update(dict.fromkeys(changed, position))
    ledger.committed = ledger.position = position


def rows(settings: Settings) -> list[tuple[Any, ...]]:
    found = Database(settings).rows(
        "SELECT sync_id, status, reason, records, position FROM live_counts FINAL ORDER BY ALL"
    )
    return [tuple(row.values()) for row in found]


def positions(settings: Settings) -> dict[int, int]:
    found = Database(settings).rows("SELECT kafka_partition AS p, position FROM live_positions FINAL")
    return {row["p"]: row["position"] for row in found}


def intercept(follower: Live, monkeypatch: pytest.MonkeyPatch, *meanwhile: Callable[[], None]) -> None:
    """During the first inserts these are called, one each; then each insert goes its way."""
    insert, left = follower._writer.insert, list(meanwhile)

    def slow(table: TableColumns, columns: Sequence[Sequence[Any]], token: str) -> None:
        if left:
            left.pop(0)()
        insert(table, columns, token)

    monkeypatch.setattr(follower._writer, "insert", slow)


def fail() -> None:
    raise StoreUnavailable("away")


async def test_all_rows_of_a_changed_entry_are_written_at_one_position(settings: Settings, ledger: Ledger) -> None:
    follower = Live(settings, lambda: [ledger])
    commit(ledger, 10, s1={"success": 4, "failed:duplicate": 1, "skipped": 1}, s2={"success": 4})
    await follower.write()
    commit(ledger, 15, s1={"success": 9, "failed:duplicate": 1, "skipped": 1})
    await follower.write()
    assert rows(settings) == [
        ("s1", "failed", "duplicate", 1, 15),
        ("s1", "skipped", "", 1, 15),
        ("s1", "success", "", 9, 15),
        ("s2", "success", "", 4, 10),
    ]
    assert positions(settings) == {0: 15}


async def test_a_late_writer_never_replaces_a_later_state(settings: Settings, ledger: Ledger) -> None:
    frozen = make(settings)
    commit(ledger, 20, s1={"success": 20})
    commit(frozen, 10, s1={"success": 10})
    await Live(settings, lambda: [ledger]).write()
    await Live(settings, lambda: [frozen]).write()
    await frozen.close()
    assert rows(settings) == [("s1", "success", "", 20, 20)]
    assert positions(settings) == {0: 20}


async def test_what_clickhouse_does_not_take_is_written_later_in_its_state_of_then(
    settings: Settings, ledger: Ledger
) -> None:
    away = settings.model_copy(update={"clickhouse": "http://127.0.0.1:9"})
    commit(ledger, 5, s1={"success": 5})
    await Live(away, lambda: [ledger]).write()
    assert {entry[3] for entry in ledger.unwritten} == {"s1"}
    commit(ledger, 7, s1={"success": 6}, s2={"success": 1})
    await Live(settings, lambda: [ledger]).write()
    assert rows(settings) == [("s1", "success", "", 6, 7), ("s2", "success", "", 1, 7)]
    assert not ledger.unwritten


async def test_tables_that_are_not_there_yet_stop_nothing(clickhouse: str, database: str) -> None:
    settings = load(clickhouse=clickhouse, database=database, records_topic="records")
    ledger = make(settings)
    follower = Live(settings, lambda: [ledger])
    commit(ledger, 5, s1={"success": 5})
    await follower.write()
    migrate(settings)
    await follower.write()
    await ledger.close()
    assert rows(settings) == [("s1", "success", "", 5, 5)]


async def test_a_position_is_told_only_when_nothing_below_it_is_unwritten(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Live(settings, lambda: [ledger])
    commit(ledger, 5, s1={"success": 5})
    intercept(follower, monkeypatch, fail)
    await follower.write()
    assert positions(settings) == {}
    monkeypatch.setattr(live, "ENTRIES_AT_ONCE", 2)
    commit(ledger, 9, **{f"s{number}": {"success": 1} for number in range(7)})
    await follower.write()
    assert len(rows(settings)) == 7
    assert positions(settings) == {0: 9}


async def test_positions_advance_when_there_is_nothing_to_count(settings: Settings, ledger: Ledger) -> None:
    follower = Live(settings, lambda: [ledger])
    await follower.write()
    assert positions(settings) == {0: 0}
    written = metrics.UPSERTED._value.get()
    await follower.write()
    assert metrics.UPSERTED._value.get() == written, "an unchanged position is not written each time"
    ledger.committed = ledger.position = 3
    await follower.write()
    assert positions(settings) == {0: 3}


async def test_a_ledger_that_is_being_restored_is_left_alone(settings: Settings, ledger: Ledger) -> None:
    ledger.ready.clear()
    await Live(settings, lambda: [ledger]).write()
    assert positions(settings) == {}


async def test_a_round_ends_although_every_insert_takes_longer_than_a_flush(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Live(settings, lambda: [ledger])
    commit(ledger, 5, s1={"success": 5})
    flushes = [partial(commit, ledger, 6 + n, **{f"new{n}": {"success": 1}}) for n in range(20)]
    intercept(follower, monkeypatch, *flushes)
    await follower.write()
    assert positions(settings) == {0: 5}, "what was committed at the round's beginning, and no more"
    await follower.write()
    assert positions(settings)[0] > 5


async def test_a_change_during_an_insert_is_written_by_the_next(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Live(settings, lambda: [ledger])
    commit(ledger, 5, s1={"success": 5}, s2={"success": 1})
    intercept(follower, monkeypatch, lambda: commit(ledger, 8, s1={"success": 8}))
    await follower.write()
    assert {entry[3] for entry in ledger.unwritten} == {"s1"}
    await follower.write()
    assert rows(settings) == [("s1", "success", "", 8, 8), ("s2", "success", "", 1, 5)]
    assert not ledger.unwritten


async def test_an_entry_is_not_swept_while_its_insert_is_under_way_and_may_fail(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Live(settings, lambda: [ledger])
    commit(ledger, 5, s1={"success": 5})

    def swept_meanwhile() -> None:
        ledger._latest = HOUR * 1000 + 2 * KEPT_MS
        for entry in ledger._left_behind({}):
            del ledger.table[entry]
        fail()

    intercept(follower, monkeypatch, swept_meanwhile)
    await follower.write()
    await follower.write()
    assert rows(settings) == [("s1", "success", "", 5, 5)]


async def test_an_entry_that_is_not_in_the_table_ends_nothing(settings: Settings, ledger: Ledger) -> None:
    commit(ledger, 5, s1={"success": 5})
    ledger.unwritten[HOUR, "acme", "books_to_fsm", "gone"] = 5
    await Live(settings, lambda: [ledger]).write()
    assert rows(settings) == [("s1", "success", "", 5, 5)]
    assert not ledger.unwritten
