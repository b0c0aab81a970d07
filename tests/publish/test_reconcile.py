"""Live counts against rows, entry by entry."""

import datetime as dt

import pytest

from streams import clock
from streams.clickhouse.queries import reconciliation
from streams.publish.reconcile import reconcile_now
from tests.publish.world import Result, World, before_cut, results

pytestmark = pytest.mark.stack


async def difference(stage: World) -> int:
    found = await reconcile_now(stage.settings)
    assert (found.result == "exact") == (found.difference == 0)
    assert found.result != "not_reconciled"
    return found.difference


async def test_an_empty_log_is_exact(stage: World) -> None:
    assert await difference(stage) == 0


async def test_counts_of_many_entries_are_exact(stage: World) -> None:
    for hours in (1, 2, 200):
        for status in ("success", "failed", "skipped"):
            await stage.send(*results(4, status=status, occurred=before_cut(hours=hours), sync=f"S{hours}"))
    await stage.store()
    stage.count()
    assert await difference(stage) == 0


async def test_a_planted_wrong_count_is_found(stage: World) -> None:
    await stage.send(*results(5), *results(2, status="failed"))
    await stage.store()
    stage.count(wrong=3)
    assert await difference(stage) == 3


async def test_rows_that_nobody_counted_are_found(stage: World) -> None:
    await stage.arrive(*results(5), *results(2, sync="S2"))
    stage.database.command("ALTER TABLE live_counts DELETE WHERE sync_id = 'S2' SETTINGS mutations_sync = 1")
    assert await difference(stage) == 2


async def test_counts_without_rows_are_found(stage: World) -> None:
    await stage.arrive(*results(5), *results(2, sync="S2"))
    stage.database.command("ALTER TABLE sync_records DELETE WHERE sync_id = 'S2' SETTINGS mutations_sync = 1")
    assert await difference(stage) == 2


async def test_events_sent_again_are_the_difference_before_and_after_merges(stage: World) -> None:
    events = results(3)
    await stage.arrive(*events, *(event.again(partition=1) for event in events[:2]))
    assert await difference(stage) == 2
    stage.database.command("OPTIMIZE TABLE sync_records FINAL")
    assert await difference(stage) == 2


async def test_results_beyond_the_horizon_are_counted_on_neither_side(stage: World) -> None:
    hour = before_cut(days=16)
    in_time, too_late = hour + dt.timedelta(days=15), hour + dt.timedelta(days=15, milliseconds=1)
    await stage.arrive(Result(occurred=hour, received=in_time), Result(occurred=hour, received=too_late))
    assert stage.database.value("SELECT sum(records) FROM live_counts") == 1
    assert await difference(stage) == 0


async def test_entries_are_compared_at_their_own_positions(stage: World) -> None:
    """Count may be ahead with some entries; rows behind an entry's position are no difference."""
    await stage.arrive(*results(4))
    await stage.send(*results(2, sync="S2"))
    await stage.store()
    topic = stage.settings.records_topic
    assert stage.database.value("SELECT count() FROM sync_records WHERE sync_id = 'S2'") == 2
    stage.database.command(
        "INSERT INTO live_positions SELECT kafka_topic, kafka_partition, position, now64(3) FROM live_positions",
        token="p",
    )
    since = reconciliation.compared_since(clock.now())
    reconciliation.copy_entries(stage.database, "00000000-0000-0000-0000-000000000001", topic, since)
    positions = reconciliation.positions(stage.database, topic)
    compared = reconciliation.difference(
        stage.database, "00000000-0000-0000-0000-000000000001", topic, since, positions
    )
    assert compared == (0, 0)


def test_weeks_that_may_expire_while_they_are_compared_are_left_out() -> None:
    for hour in range(24 * 14):
        now = dt.datetime(2026, 11, 23, tzinfo=clock.UTC) + dt.timedelta(hours=hour)
        since = reconciliation.compared_since(now)
        assert since == clock.monday(since)
        assert dt.timedelta(days=1) < since + dt.timedelta(days=60) - now <= dt.timedelta(days=8)
