"""Publishing under other reasons on real parts: what people see after it, whatever happened on the way."""

import asyncio
import datetime as dt
import threading
from collections import Counter
from typing import Any

import pytest

from schemas.reasons import CATALOGUE
from streams import clock, metrics
from streams.clickhouse.client import Database
from streams.clickhouse.queries import published, reclassification
from streams.clickhouse.queries.leftovers import tidy
from streams.clickhouse.queries.published import Failures, Scope, latest, standing
from streams.errors import TotalsDiffer, UsageError
from streams.failpoints import Step
from streams.publish.reclassify import Found, reclassify
from streams.publish.weekly import publish
from tests.publish.world import MONDAY, Result, World, before_cut, results

pytestmark = pytest.mark.stack

EMPTY = "The following mandatory field(s) were left empty: Last Name"
TWICE = "Contact with this email-id is already associated with this company"
STEPS = [step for step in Step if step.startswith("reclassify.")]
DAY = dt.timedelta(days=1)


class Killed(BaseException):
    """Ends a run at a step, as a kill would: nothing catches it."""


async def history(stage: World) -> None:
    """Two publications of failures that an old catalogue did not know, one that nobody knows, and successes."""
    await stage.arrive(
        *results(5, status="failed", message=EMPTY), *results(4), Result(kind="sync_started"),
        *results(3, sync="S2", status="failed", message=TWICE, occurred=before_cut(days=40), tenant="T2"),
    )  # fmt: skip
    await stage.publish(now=True)
    await stage.arrive(*results(2, status="failed", message=EMPTY), *results(1, status="failed", message="xyzzy"))
    await stage.publish(now=True)


async def run(stage: World, **how: Any) -> Found:
    return await asyncio.to_thread(lambda: reclassify(stage.settings, **how))


def stored(stage: World) -> Counter[str]:
    """The reasons that readers see."""
    return Counter(row["reason"] for row in stage.published()["failures"])


def without_reasons(seen: dict[str, Any]) -> dict[str, Any]:
    return seen | {"failures": [row["id"] for row in seen["failures"]]}


async def test_the_same_records_are_published_under_the_reasons_of_the_present_catalogue(stage: World) -> None:
    await history(stage)
    before, old = stage.published(), stage.snapshots()[-1]
    found = await run(stage)
    wanted = {"mandatory_field_missing": 7, "duplicate_record": 3, "unclassified": 1}
    assert (found.before, found.after, found.changed) == ({"unclassified": 11}, wanted, 10)
    assert stored(stage) == wanted
    assert without_reasons(stage.published()) == without_reasons(before)
    new = stage.snapshots()[-1]
    apart = {name for name in new if new[name] != old[name]} - {"catalogue_version"}
    assert apart == {"number", "attempts", "published_at"}
    assert (new["number"], len(new["attempts"]), new["catalogue_version"]) == (3, 1, CATALOGUE.version)
    assert metrics.SNAPSHOT_CATALOGUE._value.get() == CATALOGUE.version
    assert stage.database.value("SELECT count() FROM reclassified") == 0


async def test_every_other_column_of_a_failure_stays_as_it_was(stage: World) -> None:
    await history(stage)
    select = """SELECT * EXCEPT (attempt_id, snapshot, reason, error_reasons, catalogue_version) FROM published_failures
        WHERE has((SELECT argMax(attempts, number) FROM snapshots), attempt_id) ORDER BY event_id"""
    before = stage.database.rows(select)
    await run(stage)
    assert stage.database.rows(select) == before
    versions = """SELECT groupUniqArray((catalogue_version, error_reasons = [reason])) FROM published_failures
        WHERE snapshot = 3"""
    assert list(stage.database.value(versions)) == [(CATALOGUE.version, 1)]


async def test_page_lists_and_csv_of_the_new_snapshot_tell_the_new_reasons_and_the_old_ones_of_the_old(
    stage: World,
) -> None:
    await history(stage)
    await run(stage)
    two, three = (standing(stage.database, number) for number in (2, 3))
    assert two and three
    old, new = (Scope(pointer, "T1", "books_to_fsm") for pointer in (two, three))
    assert published.reasons_of_syncs(stage.database, old, ["S1"]) == {"S1": [("unclassified", 8)]}
    assert published.reasons_of_syncs(stage.database, new, ["S1"]) == {
        "S1": [("mandatory_field_missing", 7), ("unclassified", 1)]
    }
    by_reason = Failures(new).by_reason(stage.database)
    assert [(row["reason"], row["records"]) for row in by_reason] == [
        ("mandatory_field_missing", 7), ("unclassified", 1),
    ]  # fmt: skip
    for row in by_reason:
        csv = [line for block in Failures(new, reason=row["reason"]).stream(stage.database) for line in block]
        assert len(csv) == row["records"]
    sync = published.sync(stage.database, new, "S1")
    assert sync
    listed = published.records(stage.database, new, sync, 100)
    assert Counter(row["reason"] for row in listed if row["status"] == "failed") == {
        "mandatory_field_missing": 7, "unclassified": 1,
    }  # fmt: skip
    assert stage.database.value("SELECT groupUniqArray(reason) FROM sync_records WHERE status = 'failed'") == [
        "unclassified"
    ], "what a record was at arrival never changes"


