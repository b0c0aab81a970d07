"""A lane step by step: what another owner finds at each point, and what an owner that was fenced can no longer do."""

import asyncio
import datetime as dt
import json

import pytest
from aiokafka import AIOKafkaProducer

from schemas.refusal import Code
from streams.errors import PartitionLost, StoreRefused
from streams.kafka import clients
from streams.kafka.partition import Position
from streams.store.intake import Run
from streams.store.lane import PROOF_SECONDS, Lane
from streams.store.state import State
from tests.store.records import at, event
from tests.store.stack import Stack, eventually, metric

pytestmark = pytest.mark.stack

WEEKS = [at(dt.datetime.now(dt.UTC) - dt.timedelta(weeks=n)) for n in (0, 1)]


def some(number: int) -> list[bytes]:
    """Events of two weeks, so that a run is more than one insert."""
    return [event(occurred_at=WEEKS[n % 2]) for n in range(number)]


def ids_of(values: list[bytes]) -> list[str]:
    return sorted(json.loads(value)["event_id"] for value in values)


def measured() -> tuple[float, ...]:
    """Messages consumed, rows of records, rows of dead letters, dead letters."""
    return (
        metric("synclogs_records_consumed_total", worker="store"),
        metric("synclogs_rows_stored_total", table="sync_records"),
        metric("synclogs_rows_stored_total", table="dead_letters"),
        metric("synclogs_records_dead_lettered_total", code=Code.INVALID_JSON.value),
    )


async def announced(lane: Lane) -> tuple[State, Run]:
    """Up to the point where a run is announced and nothing of it stored."""
    now = await lane.open()
    run = await lane.intake.gather(now.position)
    return await lane.announce(now._replace(announced=run.end)), run


@pytest.mark.parametrize("inserts", [0, 1, 2])
async def test_what_an_owner_left_behind_is_finished_by_the_next(stack: Stack, inserts: int) -> None:
    await stack.send(*(sent := some(40)), b"broken")
    async with stack.lane() as first:
        now, run = await announced(first)
        rows = await first.parse(run)
        for insert in rows.inserts()[:inserts]:
            await first.insert(now, insert)
    await stack.left_at(Position(0, f"{now.epoch}:41"))
    assert len(stack.ids()) == 20 * inserts
    await stack.send(*(more := some(10)))
    async with stack.worker():
        await stack.settled(0)
    assert stack.ids() == ids_of([*sent, *more])
    assert [letter.value for letter in await stack.letters()] == [b"broken"]
    await stack.left_at(Position(51, now.epoch))


async def test_an_owner_that_was_fenced_can_not_settle_its_run(stack: Stack) -> None:
    await stack.send(*(sent := some(10)), b"broken")
    async with stack.lane() as frozen, stack.lane() as successor:
        now, run = await announced(frozen)
        rows = await frozen.parse(run)
        taken = await successor.open()
        assert taken == now
        # Fenced, and it does not know yet: the same rows under the same tokens as its successor's.
        for insert in rows.inserts():
            await frozen.insert(now, insert)
        with pytest.raises(PartitionLost):
            await frozen.settle(now, rows)
        again = await successor.store(taken, await successor.reform(taken, run.end))
        assert again == State(11, now.epoch, bad_in_a_row=1)
    assert stack.ids() == ids_of(sent)
    assert [letter.value for letter in await stack.letters()] == [b"broken"]


async def test_rows_count_as_stored_when_their_run_is_settled_and_by_whom(stack: Stack) -> None:
    """What was consumed and what was stored agree, also of a run that was taken away half stored."""
    before = measured()
    await stack.send(*some(10), b"broken")
    async with stack.lane() as first, stack.lane() as second:
        now, run = await announced(first)
        for insert in (await first.parse(run)).inserts():
            await first.insert(now, insert)
        assert len(stack.ids()) == 10
        assert measured() == before
        taken = await second.open()
        await second.store(taken, await second.reform(taken, run.end))
    consumed, rows, letters, dead = (now - was for now, was in zip(measured(), before, strict=True))
    assert (consumed, rows, letters, dead) == (11, 10, 1, 1)


