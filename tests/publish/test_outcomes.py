"""What a sync is called, by its marks and counts, at the cut. All cases in one publication."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.publish.world import Result, World, before_cut

pytestmark = pytest.mark.stack


def started(**ago: float) -> Result:
    return Result(kind="sync_started", occurred=before_cut(**ago))


def finished(total: int, **ago: float) -> Result:
    return Result(kind="sync_finished", records_total=total, occurred=before_cut(**ago))


def logged(status: str = "success", record_id: str = "", **ago: float) -> Result:
    return Result(status=status, record_id=record_id, occurred=before_cut(**(ago or {"days": 2})))


CASES: dict[str, tuple[str, Sequence[Result]]] = {
    "started a day ago": ("running", [started(days=1)]),
    "started more than a day ago": ("incomplete", [started(days=1, seconds=1)]),
    "started long ago, still logging": ("running", [started(days=3), logged(days=1)]),
    "started long ago, silent for a day": ("incomplete", [started(days=3), logged(days=1, seconds=1)]),
    "running though all failed": ("running", [started(hours=2), logged("failed", hours=1)]),
    "finished with all": ("completed", [started(days=2), logged(), finished(1, days=1)]),
    "finished without started": ("completed", [logged(), finished(1, days=1)]),
    "finished with nothing to carry": ("completed", [started(days=2), finished(0, days=2)]),
    "finished just now": ("completed", [started(hours=2), logged(hours=1), finished(1, minutes=1)]),
    "finished and fewer logged": ("incomplete", [logged("failed"), finished(2, days=1)]),
    "finished and more logged": ("completed", [logged(), logged(), finished(1, days=1)]),
    "the same record twice is one": ("incomplete", [logged(record_id="r"), logged(record_id="r"), finished(2, days=1)]),
    "skipped ones are logged": ("completed", [logged("skipped"), logged(), finished(2, days=1)]),
    "the last finished mark counts": ("completed", [logged(), finished(9, days=2), finished(1, days=1)]),
    "the last finished mark counts against it": ("incomplete", [logged(), finished(9, days=1), finished(1, days=2)]),
    "no success": ("failed", [logged("failed"), logged("skipped"), finished(2, days=1)]),
    "some failed": ("partly_failed", [logged("failed"), logged(), finished(2, days=1)]),
    "no marks, an hour ago": ("running", [logged("failed", hours=1)]),
    "no marks, more than an hour ago": ("failed", [logged("failed", hours=1, seconds=1)]),
    "no marks, some failed": ("partly_failed", [logged("failed"), logged()]),
    "no marks, all well": ("completed", [logged(), logged("skipped")]),
    "no marks, all skipped": ("completed", [logged("skipped")]),
}


async def test_outcomes(stage: World) -> None:
    events = [event.again(sync=name) for name, (_, of_sync) in CASES.items() for event in of_sync]
    await stage.arrive(*sorted(events, key=lambda event: event.arrived))
    await stage.publish()
    assert {row["sync_id"]: row["outcome"] for row in stage.published()["syncs"]} == {
        name: outcome for name, (outcome, _) in CASES.items()
    }


async def test_what_is_published_of_a_sync(stage: World) -> None:
    events: list[Result] = [
        started(hours=30), logged(hours=29), logged("failed", "r1", hours=28), logged("failed", "r1", hours=27),
        logged("skipped", hours=26), finished(3, hours=25),
    ]  # fmt: skip
    await stage.arrive(*events)
    await stage.publish()
    sync: dict[str, Any] = stage.sync()
    assert [sync[name] for name in ("records", "total", "succeeded", "failed", "skipped")] == [3, 4, 1, 2, 1]
    assert (sync["expected"], sync["modules"], sync["outcome"]) == (3, ["customers"], "partly_failed")
    times = [sync[name].isoformat() for name in ("started_at", "first_at", "last_at", "finished_at")]
    begin, end = before_cut(hours=30).replace(tzinfo=None), before_cut(hours=25).replace(tzinfo=None)
    assert times == [begin.isoformat(), begin.isoformat(), end.isoformat(), end.isoformat()]


async def test_a_sync_without_marks_has_no_start_end_or_expectation(stage: World) -> None:
    await stage.arrive(logged())
    await stage.publish()
    sync = stage.sync()
    assert (sync["started_at"], sync["finished_at"], sync["expected"]) == (None, None, None)
