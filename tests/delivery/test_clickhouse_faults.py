"""F2, F4, F5, F7. ClickHouse dies, hangs, flaps, or does its work and its answer is lost: nothing is lost or doubled,
nothing becomes a dead letter for it, no worker loses its partitions, and counting goes on."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from tests.delivery.beside import Beside
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import Front, WorkerProcess
from tests.delivery.processes import until
from tests.delivery.proxy import Direction, Fault, FaultProxy
from tests.delivery.rest import problems_at_rest
from tests.delivery.sampler import Sampler
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack
beside = Beside()

RATE = 400
MIX = Mix(bad=0.02, again=0.05, history_days=20)
"""Of several weeks: a run is several inserts, and a death comes between two of them."""


@dataclass(frozen=True)
class Scene:
    way: FaultProxy
    """Between the workers and ClickHouse."""
    store: WorkerProcess
    count: WorkerProcess
    ledger: Ledger


@asynccontextmanager
async def scene(stack: Stack, front: Front, seed: int) -> AsyncIterator[Scene]:
    """Traffic that is stored and counted; afterwards everything comes to rest by itself, and every checker looks."""
    way = front.way(seed)
    store, count = (stack.worker(role, clickhouse=way.url) for role in ("store", "count"))
    async with Ledger(stack.settings, seed, MIX) as ledger:
        sampler = Sampler(stack.settings, stack.settings.partitions)
        async with sampler.sampling(), ledger.feeding(RATE):
            await stack.stored()
            await count.ready()
            yield Scene(way, store, count, ledger)
            way.heal()
            await front.up()
            await stack.stored(await stack.rows())
        assert await problems_at_rest(stack, ledger, sampler.samples) == []
    assert [worker.exit_codes for worker in stack.workers] == [[], []]  # an outage ends nobody
    assert await store.metric("synclogs_rebalances_total") == await count.metric("synclogs_rebalances_total") == 1


async def retried(store: WorkerProcess, more_than: float = 0) -> float:
    """How often an insert has been sent again, once that is more."""
    seen = 0.0

    async def more() -> bool:
        nonlocal seen
        seen = await store.metric("synclogs_insert_retries_total")
        return seen > more_than

    await until("an insert was sent again", more, 70)  # an answer may take 20 s before it is given up
    return seen


async def more_passed(way: FaultProxy, than: int) -> bool:
    return way.passed[Direction.REQUESTS] > than


async def goes_on(count: WorkerProcess, messages: float = 300) -> None:
    """Wait until so many more messages are counted."""
    before = await count.metric("synclogs_records_consumed_total")

    async def counted() -> bool:
        return await count.metric("synclogs_records_consumed_total") >= before + messages

    await until(f"{messages} more messages are counted", counted)


async def test_clickhouse_killed_in_the_middle_of_inserts(stack: Stack, front: Front, seed: int) -> None:
    chance = random.Random(seed)
    async with scene(stack, front, seed) as on:
        killed, retries = front.happened["kill"], 0.0
        for _ in range(4):
            # Requests that take long are under way at any moment.
            on.way.bandwidth(150_000, Direction.REQUESTS)
            passed = on.way.passed[Direction.REQUESTS]
            await until("a request is under way", partial(more_passed, on.way, passed))
            await asyncio.sleep(chance.uniform(0, 0.3))
            front.kill()
            on.way.heal()
            retries = await retried(on.store, retries)
            front.start()
            await front.up()
            await stack.stored(max(0, await stack.rows()))
        assert front.happened["kill"] == killed + 4


@beside
async def test_answers_lost_after_clickhouse_has_taken_the_rows(stack: Stack, front: Front, seed: int) -> None:
    async with scene(stack, front, seed) as on:
        on.way.mute(only=b"INSERT", times=12)

        async def lost() -> bool:
            return on.way.happened[Fault.MUTE] == 12

        await until("twelve answers are lost", lost)
    twice = "SELECT kafka_offset FROM sync_records GROUP BY kafka_partition, kafka_offset HAVING count() > 1"
    doubled = await asyncio.to_thread(stack.sql, twice)
    assert doubled == []


@beside
async def test_while_clickhouse_is_away_and_flapping_store_waits_and_count_goes_on(
    stack: Stack, front: Front, seed: int
) -> None:
    async with scene(stack, front, seed) as on:
        on.way.down()
        rows = await stack.rows()
        await retried(on.store)
        await goes_on(on.count)
        await asyncio.sleep(stack.settings.session_seconds + 1)
        assert (await on.store.get("/readyz"))[0] == 503
        assert await stack.rows() <= rows + 1000  # what was under way may still have come
        on.way.heal()
        on.way.flap(down=0.5, up=0.4)

        async def met() -> bool:
            return on.way.happened[Fault.FLAP] >= 3

        await until("the flapping has met three connections or requests", met)
        assert on.way.happened[Fault.DOWN] > 0


@beside
async def test_a_clickhouse_that_never_answers_is_given_up_and_asked_again(
    stack: Stack, front: Front, seed: int
) -> None:
    """Rows are taken, and the answer vanishes on a connection that stays: only the worker's own time-out ends it, long
    after its session would have ended if it did not go on telling the broker that it lives."""
    async with scene(stack, front, seed) as on:
        began = time.monotonic()
        on.way.hang(Direction.ANSWERS)
        await goes_on(on.count)
        await retried(on.store)
        assert time.monotonic() - began > stack.settings.session_seconds
        assert on.way.happened[Fault.HANG] > 0
