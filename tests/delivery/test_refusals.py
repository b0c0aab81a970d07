"""F19. Whatever ClickHouse refuses an insert for: what passes is tried again, what a person mends stops store, and in
either case nothing is lost or doubled. count stops for none of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from streams.clickhouse.client import Database
from streams.clickhouse.refusals import verdict
from tests.delivery.beside import Beside, side_by_side
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, Kafka, WorkerProcess
from tests.delivery.processes import until
from tests.delivery.refuser import SECRET, Refuser
from tests.delivery.rest import problems_at_rest
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack
beside = Beside()

RATE = 300
MIX = Mix(bad=0.02)
PASSING = (252, 241, 164, 242, 243, 236, 202, 107)
DONE_ALL_THE_SAME = (159, 209, 319)
"""Codes with which a server may answer although it has taken the rows."""
FOR_GOOD = (16, 60, 516, 62, 469, 7777)


@asynccontextmanager
async def working(stack: Stack, seed: int) -> AsyncIterator[tuple[Refuser, WorkerProcess, WorkerProcess]]:
    """Traffic, and both workers with a way between them and ClickHouse; at the end everything is checked."""
    with Refuser(stack.settings.clickhouse) as way:
        store, count = (stack.worker(role, clickhouse=way.url) for role in ("store", "count"))
        async with Ledger(stack.settings, seed, MIX) as ledger, ledger.feeding(RATE):
            await stack.stored()
            await count.ready()
            yield way, store, count
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger) == []
        assert all(SECRET not in worker.log.read_text() for worker in stack.workers)


def name(code: int) -> str:
    return verdict(code).codes.get(code, "SOMETHING_NEW")


async def command(stack: Stack, statement: str) -> None:
    database = Database(stack.settings)
    try:
        await asyncio.to_thread(database.command, statement)
    finally:
        database.close()


async def happened(way: Refuser, code: int, times: int) -> None:
    async def enough() -> bool:
        return way.happened[code] >= times

    await until(f"{code} has refused {times} inserts", enough)


async def test_refusals_that_pass_are_tried_again_by_their_kind_and_nothing_ends(
    node: Kafka, front: Front, tmp_path: Path, seed: int
) -> None:
    of_each = {"refused": PASSING[::2], "refused, too": PASSING[1::2], "done all the same": DONE_ALL_THE_SAME}
    await side_by_side(
        node, front, tmp_path, seed, {how: partial(tried_again, codes=of_each[how]) for how in of_each}
    )


async def tried_again(stack: Stack, seed: int, codes: Sequence[int]) -> None:
    async with working(stack, seed) as (way, store, count):
        pids = store.pid, count.pid
        for code in codes:
            seen = way.happened[code]
            way.refuse(code, name(code), times=2, after=code in DONE_ALL_THE_SAME)
            await happened(way, code, seen + 2)
        assert (store.pid, count.pid) == pids
        for code in codes:
            kind = verdict(code).kind
            by_kind = [await worker.metric("synclogs_insert_retries_total", kind=kind) for worker in (store, count)]
            assert sum(by_kind) >= 2, (kind, by_kind)
        assert await store.metric("synclogs_rebalances_total") == 1


@beside
async def test_while_clickhouse_refuses_readiness_says_what_and_the_partition_is_held(stack: Stack, seed: int) -> None:
    async with working(stack, seed) as (way, store, count):
        way.refuse(252, "TOO_MANY_PARTS")

        async def told() -> bool:
            return await store.metric("synclogs_insert_retries_total", kind="too_many_parts") >= 5

        await until("store has tried again five times", told)
        status, why = await store.get("/readyz")
        assert status == 503
        assert "partition 0 ClickHouse at" in why or "partition 1 ClickHouse at" in why
        assert "refuses table" in why and "code 252 TOO_MANY_PARTS" in why and "system.merges" in why
        assert await store.metric("synclogs_partitions_assigned") == 2
        assert (await count.get("/readyz"))[0] == 200  # counting needs no ClickHouse
        counted = await count.metric("synclogs_records_counted_total")

        async def goes_on() -> bool:
            return await count.metric("synclogs_records_counted_total") > counted + RATE

        await until("count goes on", goes_on)
        way.heal()
        await store.ready()


async def test_a_refusal_for_a_person_ends_store_with_table_code_and_remedy_and_count_goes_on(
    node: Kafka, front: Front, tmp_path: Path, seed: int
) -> None:
    when = {"before": False, "after": True}
    scenarios = {how: partial(ended_for_good, after=after) for how, after in when.items()}
    await side_by_side(node, front, tmp_path, seed, scenarios)


async def ended_for_good(stack: Stack, seed: int, after: bool) -> None:
    """`after` the rows were taken, or before."""
    async with working(stack, seed) as (way, store, count):
        counting = count.pid
        for number, code in enumerate(FOR_GOOD[after::2], 1):
            way.refuse(code, name(code), after=after)
            assert await store.ended() == 1
            (fatal,) = [line["error"] for line in store.lines() if line["event"] == "fatal"][number - 1 :]
            assert "refuses table " in fatal and f"code {code} {name(code)}" in fatal
            assert verdict(code).remedy in fatal
            way.heal()
            store.start()
            await stack.stored(await stack.rows())
        assert count.pid == counting


@beside
async def test_a_column_that_is_missing_stops_store_until_it_is_there_again(stack: Stack, seed: int) -> None:
    async with working(stack, seed) as (way, store, count):
        counting = count.pid
        await command(stack, "ALTER TABLE sync_records DROP COLUMN target_id")
        assert await store.ended() == 1
        (fatal,) = [line["error"] for line in store.lines() if line["event"] == "fatal"]
        assert "refuses table sync_records: code 16 NO_SUCH_COLUMN_IN_TABLE; run `synclogs migrate`" in fatal
        store.start()
        assert await store.ended() == 1  # nothing has changed
        await command(stack, "ALTER TABLE sync_records ADD COLUMN target_id String AFTER record_name")
        store.start()
        assert count.pid == counting


@beside
async def test_a_table_that_is_gone_stops_store_and_what_is_started_waits_until_it_is_back(
    stack: Stack, seed: int
) -> None:
    async with working(stack, seed) as (way, store, count):
        for table in ("sync_records", "live_counts"):
            await command(stack, f"RENAME TABLE {table} TO {table}_away")
        counting = count.pid
        assert await store.ended() == 1
        (fatal,) = [line["error"] for line in store.lines() if line["event"] == "fatal"]
        assert "refuses table sync_records: code 60 UNKNOWN_TABLE; run `synclogs migrate`" in fatal
        store.start()

        async def waits() -> bool:
            return "sync_records: run `synclogs migrate`" in (await store.get("/readyz"))[1]

        await until("store waits for the table", waits)
        for table in ("sync_records", "live_counts"):
            await command(stack, f"RENAME TABLE {table}_away TO {table}")
        await store.ready()
        assert count.pid == counting
