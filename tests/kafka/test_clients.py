"""Connecting to Kafka: in plain words where it does not answer, patiently where a worker asks for that."""

import asyncio
import contextlib
import gc
import itertools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from streams import config, logs
from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.kafka import clients
from streams.kafka.partition import OwnedPartition
from tests.kafka.conftest import committed_records


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("make", [clients.admin, clients.idempotent_producer, clients.reader])
async def test_an_unreachable_kafka_is_one_sentence_with_its_address_and_what_to_do(make: object) -> None:
    address = f"127.0.0.1:{closed_port()}"
    settings = config.load(kafka=address)
    with pytest.raises(KafkaUnavailable) as raised:
        await clients.started(lambda: make(settings), settings)  # type: ignore[operator]
    assert str(raised.value).startswith(f"Kafka at {address} does not answer (")
    assert "SYNCLOGS_KAFKA" in str(raised.value)


async def test_a_patient_caller_goes_on_asking_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    settings = config.load(kafka=f"127.0.0.1:{closed_port()}")
    logs.configure("warning")
    waiting = asyncio.create_task(clients.started(lambda: clients.admin(settings), settings, patient=True))
    told: list[dict[str, object]] = []
    async with asyncio.timeout(20):
        while len(told) < 2:
            await asyncio.sleep(0.05)
            lines = map(json.loads, capsys.readouterr().err.splitlines())
            told += [line for line in lines if line["event"] == "waiting"]
    assert not waiting.done()
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert {entry["kafka"] for entry in told} == {settings.kafka}
    first, second = (entry["again_in_seconds"] for entry in told[:2])
    assert (first, second) == (0.5, 1.0)


@pytest.mark.stack
@pytest.mark.parametrize("make", [clients.idempotent_producer, clients.reader, clients.admin])
async def test_a_start_that_is_cancelled_at_any_moment_leaves_no_connection(settings: Settings, make: Any) -> None:
    with nothing_left(settings):
        async for cancel in moments():
            starting = asyncio.create_task(clients.started(lambda: make(settings), settings))
            if not await cancel(starting):
                await clients._discard(starting.result())


@pytest.mark.stack
async def test_a_partition_that_is_taken_away_while_it_is_opened_leaves_no_connection(settings: Settings) -> None:
    with nothing_left(settings):
        async for cancel in moments():
            owned = OwnedPartition(settings, settings.store_group, TopicPartition(settings.records_topic, 0))
            await cancel(asyncio.create_task(owned.open()))
            await owned.close()


async def test_a_start_that_is_cancelled_twice_ends_at_once() -> None:
    """Left to itself it would go on, and fence whoever has the partition by then."""
    client = Endless()
    starting = asyncio.create_task(clients.start(client))
    await client.begun.wait()
    for _ in range(2):
        starting.cancel()
        await asyncio.sleep(0)
    await asyncio.wait_for(client.ended.wait(), clients.LAST_SECONDS / 2)
    assert starting.cancelled()


class Endless:
    """A client whose start never comes to an end by itself."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def start(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@contextlib.contextmanager
def nothing_left(settings: Settings) -> Iterator[None]:
    """As many connections to the broker after it as before."""

    def open_ones() -> int:
        port = int(settings.kafka.rpartition(":")[2])
        return sum(bool(one.raddr) and one.raddr.port == port for one in psutil.Process().net_connections("tcp"))

    before = open_ones()
    gc.disable()  # it would close what nobody holds
    try:
        yield
        assert open_ones() == before
    finally:
        gc.enable()


async def moments() -> AsyncIterator[Callable[[asyncio.Task[Any]], Awaitable[bool]]]:
    """What cancels a task later and later, and tells whether it did; the last time the task comes to its end."""
    cancelled = -1

    async def cancel(task: asyncio.Task[Any]) -> bool:
        nonlocal cancelled
        for _ in range(number * 5):  # turns of the loop: a timer knows milliseconds, and a start takes one
            await asyncio.sleep(0)
        if task.done():
            await task
            return False
        cancelled = number
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return True

    for number in itertools.count():
        yield cancel
        if cancelled < number:
            break
    assert cancelled > 2, "it was cancelled at different moments"


@pytest.mark.stack
async def test_a_message_of_the_largest_size_goes_through_the_emitters_producer(settings: Settings) -> None:
    producer = await clients.started(lambda: clients.idempotent_producer(settings), settings)
    await producer.send_and_wait(settings.records_topic, b"v" * (1 << 20), key=b"k" * 193, partition=0)
    await producer.stop()
    (record,) = await committed_records(settings, TopicPartition(settings.records_topic, 0))
    assert len(record.value) == 1 << 20


@pytest.mark.stack
async def test_a_member_gets_its_partitions_and_never_starts_anywhere_by_itself(settings: Settings) -> None:
    assigned: asyncio.Future[set[TopicPartition]] = asyncio.get_running_loop().create_future()

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
        async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
            pass

        async def on_partitions_assigned(self, given: set[TopicPartition]) -> None:
            if not assigned.done():
                assigned.set_result(given)

    consumer: AIOKafkaConsumer = clients.member(settings, settings.store_group, Listener())
    await consumer.start()
    try:
        given = await asyncio.wait_for(assigned, 30)
        assert given == {TopicPartition(settings.records_topic, number) for number in (0, 1)}
    finally:
        await clients.stop(consumer)
