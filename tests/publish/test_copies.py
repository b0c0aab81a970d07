"""Events that were sent again: whatever is stored of the copies and whenever they come, one is published."""

import pytest

from streams import metrics
from tests.publish.recount import agrees_with_recount
from tests.publish.world import MONDAY, Result, World, before_cut, results

pytestmark = pytest.mark.stack


async def test_a_copy_sent_again_is_no_new_row(stage: World) -> None:
    first = Result(status="failed", record_id="r1")
    await stage.arrive(first)
    await stage.publish(now=True)
    other = first.again(status="success", partition=1, received=before_cut(hours=3))
    await stage.arrive(first.again(received=before_cut(hours=4)), other)
    await stage.publish(now=True)
    assert (stage.sync()["total"], stage.sync()["failed"], stage.sync()["succeeded"]) == (1, 1, 0)
    assert len(stage.published()["failures"]) == 1
    stage.database.command("OPTIMIZE TABLE sync_records FINAL")
    await stage.arrive(Result(record_id="r2"))
    await stage.publish(now=True)
    assert (stage.sync()["total"], stage.sync()["failed"]) == (2, 1)
    await agrees_with_recount(stage)


async def test_of_two_copies_in_one_publication_the_first_arrival_counts(stage: World) -> None:
    first = Result(status="failed", partition=1)
    await stage.arrive(first.again(status="success", partition=0, received=before_cut(hours=5)), first)
    await stage.publish()
    assert (stage.sync()["failed"], stage.sync()["succeeded"]) == (1, 0)
    assert stage.published()["failures"] == [{"id": first.event_id, "reason": "unclassified"}]


@pytest.mark.parametrize("partition", [0, 1])
@pytest.mark.parametrize("merged", [False, True])
async def test_a_copy_that_a_clock_puts_before_the_published_one_changes_nothing(
    stage: World, partition: int, merged: bool
) -> None:
    """A broker's clock stepped back, or two differ: by its time the copy came first, by its offset it is the later."""
    first = Result(status="failed", received=before_cut(hours=5))
    await stage.arrive(first, Result(status="success"))
    await stage.publish(now=True)
    await stage.arrive(first.again(received=before_cut(hours=6), partition=partition))
    if merged:
        stage.database.command("OPTIMIZE TABLE sync_records FINAL")
    await stage.publish(now=True)
    assert (stage.sync()["total"], stage.sync()["failed"]) == (2, 1)
    await agrees_with_recount(stage)
    await stage.arrive(Result(status="failed"))
    await stage.publish(now=True)
    assert stage.sync()["failed"] == 2
    await agrees_with_recount(stage)


@pytest.mark.parametrize("merged", [False, True])
async def test_a_copy_before_the_published_one_with_other_content_blocks_nothing(stage: World, merged: bool) -> None:
    """What was published as failed stays failed; a success that failed before is copied and counted."""
    bad = Result(status="failed", received=before_cut(hours=5), occurred=before_cut(days=1))
    good = Result(status="success", received=before_cut(hours=5), occurred=before_cut(days=1))
    await stage.arrive(bad, good)
    await stage.publish(now=True)
    earlier = {"received": before_cut(hours=6), "occurred": before_cut(days=2)}
    await stage.arrive(bad.again(status="success", **earlier), good.again(status="failed", **earlier))
    if merged:
        stage.database.command("OPTIMIZE TABLE sync_records FINAL")
    await stage.publish(now=True)
    assert (stage.sync()["failed"], stage.sync()["succeeded"]) == (2, 0)
    seen = stage.published()
    assert {row["id"] for row in seen["failures"]} == {bad.event_id, good.event_id}
    assert [(row["succeeded"], row["failed"]) for row in seen["days"]] == [(0, 1), (0, 1)]


async def test_a_copy_after_the_cut_never_hides_the_one_below_it(stage: World) -> None:
    first = Result(status="failed", received=before_cut(hours=5))
    await stage.arrive(first, Result(occurred=MONDAY, received=MONDAY, sync="S2"))
    await stage.arrive(first.again(received=before_cut(hours=6)))  # behind the offset at which the week was cut
    await stage.publish()
    assert (stage.sync()["failed"], len(stage.published()["failures"])) == (1, 1)


async def test_copies_with_other_content_are_counted_as_conflicts(stage: World) -> None:
    def conflicts() -> float:
        return float(metrics.CONFLICTS._value.get())

    start = conflicts()
    same, other, week, within = results(4)
    await stage.arrive(same, other, week, within)
    await stage.arrive(within.again(status="failed", received=before_cut(hours=2)))  # one insert would unite them
    await stage.publish(now=True)
    assert conflicts() == start + 1
    late = before_cut(hours=1)
    await stage.arrive(
        same.again(received=late),
        other.again(record_id="another", received=late),
        week.again(occurred=before_cut(days=9), received=late),
    )
    await stage.publish(now=True)
    assert conflicts() == start + 3
    await stage.arrive(Result())
    await stage.publish(now=True)
    assert conflicts() == start + 3


async def test_a_copy_that_says_another_week_is_another_row(stage: World) -> None:
    event = Result(status="failed", occurred=before_cut(days=2))
    await stage.arrive(event, event.again(occurred=before_cut(days=9), received=before_cut(days=1)))
    await stage.publish()
    assert (stage.sync()["total"], len(stage.published()["failures"])) == (2, 2)
    await agrees_with_recount(stage)
