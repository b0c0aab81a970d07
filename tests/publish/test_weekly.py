"""The whole way of a publication on real parts: what people see after it, whatever happened on the way."""

import asyncio
import threading
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from streams import clock, metrics
from streams.clickhouse.queries.leftovers import tidy
from streams.errors import PositionOutOfRange, SettingsError, TotalsDiffer, UsageError
from streams.publish.weekly import publish
from tests.publish.recount import agrees_with_recount
from tests.publish.world import MONDAY, Result, World, before_cut, results

pytestmark = pytest.mark.stack
LAST_WEEK = clock.week_of(before_cut(days=1))


class Killed(BaseException):
    """Ends a publication at a step, as a kill would: nothing catches it."""


async def test_publishes_the_last_ended_week_once(stage: World) -> None:
    await stage.arrive(*results(5), *results(3, status="failed"), *results(2, status="skipped"))
    snapshot = await stage.publish()
    assert (snapshot.number, snapshot.cut, snapshot.next_at) == (1, MONDAY, MONDAY + clock.WEEK)
    assert snapshot.reconciliation == "exact"
    row = stage.snapshots()[0]
    assert (row["syncs"], row["succeeded"], row["failed"], row["skipped"]) == (1, 5, 3, 2)
    assert row["week"] == LAST_WEEK
    assert await stage.publish() is None
    assert "is published: snapshot 1" in stage.said[-1]
    assert await stage.publish(week=LAST_WEEK) is None
    assert f"week {LAST_WEEK} is published" in stage.said[-1]
    assert len(stage.snapshots()) == 1


async def test_nothing_is_published_before_anything_was_received(stage: World) -> None:
    await stage.arrive(Result(occurred=MONDAY, received=MONDAY))
    assert await stage.publish() is None
    assert "nothing to publish" in stage.said[-1]
    assert stage.snapshots() == []


async def test_what_arrives_at_the_cut_is_in_the_next_snapshot(stage: World) -> None:
    late = before_cut(hours=2)
    await stage.arrive(Result(received=MONDAY - clock.WEEK / 1_000), Result(occurred=late, received=MONDAY))
    await stage.publish()
    assert stage.sync()["total"] == 1
    await stage.publish(now=True)
    assert stage.sync()["total"] == 2


async def test_a_second_publication_takes_only_what_is_new(stage: World) -> None:
    await stage.arrive(*results(4, status="failed"), *results(3, sync="S2"))
    await stage.publish(now=True)
    await stage.arrive(*results(2, status="failed"))
    second = await stage.publish(now=True)
    new = stage.database.rows(
        "SELECT (SELECT count() FROM published_failures WHERE attempt_id = {a:UUID}) AS failures, "
        "(SELECT groupArray(sync_id) FROM published_syncs WHERE attempt_id = {a:UUID}) AS syncs",
        a=second.attempts[-1],
    )[0]
    assert (new["failures"], list(new["syncs"])) == (2, ["S1"])
    assert stage.sync("S1")["failed"] == 6
    assert stage.sync("S2")["succeeded"] == 3
    assert stage.snapshots()[-1]["failed"] == 6
    await agrees_with_recount(stage)


async def test_days_that_differ_from_the_syncs_are_published_and_told(stage: World) -> None:
    await stage.arrive(*results(4), Result(sync="S2"))
    await stage.publish(now=True)
    assert metrics.DAYS_DIFFERENCE._value.get() == 0
    # As after a merge that kept a copy beyond the cut: a row of a sync that nothing else touches is not there.
    stage.database.command("ALTER TABLE sync_records DELETE WHERE sync_id = 'S2' SETTINGS mutations_sync = 1")
    await stage.arrive(*results(2))
    assert (await stage.publish(now=True)).number == 2
    assert metrics.DAYS_DIFFERENCE._value.get() == 1