async def test_an_owner_that_slept_proves_that_it_still_owns_before_it_writes(stack: Stack) -> None:
    await stack.send(*some(10))
    async with stack.lane() as frozen, stack.lane() as successor:
        now, run = await announced(frozen)
        rows = await frozen.parse(run)
        await successor.open()
        frozen.proved -= PROOF_SECONDS + 1
        with pytest.raises(PartitionLost):
            await frozen.insert(now, rows.inserts()[0])
    assert stack.ids() == []


async def test_an_owner_that_slept_and_was_not_fenced_goes_on(stack: Stack) -> None:
    await stack.send(*(sent := some(10)))
    async with stack.lane() as lane:
        now, run = await announced(lane)
        lane.proved -= PROOF_SECONDS + 1
        assert await lane.store(now, run) == State(10, now.epoch)
    assert stack.ids() == ids_of(sent)


async def test_a_run_is_formed_again_when_its_end_holds_no_record(stack: Stack) -> None:
    # 0..4 events, 5 the marker of a transaction that was committed, 6..8 aborted, 9 their marker.
    producer: AIOKafkaProducer = await clients.started(
        lambda: clients.transactional_producer(stack.settings, stack.settings.records_topic), stack.settings
    )
    sent = some(5)
    async with producer.transaction():
        for value in sent:
            await producer.send(stack.settings.records_topic, value, partition=0)
    await producer.begin_transaction()
    for value in some(3):
        await producer.send_and_wait(stack.settings.records_topic, value, partition=0)
    await producer.abort_transaction()
    await producer.stop()
    for end in (6, 8, 10):
        await stack.commit(Position(0, f"0a1b2c3d{end}:{end}"))
        async with stack.lane() as lane:
            now = await lane.open()
            run = await lane.reform(now, end)
            assert [record.value for record in run.records] == sent
            assert run.end == end
    async with stack.worker():
        await stack.settled(0)
    assert stack.ids() == ids_of(sent)


async def test_what_was_taken_behind_an_announced_run_begins_the_next(stack: Stack) -> None:
    await stack.send(*(sent := some(30)))
    await stack.commit(Position(0, "0a1b2c3d:12"))
    async with stack.lane() as lane:
        now = await lane.open()
        run = await lane.reform(now, 12)
        assert [record.offset for record in run.records] == list(range(12))
        now = await lane.store(now, run)
        following = await lane.intake.gather(now.position)
        assert [record.offset for record in following.records] == list(range(12, 30))
    assert stack.ids() == ids_of(sent[:12])


async def test_a_run_is_full_by_records_or_by_bytes(stack: Stack) -> None:
    await stack.send(*some(30))
    async with stack.lane(store_rows=7, store_seconds=60) as lane:
        now = await lane.open()
        assert len((await lane.intake.gather(now.position)).records) == 7
    large = [event(occurred_at=WEEKS[0], payload={"text": "x" * 900_000}) for _ in range(4)]
    await stack.send(*large, partition=1)
    async with stack.lane(partition=1, store_bytes=1 << 20, store_seconds=60) as lane:
        now = await lane.open()
        runs = [await lane.intake.gather(now.position) for _ in range(3)]
        assert [run.end for run in runs] == [1, 2, 3]


async def test_a_dead_letter_as_large_as_messages_can_be_is_kept_whole(stack: Stack) -> None:
    large = b"{" + b"x" * ((1 << 20) + 2000)
    await stack.send(large, b"broken", *some(2))
    async with stack.worker():
        await stack.settled(0)
    assert [letter.value for letter in await stack.letters()] == [large, b"broken"]


async def test_an_offset_set_by_hand_is_where_storing_goes_on(stack: Stack) -> None:
    await stack.send(*(sent := some(10)))
    await stack.commit(Position(6, ""))
    async with stack.worker():
        await stack.settled(0)
    assert stack.ids() == ids_of(sent[6:])


async def test_what_clickhouse_refuses_for_good_ends_the_worker_and_settles_nothing(stack: Stack) -> None:
    await stack.send(*some(3))
    stack.database.command("ALTER TABLE sync_records DROP COLUMN truncated")
    async with stack.worker() as worker, asyncio.timeout(20):
        await worker.ended()
    assert isinstance(worker.fault, StoreRefused)

    async def announced_and_not_closed() -> bool:
        left = await stack.position()
        return left is not None and left.offset == 0 and left.note.endswith(":3")

    await eventually(announced_and_not_closed)
