"""What reaches live_counts and live_positions, on a real engine; the ledgers here never meet Kafka."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams import metrics
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.config import Settings, load
from streams.count import driver, live
from streams.count.ledger import Ledger
from streams.count.live import Live
from streams.count.reading import LogReader
from streams.count.tally import Counts, Entry

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
    ledger.unwritten.update(changed)
    ledger.committed = ledger.position = position


def rows(settings: Settings) -> list[tuple[Any, ...]]:
    found = Database(settings).rows(
        "SELECT sync_id, status, reason, records, position FROM live_counts FINAL ORDER BY ALL"
    )
    return [tuple(row.values()) for row in found]


def positions(settings: Settings) -> dict[int, int]:
    found = Database(settings).rows("SELECT kafka_partition AS p, position FROM live_positions FINAL")
    return {row["p"]: row["position"] for row in found}


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
    await follower._write_positions()
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