async def test_a_running_sync_gets_its_outcome_from_a_later_publication(stage: World) -> None:
    for sync in ("done", "lost"):
        await stage.arrive(Result(sync=sync, kind="sync_started", occurred=before_cut(days=7, hours=3)))
    await stage.arrive(
        *(Result(sync=sync, occurred=before_cut(days=7, minutes=9)) for sync in ("done", "lost", "bare"))
    )
    await stage.publish(week=clock.week_of(before_cut(days=8)))
    assert [stage.sync(sync)["outcome"] for sync in ("done", "lost", "bare")] == ["running"] * 3
    end = before_cut(days=6)
    await stage.arrive(Result(sync="done", kind="sync_finished", records_total=1, occurred=end))
    await stage.publish()
    assert [stage.sync(sync)["outcome"] for sync in ("done", "lost", "bare")] == [
        "completed",
        "incomplete",
        "completed",
    ]
    assert clock.to_ms(stage.sync("done")["finished_at"].replace(tzinfo=clock.UTC)) == clock.to_ms(end)


async def test_killed_at_every_step_and_published_again_nothing_differs(stage: World) -> None:
    await stage.arrive(*results(6, status="failed"), *results(7, sync="S2"), Result(sync="S2", kind="sync_started"))
    steps = 0
    while True:
        steps += 1
        said = 0

        def kill(_: str, last: int = steps) -> None:
            nonlocal said
            said += 1
            if said == last:
                raise Killed

        try:
            await publish(stage.settings, say=kill)
            break
        except Killed:
            if stage.snapshots():
                break
    assert steps >= 8
    assert await stage.publish() is None
    assert [row["number"] for row in stage.snapshots()] == [1]
    assert len(stage.published()["failures"]) == 6
    await agrees_with_recount(stage)


async def test_what_killed_tries_left_is_deleted_a_day_later(stage: World) -> None:
    await stage.arrive(*results(3, status="failed"))

    def kill(sentence: str) -> None:
        if sentence == "days appended":
            raise Killed

    with pytest.raises(Killed):
        await publish(stage.settings, say=kill)
    await stage.publish()
    left = "SELECT count() FROM published_failures"
    assert (tidy(stage.database, clock.now()), stage.database.value(left)) == (0, 6)
    assert (tidy(stage.database, clock.now() + clock.WEEK / 6), stage.database.value(left)) == (1, 3)
    assert stage.database.value("SELECT count() FROM published_syncs") == 1
    assert tidy(stage.database, clock.now() + clock.WEEK) == 0


async def test_of_two_publishers_at_once_one_wins_and_the_other_sees_it(stage: World) -> None:
    await stage.arrive(*results(9, status="failed"))
    at_the_pointer, published = threading.Event(), threading.Event()
    said: list[str] = []

    def hold(sentence: str) -> None:
        said.append(sentence)
        if sentence == "totals agree":
            at_the_pointer.set()
            assert published.wait(60)

    slow = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(publish(stage.settings, say=hold))))
    await asyncio.to_thread(at_the_pointer.wait, 60)
    lost = metrics.PUBLISHED.labels("lost_race")._value.get()
    fast = await stage.publish()
    published.set()
    assert await slow is None
    assert "another publisher was faster" in said[-2]
    assert "is published: snapshot 1" in said[-1]
    assert metrics.PUBLISHED.labels("lost_race")._value.get() == lost + 1
    assert [[str(a) for a in row["attempts"]] for row in stage.snapshots()] == [fast.attempts]
    assert len(stage.published()["failures"]) == 9


async def test_missed_weeks_make_one_publication(stage: World) -> None:
    for ago in (23, 16, 9, 2):
        await stage.arrive(*results(2, sync=f"S{ago}", status="failed", occurred=before_cut(days=ago)))
    weeks = [clock.week_of(before_cut(days=ago)) for ago in (23, 16, 9, 2)]
    first = await stage.publish(week=weeks[0])
    assert first.cut == MONDAY - 3 * clock.WEEK
    assert len(stage.published()["failures"]) == 2
    second = await stage.publish()
    assert (second.number, second.cut) == (2, MONDAY)
    assert [row["week"] for row in stage.snapshots()] == [weeks[0], weeks[3]]
    assert len(stage.published()["failures"]) == 8
    for week in weeks:
        assert await stage.publish(week=week) is None
        assert f"week {week} is published: snapshot 2" in stage.said[-1]
    await agrees_with_recount(stage)


