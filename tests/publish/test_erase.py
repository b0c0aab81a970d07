"""Erasing a tenant's rows on real parts: nothing of it is left at any place, everything else is exactly as it was."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from streams import clock
from streams.clickhouse.queries import erasure
from streams.clickhouse.queries.published import Pointer, latest, standing
from streams.errors import UsageError, WorkerBehind
from streams.failpoints import Step
from streams.publish.erase import Overtaken, TenantRows
from streams.publish.reclassify import reclassify
from tests.publish.world import Result, World, before_cut, results

pytestmark = pytest.mark.stack

STEPS = [step for step in Step if step.startswith("erase.") and step not in (Step.ERASE_FENCED, Step.ERASE_TOMBSTONED)]
EMPTY = "The following mandatory field(s) were left empty: Last Name"


class Killed(BaseException):
    """Ends a run at a step, as a kill would: nothing catches it."""


async def history(stage: World) -> None:
    """Two publications of three tenants, then rows that nobody has published yet."""
    for number in (5, 3):
        for tenant in ("T1", "T2", "T3"):
            await stage.arrive(
                *results(number, status="failed", message=EMPTY, tenant=tenant), *results(4, tenant=tenant),
                Result(kind="sync_started", tenant=tenant),
            )  # fmt: skip
        await stage.publish(now=True)
    await stage.arrive(*results(2, tenant="T2"), *results(2, tenant="T1", status="failed"))
    stage.database.command(
        "INSERT INTO dead_letters (tenant_id, code, received_at, kafka_topic) "
        "SELECT arrayJoin(['T1', 'T2']), 'bad_uuid', now64(3), {topic:String}",
        token="letters", topic=stage.settings.records_topic,
    )  # fmt: skip


def holding(stage: World, tenant: str = "T2") -> list[str]:
    """Every column of every table in which the tenant's name stands."""
    columns = stage.database.rows(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND type LIKE '%String%'"
    )
    return [
        f"{row['table']}.{row['name']}"
        for row in columns
        if stage.database.value(
            f"SELECT count() FROM {row['table']} WHERE position(toString({row['name']}), {{tenant:String}}) > 0",
            tenant=tenant,
        )
    ]


def others(stage: World) -> dict[str, Any]:
    """What is published of the others, and their rows and live counts."""
    seen: dict[str, Any] = {
        name: [row for row in rows if row.get("tenant_id") != "T2"]
        for name, rows in stage.published().items() if name != "failures"
    }  # fmt: skip
    for table in ("sync_records", "sync_marks", "live_counts", "published_failures", "dead_letters"):
        sql = f"SELECT * FROM {table} FINAL WHERE tenant_id != 'T2' ORDER BY ALL"
        seen[table] = stage.database.rows(sql if table.startswith(("sync", "live")) else sql.replace("FINAL", ""))
    return seen


def erase(stage: World, positions: dict[int, int] | None = None, tenant: str = "T2") -> int | None:
    rows = TenantRows(stage.settings, tenant)
    rows.held()
    rows.begin()
    try:
        return asyncio.run(rows.erase(positions or ends(stage)))
    finally:
        rows.close()


def ends(stage: World) -> dict[int, int]:
    """Where count would be: at the end of what was sent."""
    return dict(stage._ends)


async def run(stage: World, *how: Any) -> int | None:
    return await asyncio.to_thread(erase, stage, *how)


async def test_afterwards_no_table_holds_the_tenant_and_the_others_are_as_they_were(stage: World) -> None:
    await history(stage)
    assert {"sync_records.tenant_id", "live_counts.tenant_id", "dead_letters.tenant_id"} <= set(holding(stage))
    before, old = others(stage), stage.snapshots()[-1]
    assert await run(stage) == 3
    assert holding(stage) == []
    assert others(stage) == before
    (new,) = stage.snapshots()
    assert {name for name in new if new[name] != old[name]} == {
        "number", "published_at", "syncs", "succeeded", "failed",
    }  # fmt: skip
    assert (new["syncs"], new["succeeded"], new["failed"]) == (2, 16, 16)


async def test_links_to_earlier_snapshots_end_at_once(stage: World) -> None:
    await history(stage)
    assert standing(stage.database, 1) and standing(stage.database, 2)
    await run(stage)
    assert standing(stage.database, 1) is standing(stage.database, 2) is None
    assert standing(stage.database, 3)


async def test_rows_of_a_list_that_was_replaced_go_with_the_pointers_that_named_them(stage: World) -> None:
    await history(stage)
    await asyncio.to_thread(reclassify, stage.settings)
    await run(stage)
    present = latest(stage.database)
    assert present and present.number == 4
    for table in ("published_failures", "published_syncs", "published_days"):
        found = stage.database.value(f"SELECT arrayMap(a -> toString(a), groupUniqArray(attempt_id)) FROM {table}")
        assert list(found) == present.attempts


