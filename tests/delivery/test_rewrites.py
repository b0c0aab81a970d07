"""Publications, a reclassification and an erasure at the same time, while events flow and workers die: what was erased
is nowhere, what is published has the present reasons, and everything else is as if nothing had been rewritten.
"""

import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams import clock
from streams.classify import classify
from streams.config import Settings
from streams.kafka import clients
from tests.count.messages import event
from tests.delivery import checkers
from tests.delivery.catalogues import give_other
from tests.delivery.facts import place
from tests.delivery.ledger import Ledger
from tests.delivery.mix import Mix
from tests.delivery.parts import WorkerProcess
from tests.delivery.soak import environment_with
from tests.delivery.stack import Stack
from tests.delivery.world import World

pytestmark = pytest.mark.stack

RATE = 200
MIX = Mix(bad=0.01, again=0.05, failures=0.3)
ERASED = "gone-for-good"
SYNCS = 30
RESULTS = 600
_PUBLISHED = """SELECT error_codes, error_messages, reason FROM published_failures
    WHERE has((SELECT attempts FROM snapshots ORDER BY number DESC LIMIT 1), attempt_id)"""
_HOLDING = "SELECT count() FROM {0} WHERE tenant_id = {{gone:String}}"
_TABLES = "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = 'tenant_id'"


async def command(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Exit code of a command, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.cli", *arguments, env=environment_with(stack),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(120):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def send_erased(settings: Settings, rounds: int) -> None:
    """Results of the tenant that will be erased, a third of them failed, in all partitions; when Kafka has them all."""
    producer: AIOKafkaProducer = await clients.started(lambda: clients.idempotent_producer(settings), settings)
    try:
        for number in range(rounds):
            status = "success" if number % 3 else "failed"
            fields = {"tenant_id": ERASED, "sync_id": f"S-{number % SYNCS}", "record_id": str(number)}
            value = event(clock.now_ms(), status, **fields)
            await producer.send(settings.records_topic, value, partition=number % settings.partitions)
        await producer.flush()
    finally:
        await clients.stop(producer)


def held(stack: Stack) -> dict[str, int]:
    """How many rows of the tenant there are, by table."""
    tables = [table for (table,) in stack.sql(_TABLES)]
    rows = {table: stack.sql(_HOLDING.format(table), gone=ERASED)[0][0] for table in tables}
    return {table: number for table, number in rows.items() if number}


def as_never_rewritten(world: World) -> World:
    """The world as if the tenant had never sent anything, and failures were published with their rows' reasons."""
    name = ERASED.encode()
    log = {partition: [m for m in some if name not in (m.value or b"")] for partition, some in world.log.items()}
    assert world.snapshot
    reasons = {place(row): row.reason for row in world.rows}
    failures = [one._replace(reason=reasons.get(place(one), "")) for one in world.snapshot.failures]
    assert failures != world.snapshot.failures, "nothing was there to be reclassified"
    return dataclasses.replace(world, log=log, snapshot=dataclasses.replace(world.snapshot, failures=failures))


def published_otherwise(stack: Stack) -> list[str]:
    """Reasons of published failures that the present catalogue does not give."""
    found = []
    for codes, messages, reason in stack.sql(_PUBLISHED):
        errors = [(code, message, "") for code, message in zip(codes, messages, strict=True)]
        if classify("", errors).reason != reason:
            found.append(f"{errors} {reason}")
    return found


async def until_done(stack: Stack, *arguments: str) -> None:
    """What another rewriting has got in the way of is run again, as its words say."""
    for _ in range(5):
        code, said = await command(stack, *arguments)
        assert "Traceback" not in said, said
        if code == 0:
            return
    raise AssertionError(said)


async def killed(workers: Sequence[WorkerProcess]) -> None:
    for worker in workers:
        await worker.ready()
        assert worker.kill() is not None


async def test_erasing_reclassifying_and_publishing_at_once_while_events_flow_and_workers_die(
    stack: Stack, seed: int, tmp_path: Path
) -> None:
    store = stack.worker("store")
    await store.end()
    give_other(store, tmp_path)  # so that there is something to reclassify
    store.start()
    workers = [store, stack.worker("count"), stack.worker("count", 2)]
    for worker in workers:
        worker.supervise()
    async with Ledger(stack.settings, seed, MIX) as ledger:
        async with ledger.feeding(RATE):
            await send_erased(stack.settings, RESULTS)
            await stack.stored(2 * RESULTS)
            await until_done(stack, "publish", "--now")
            before = held(stack)
            assert {"sync_records", "live_counts", "published_failures", "published_syncs"} <= before.keys()
            await asyncio.gather(
                until_done(stack, "erase", "--tenant", ERASED, "--yes"),
                until_done(stack, "reclassify"),
                until_done(stack, "publish", "--now"),
                killed(workers),
            )
        await stack.settled()
        await until_done(stack, "publish", "--now")
        await until_done(stack, "reclassify")
        assert held(stack) == {}
        assert published_otherwise(stack) == []
        for worker in workers:
            await worker.ready()
        assert checkers.everything(as_never_rewritten(await stack.look()), ledger.entries) == []
    assert all(worker.exit_codes for worker in workers), "not every worker was killed"
