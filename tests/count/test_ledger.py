"""A ledger by itself on a real Kafka: what Faust may do with its runs, and what the changelog says afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.event import DAY_MS
from streams import clock, metrics
from streams.count import driver
from streams.count.ledger import Ledger
from streams.count.reading import LogReader
from streams.errors import PartitionLost
from tests.count.cluster import Cluster
from tests.count.messages import NOON, arrived, event, recount

pytestmark = pytest.mark.stack
SENT = 20


@pytest.fixture
async def cluster(kafka: str) -> AsyncIterator[Cluster]:
    """One partition with twenty results."""
    async with Cluster(kafka, partitions=1) as cluster:
        await cluster.send(_results(SENT))
        yield cluster


def _results(number: int) -> list[bytes]:
    return [event(clock.now_ms(), "failed" if n % 3 else "success", sync_id=f"s{n % 2}") for n in range(number)]


@asynccontextmanager
async def opened(cluster: Cluster) -> AsyncIterator[Ledger]:
    reader = LogReader(cluster.settings)
    await reader.start()
    app, _ = driver.application(cluster.settings)
    ledger = Ledger(cluster.settings, cluster.source(0), driver.table(app, "counts-0", 1), reader)
    try:
        await ledger.open()
        yield ledger
    finally:
        await ledger.close()
        await reader.close()


async def _records(cluster: Cluster) -> list[Any]:
    return await cluster.read(cluster.settings.records_topic, 0)


async def test_runs_again_and_overlapping_are_counted_once(cluster: Cluster) -> None:
    records = await _records(cluster)
    async with opened(cluster) as ledger:
        for start, end in ((0, 8), (0, 8), (3, 12), (0, 20), (19, 20)):
            await ledger.apply(records[start:end])
        await ledger.flush()
        assert dict(ledger.table.data) == recount(records)
        assert (ledger.position, ledger.committed) == (SENT, SENT)


async def test_a_ledger_that_goes_before_it_was_opened_lets_go_of_a_run(cluster: Cluster) -> None:
    """Faust has one agent for all partitions: one that waits for such a ledger would wait for ever."""
    app, _ = driver.application(cluster.settings)
    table = driver.table(app, "counts-0", 1)
    ledger = Ledger(cluster.settings, cluster.source(0), table, LogReader(cluster.settings))
    applying = asyncio.create_task(ledger.apply(await _records(cluster)))
    await asyncio.sleep(0)
    await ledger.close()
    async with asyncio.timeout(5):
        await applying
    assert (ledger.position, ledger.committed) == (0, 0)


async def test_what_faust_skipped_is_read_from_kafka(cluster: Cluster) -> None:
    records = await _records(cluster)
    before = metrics.REREAD._value.get()
    async with opened(cluster) as ledger:
        await ledger.apply(records[:4])
        await ledger.apply(records[15:])
        await ledger.flush()
        assert dict(ledger.table.data) == recount(records)
        assert metrics.REREAD._value.get() - before == 11


async def test_a_ledger_that_is_not_served_reads_what_has_waited(cluster: Cluster) -> None:
    async with opened(cluster) as ledger:
        await ledger.catch_up(SENT)
        ledger.progress -= 60
        await ledger.catch_up(SENT)
        assert ledger.position == SENT, "nothing came for a minute"
        await cluster.send(_results(5))
        ledger.progress -= 60
        await ledger.catch_up(SENT + 5)
        assert ledger.position == SENT, "the five may be on their way: they are new since the last look"
        await ledger.catch_up(SENT + 5)
        assert ledger.position == SENT + 5


async def test_the_table_holds_only_what_is_committed(cluster: Cluster) -> None:
    records = await _records(cluster)
    async with opened(cluster) as ledger:
        await ledger.apply(records[:10])
        await ledger.flush()
        await ledger.apply(records[10:])
        assert dict(ledger.table.data) == recount(records[:10])
        assert (ledger.committed, ledger.position) == (10, SENT)
        assert ledger.oldest_uncommitted == records[10].timestamp


async def test_the_next_owner_goes_on_where_the_last_one_committed(cluster: Cluster) -> None:
    records = await _records(cluster)
    async with opened(cluster) as ledger:
        await ledger.apply(records[:12])
        await ledger.flush()
        await ledger.apply(records[12:15])  # not committed, so forgotten
    async with opened(cluster) as ledger:
        assert ledger.position == 12
        assert dict(ledger.table.data) == recount(records[:12])
        assert ledger.unwritten.keys() == set(ledger.table.data), "ClickHouse may not have got them"
        await ledger.apply(records)
        await ledger.flush()
        assert dict(ledger.table.data) == recount(records)
        await cluster.group_reaches(0, SENT)


async def test_an_owner_that_was_replaced_can_not_commit(cluster: Cluster) -> None:
    records = await _records(cluster)
    async with opened(cluster) as first:
        await first.apply(records[:5])
        async with opened(cluster) as second:
            await second.apply(records)
            await second.flush()
            with pytest.raises(PartitionLost):
                await first.flush()
    state = await cluster.state(0)
    assert state and state.entries == recount(records)


async def test_a_position_beyond_the_end_of_the_log_stops_the_ledger(cluster: Cluster) -> None:
    async with opened(cluster) as ledger:
        await ledger.apply(arrived(*_results(3), first=0))
        ledger.position, ledger.progress = 1000, ledger.progress - 60
        await ledger.catch_up(SENT)
        assert "the position 1000 is not in its log, which holds 0 to 20" in ledger.stopped
        await ledger.apply(arrived(*_results(3), first=1000))
        assert ledger.position == 1000


async def test_entries_are_deleted_a_day_after_their_hour_left_the_horizon(cluster: Cluster) -> None:
    #   hour of `old`     15 days: horizon     16 days: deleted
    #   |------|-----------------------|--------------|
    #                                        ^ kept     ^ gone
    old, new = event(NOON, sync_id="old"), event(NOON + 15 * DAY_MS, sync_id="new")
    async with opened(cluster) as ledger:
        await ledger.apply(arrived(old, at=NOON))
        await ledger.flush()
        await ledger.apply(arrived(new, at=NOON + 16 * DAY_MS, first=1))
        ledger.unwritten.clear()
        await ledger.flush()
        assert {entry[3] for entry in ledger.table.data} == {"old", "new"}
        await ledger.apply(arrived(new, at=NOON + 17 * DAY_MS, first=2))
        await ledger.flush()
        assert {entry[3] for entry in ledger.table.data} == {"new"}
    state = await cluster.state(0)
    assert state and {entry[3] for entry in state.entries} == {"new"}
    assert state.latest == NOON + 17 * DAY_MS


async def test_an_entry_that_clickhouse_has_not_got_is_not_deleted(cluster: Cluster) -> None:
    async with opened(cluster) as ledger:
        await ledger.apply(arrived(event(NOON, sync_id="old"), at=NOON))
        await ledger.flush()
        for number in (1, 2):
            late = arrived(event(NOON + 30 * DAY_MS), at=NOON + 30 * DAY_MS + number * 3_600_000, first=number)
            await ledger.apply(late)
            await ledger.flush()
            assert any(entry[3] == "old" for entry in ledger.table.data) is (number == 1)
            ledger.unwritten.clear()


async def test_flushes_and_counting_at_the_same_time_stay_exact(cluster: Cluster) -> None:
    await cluster.send(_results(400))
    records = await _records(cluster)
    async with opened(cluster) as ledger:

        async def count() -> None:
            for start in range(0, len(records), 5):
                await ledger.apply(records[start : start + 5])
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        while not counting.done():
            await ledger.flush()
            await asyncio.sleep(0)  # a flush of nothing lets nobody else run
        await ledger.flush()
        assert dict(ledger.table.data) == recount(records)
    state = await cluster.state(0)
    assert state and state.entries == recount(records)