async def test_a_second_run_changes_nothing_and_a_dry_one_writes_nothing(stage: World) -> None:
    await history(stage)
    tables = ("snapshots", "published_failures", "published_syncs", "publication_attempts", "reclassified")

    def rows() -> list[int]:
        return [stage.database.value(f"SELECT count() FROM {table}") for table in tables]

    before = rows()
    dry = await run(stage, dry_run=True)
    assert (dry.changed, dry.snapshot, rows()) == (10, None, before)
    first = await run(stage)
    assert first.snapshot and (first.before, first.after) == (dry.before, dry.after)
    before = rows()
    second = await run(stage)
    assert (second.changed, second.snapshot, rows()) == (0, None, before)
    assert second.before == second.after == first.after


async def test_since_leaves_earlier_failures_their_reasons_but_publishes_them_too(stage: World) -> None:
    await history(stage)
    found = await run(stage, since=before_cut(days=20))
    assert found.changed == 7
    assert stored(stage) == {"mandatory_field_missing": 7, "unclassified": 4} == found.after
    old = stage.database.value(
        "SELECT groupUniqArray(catalogue_version) FROM published_failures WHERE tenant_id = 'T2'"
    )
    assert list(old) == [1]
    assert (await run(stage)).changed == 3


async def test_it_goes_chunk_by_chunk_and_tells_how_far_it_is(stage: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reclassification, "CHUNK_ROWS", 2)
    await stage.arrive(*results(60, status="failed", message=EMPTY), *results(9, sync="S2", status="failed"))
    await stage.publish()
    told: list[tuple[str, int, int]] = []
    found = await run(stage, advance=lambda *how: told.append(how))
    assert (found.changed, len(stage.published()["failures"])) == (60, 69)
    for what in ("classifying", "publishing"):
        steps = [done for name, done, _ in told if name == what]
        assert len(steps) > 30 and steps == sorted(steps) and steps[-1] == told[-1][2]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_every_step_and_run_again_people_see_the_old_or_the_new(
    stage: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    await history(stage)
    before = stage.published()

    def kill(reached: Step) -> None:
        if reached == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("streams.publish.reclassify.reach", kill)
        with pytest.raises(Killed):
            reclassify(stage.settings)
    moved = step == Step.RECLASSIFY_POINTED
    assert len(stage.snapshots()) == (3 if moved else 2)
    assert moved or stage.published() == before
    again = await run(stage)
    assert again.changed == (0 if moved else 10)
    assert stored(stage) == {"mandatory_field_missing": 7, "duplicate_record": 3, "unclassified": 1}
    assert without_reasons(stage.published()) == without_reasons(before)
    tidy(stage.database, clock.now() + 2 * DAY)
    left = "SELECT uniqExact(attempt_id) FROM (SELECT attempt_id FROM published_failures UNION ALL SELECT attempt_id "
    assert stage.database.value(left + "FROM published_syncs UNION ALL SELECT attempt_id FROM reclassified)") == 1


async def test_links_to_what_was_replaced_are_honoured_for_a_day_and_its_rows_stay_as_long(stage: World) -> None:
    await history(stage)
    rows = "SELECT count() FROM published_failures"
    await run(stage)
    replaced = latest(stage.database)
    assert replaced and standing(stage.database, 2) and standing(stage.database, 1)
    tidy(stage.database, replaced.published_at + DAY - dt.timedelta(seconds=1))
    assert stage.database.value(rows) == 22
    tidy(stage.database, replaced.published_at + DAY)
    assert stage.database.value(rows) == 11
    assert len(stage.published()["failures"]) == 11
    stage.database.command(
        "ALTER TABLE snapshots UPDATE published_at = published_at - INTERVAL 1 DAY WHERE number = 3 "
        "SETTINGS mutations_sync = 1"
    )
    assert standing(stage.database, 2) is standing(stage.database, 1) is None
    assert standing(stage.database, 3)


async def test_the_next_publication_goes_on_from_it(stage: World) -> None:
    await history(stage)
    await run(stage)
    twice = Result(sync="S2", tenant="T2", occurred=before_cut(days=40), status="failed", message=TWICE)
    await stage.arrive(*results(2, status="failed", reason="duplicate_record"), twice)
    snapshot = await stage.publish(now=True)
    assert (snapshot.number, len(snapshot.attempts), snapshot.reconciliation) == (4, 2, "exact")
    assert stored(stage) == {
        "mandatory_field_missing": 7, "duplicate_record": 5, "unclassified": 2,
    }  # fmt: skip
    assert (stage.sync("S1")["failed"], stage.sync("S1")["succeeded"], stage.sync("S2")["failed"]) == (10, 4, 4)
    assert [stage.snapshots()[-1][name] for name in ("syncs", "succeeded", "failed")] == [2, 4, 14]


async def test_a_sync_published_as_running_is_looked_at_again_by_the_next_publication(stage: World) -> None:
    start = clock.now() - dt.timedelta(hours=1)
    await stage.arrive(Result(kind="sync_started", occurred=start), Result(occurred=start))
    await stage.arrive(Result(sync="S2", status="failed", message=EMPTY))
    await stage.publish(now=True)
    await run(stage)
    assert stage.sync()["outcome"] == "running"
    await stage.arrive(Result(sync="S3"))
    await stage.publish(now=True)
    assert (stage.sync("S1")["snapshot"], stage.sync("S2")["snapshot"]) == (3, 2)


async def test_two_at_once_and_one_of_them_finds_nothing_left_to_do(stage: World) -> None:
    await history(stage)
    at_the_pointer, done = threading.Event(), threading.Event()
    said: list[str] = []

    def hold(sentence: str) -> None:
        said.append(sentence)
        if sentence == "totals agree":
            at_the_pointer.set()
            assert done.wait(60)

    slow = asyncio.create_task(run(stage, say=hold))
    await asyncio.to_thread(at_the_pointer.wait, 60)
    fast = await run(stage)
    done.set()
    second = await slow
    assert fast.snapshot and second.snapshot is None
    assert "another publisher was faster" in said[-1]
    assert (fast.changed, second.changed) == (10, 0)
    assert [[str(a) for a in row["attempts"]] for row in stage.snapshots()][2:] == [fast.snapshot.attempts]
    assert len(stage.published()["failures"]) == 11


@pytest.mark.parametrize("winner", ["publication", "reclassification"])
async def test_a_publication_at_the_same_moment_and_both_are_published_one_after_the_other(
    stage: World, winner: str
) -> None:
    await history(stage)
    await stage.arrive(*results(2, sync="S9", status="failed", message=TWICE))
    waiting, go_on = threading.Event(), threading.Event()

    def hold(sentence: str) -> None:
        if sentence == "totals agree":
            waiting.set()
            assert go_on.wait(60)

    def publication(say: Any) -> Any:
        return lambda: asyncio.run(publish(stage.settings, now=True, say=say))

    def reclassifying(say: Any) -> Any:
        return lambda: reclassify(stage.settings, say=say)

    by_name = {"publication": publication, "reclassification": reclassifying}
    (loser,) = by_name.keys() - {winner}
    slow = asyncio.create_task(asyncio.to_thread(by_name[loser](hold)))
    await asyncio.to_thread(waiting.wait, 60)
    await asyncio.to_thread(by_name[winner](lambda sentence: None))
    go_on.set()
    assert await slow
    assert [row["number"] for row in stage.snapshots()] == [1, 2, 3, 4]
    found = stored(stage)
    assert found.total() == 13 == stage.snapshots()[-1]["failed"]
    assert found["mandatory_field_missing"] == 7 and found["duplicate_record"] == (5 if loser != "publication" else 3)
    assert stage.sync("S9")["failed"] == 2


async def test_rows_that_went_missing_on_the_way_are_never_published(stage: World) -> None:
    await history(stage)
    before = stage.published()

    def lose(sentence: str) -> None:
        if sentence == "syncs and days written":
            stage.database.command("DELETE FROM published_failures WHERE snapshot = 3 AND tenant_id = 'T2'")

    with pytest.raises(TotalsDiffer, match=r"failures .* not those of snapshot 2 \(8 rows, 11 before\)"):
        await run(stage, say=lose)
    assert stage.published() == before
    assert (await run(stage)).snapshot


async def test_before_the_first_publication_it_says_so(stage: World) -> None:
    with pytest.raises(UsageError, match="nothing is published yet"):
        await run(stage)


async def test_a_week_that_is_published_stays_published(stage: World) -> None:
    await stage.arrive(*results(3, status="failed", message=EMPTY))
    await stage.publish()
    assert (await run(stage)).changed == 3
    assert await stage.publish() is None
    assert latest(Database(stage.settings)).cut == MONDAY  # type: ignore[union-attr]