async def test_the_next_publication_and_its_reconciliation_are_exact(stage: World) -> None:
    await history(stage)
    await run(stage)
    stage._sent = [event for event in stage._sent if event.tenant != "T2"]  # as count's ledgers are then
    await stage.arrive(*results(3, tenant="T1"), *results(2, tenant="T2", sync="S9"))
    snapshot = await stage.publish(now=True)
    assert (snapshot.number, snapshot.reconciliation) == (4, "exact")
    syncs = {(row["tenant_id"], row["sync_id"]): row["total"] for row in stage.published()["syncs"]}
    assert syncs == {("T1", "S1"): 21, ("T3", "S1"): 16, ("T2", "S9"): 2}, "what came later is new data"


async def test_what_the_tenant_sent_behind_the_positions_stays(stage: World) -> None:
    await history(stage)
    positions = ends(stage)
    await stage.arrive(*results(4, tenant="T2", sync="S9"))
    await run(stage, positions)
    rows = "SELECT DISTINCT sync_id FROM {} WHERE tenant_id = 'T2'"
    for table in ("sync_records", "live_counts"):
        assert [row["sync_id"] for row in stage.database.rows(rows.format(table))] == (
            ["S9"] if table == "sync_records" else ["S1", "S9"]  # by hand all entries were written at the new position
        )
    await stage.publish(now=True)
    assert stage.sync("S9")["total"] == 4


async def test_a_sync_published_as_running_is_looked_at_again_by_the_next_publication(stage: World) -> None:
    start = clock.now() - dt.timedelta(hours=1)
    await stage.arrive(Result(kind="sync_started", occurred=start), Result(occurred=start), Result(tenant="T2"))
    await stage.publish(now=True)
    await run(stage)
    assert stage.sync()["outcome"] == "running"
    await stage.arrive(Result(sync="S3"))
    await stage.publish(now=True)
    assert stage.sync("S1")["snapshot"] == 3


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_every_step_and_run_again_it_is_done(
    stage: World, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    await history(stage)
    before = others(stage)

    def kill(reached: Step) -> None:
        if reached == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("streams.publish.erase.reach", kill)
        with pytest.raises(Killed):
            await run(stage)
    assert others(stage) == before
    number = await run(stage)
    assert number == (4 if step in (Step.ERASE_POINTED, Step.ERASE_FORGOTTEN) else 3)
    assert holding(stage) == []
    assert others(stage) == before
    assert stage.snapshots()[-1]["failed"] == 16
    with pytest.raises(UsageError, match="there is no tenant 'T2'"):
        await run(stage)


async def test_a_tenant_that_nobody_has_is_an_error_and_nothing_is_noted(stage: World) -> None:
    await history(stage)
    with pytest.raises(UsageError, match=r"there is no tenant 't2': no table .* has a row of it"):
        await run(stage, None, "t2")
    assert stage.database.value("SELECT count() FROM erasures") == 0
    assert len(stage.snapshots()) == 2


async def test_before_the_first_publication_rows_go_and_nothing_is_published(stage: World) -> None:
    await stage.arrive(*results(3), *results(3, tenant="T2"))
    assert await run(stage) is None
    assert holding(stage) == [] and stage.snapshots() == []
    assert stage.database.value("SELECT count() FROM sync_records") == 3


async def test_what_the_tenant_sent_since_and_somebody_published_makes_it_begin_again(stage: World) -> None:
    await history(stage)
    positions = ends(stage)
    await stage.arrive(*results(2, tenant="T2", sync="S9"))
    await stage.publish(now=True)
    with pytest.raises(Overtaken):
        await run(stage, positions)
    assert stage.sync("S9")["total"] == 2
    assert await run(stage) == 4
    assert holding(stage) == []


async def test_a_publication_that_takes_the_number_is_rid_of_the_tenant_too(
    stage: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await history(stage)

    loop = asyncio.get_running_loop()
    before = others(stage)
    point = erasure.Erasure.point
    published: list[int] = []

    def overtaken(rows: erasure.Erasure, pointer: Pointer) -> int | None:
        if not published:
            snapshot = asyncio.run_coroutine_threadsafe(stage.publish(now=True), loop).result(60)
            published.append(snapshot.number)
        return point(rows, pointer)

    monkeypatch.setattr(erasure.Erasure, "point", overtaken)
    assert await run(stage) == 4
    assert published == [3] and [row["number"] for row in stage.snapshots()] == [4]
    assert holding(stage) == []
    assert others(stage)["sync_records"] == before["sync_records"]


async def test_it_waits_for_store_and_says_who_is_behind(stage: World) -> None:
    await stage.arrive(*results(2, tenant="T2", occurred=before_cut(days=1)))
    await stage.send(Result(tenant="T2"))
    stage.settings = stage.settings.model_copy(update={"publish_wait_seconds": 0.2})
    with pytest.raises(WorkerBehind, match="store has not come"):
        await run(stage)
    await stage.store()
    await run(stage)
    assert holding(stage) == []