async def test_a_week_that_has_not_ended_is_refused(stage: World) -> None:
    week = clock.week_of(clock.now())
    with pytest.raises(UsageError, match=f"week {week} has not ended"):
        await stage.publish(week=week)


async def test_a_week_that_the_log_does_not_reach_back_to_is_refused_but_covered_later(stage: World) -> None:
    await stage.arrive(*results(4, occurred=before_cut(days=9)), *results(4, sync="S2", occurred=before_cut(days=2)))
    week = clock.week_of(before_cut(days=16))
    assert await stage.publish(week=week) is None
    await stage.forget(2)
    with pytest.raises(UsageError, match=f"week {week} can't be cut any more"):
        await stage.publish(week=week)
    await stage.publish()
    assert stage.snapshots()[0]["succeeded"] == 8


async def test_live_counts_that_are_wrong_are_published_with_the_difference(stage: World) -> None:
    await stage.send(*results(4), *results(3, status="failed"))
    await stage.store()
    stage.count(wrong=2)
    snapshot = await stage.publish()
    assert (snapshot.reconciliation, snapshot.difference) == ("differs", 2)
    assert metrics.DIFFERENCE._value.get() == 2


@pytest.mark.parametrize("broken", ["live_counts", "live_positions"])
async def test_a_reconciliation_that_fails_never_blocks_the_page(stage: World, broken: str) -> None:
    await stage.arrive(*results(4))
    stage.database.command(f"DROP TABLE {broken}")
    snapshot = await stage.publish()
    assert (snapshot.number, snapshot.reconciliation) == (1, "not_reconciled")
    assert metrics.DIFFERENCE._value.get() == -1
    assert any(said.startswith("live counts not reconciled: ClickHouse at") for said in stage.said)


async def test_kafka_that_fails_while_count_is_waited_for_never_blocks_the_page(
    stage: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.send(*results(4))
    await stage.store()
    asked = 0

    async def lost(*_: Any) -> list[int]:
        nonlocal asked
        asked += 1
        if asked == 1:
            return []  # store has passed
        raise KafkaConnectionError("gone")

    monkeypatch.setattr("streams.kafka.topic_log.TopicLog.behind", lost)
    snapshot = await stage.publish()
    assert (asked, snapshot.number, snapshot.reconciliation) == (2, 1, "not_reconciled")


async def test_totals_that_contradict_themselves_are_never_published(stage: World) -> None:
    await stage.arrive(*results(4, status="failed"))

    def double_a_row(sentence: str) -> None:
        if sentence == "failures appended":
            stage.database.command("INSERT INTO published_failures SELECT * FROM published_failures LIMIT 1", token="x")

    with pytest.raises(TotalsDiffer, match="1 syncs count 4 failures, have 5 rows"):
        await publish(stage.settings, say=double_a_row)
    assert stage.snapshots() == []
    await stage.publish()
    assert len(stage.published()["failures"]) == 4


async def test_a_topic_made_anew_is_never_published_over(stage: World) -> None:
    await stage.arrive(*results(4))
    await stage.publish(now=True)
    stage.database.command(
        "INSERT INTO snapshots SELECT * REPLACE (2 AS number, mapApply((k, v) -> (k, v + 1000), cuts) AS cuts) "
        "FROM snapshots", token="y",
    )  # fmt: skip
    with pytest.raises(PositionOutOfRange, match="ends at 2, but the last snapshot covers it up to 1002"):
        await stage.publish(now=True)


async def test_a_snapshot_of_another_topic_is_never_continued(stage: World) -> None:
    await stage.arrive(*results(4))
    await stage.publish(now=True)
    other = stage.settings.model_copy(update={"records_topic": "other"})
    with pytest.raises(SettingsError, match="SYNCLOGS_RECORDS_TOPIC is 'other'"):
        await publish(other, now=True, say=print)
