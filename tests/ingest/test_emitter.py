"""The emitter, against a real broker: all of it, once, where any other client would have put it."""

import asyncio
import random
import socket

import pytest
from aiokafka import AIOKafkaProducer

from schemas import topics
from schemas.event import MAX_MESSAGE
from streams import config
from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.ingest.emitter import Emitter, like_java
from streams.kafka import clients
from streams.kafka.topics import create
from tests.ingest.conftest import messages

pytestmark = pytest.mark.stack


async def test_everything_is_accepted_and_there_exactly_once(settings: Settings) -> None:
    sent = [(f"tenant:{number}".encode(), f"value {number}".encode() * 10) for number in range(20_000)]
    async with Emitter(settings) as emitter:
        for key, value in sent:
            await emitter.send(key, value)
    assert (emitter.sent, emitter.accepted, emitter.refused) == (20_000, 20_000, 0)
    found = await messages(settings)
    assert sorted((record.key, record.value) for record in found) == sorted(sent)


async def test_messages_of_one_key_keep_their_order(settings: Settings) -> None:
    async with Emitter(settings) as emitter:
        for number in range(5_000):
            await emitter.send(b"tenant:%d" % (number % 7), b"%06d" % number)
    by_key: dict[bytes, list[bytes]] = {}
    for record in await messages(settings):
        by_key.setdefault(record.key, []).append(record.value)
    assert len(by_key) == 7
    assert all(values == sorted(values) for values in by_key.values())


async def test_a_key_goes_to_the_partition_that_kafkas_own_hash_says(settings: Settings) -> None:
    keys = [f"tenant-{number}:record-{number * 7}".encode() for number in range(200)]
    async with Emitter(settings) as emitter:
        for key in keys:
            await emitter.send(key, b"by the emitter")
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    told = {key: (await producer.send_and_wait(settings.records_topic, b"by another", key=key)).partition
            for key in keys}  # fmt: skip
    await producer.stop()
    ours = {record.key: record.partition for record in await messages(settings) if record.value == b"by the emitter"}
    assert ours == told
    assert len(set(ours.values())) == 3


@pytest.mark.parametrize(  # by org.apache.kafka.common.utils.UtilsTest.testMurmur2
    ("key", "hashed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
     (b"abc", 479470107)],
)  # fmt: skip
def test_the_hash_is_the_one_of_the_java_client(key: bytes, hashed: int) -> None:
    assert like_java(key) == hashed & 0x7FFFFFFF


async def test_messages_without_a_key_spread_over_all_partitions(settings: Settings) -> None:
    async with Emitter(settings) as emitter:
        for number in range(300):
            await emitter.send(None, b"%d" % number)
    found = await messages(settings)
    assert len(found) == 300
    assert {record.partition for record in found} == {0, 1, 2}


async def test_a_flush_returns_when_kafka_has_it_and_an_idle_emitter_sends_by_itself(settings: Settings) -> None:
    async with Emitter(settings, linger=0.05) as emitter:
        await emitter.send(b"1", b"flushed")
        await emitter.flush()
        assert emitter.accepted == 1
        await emitter.send(b"2", b"lingers")
        async with asyncio.timeout(10):
            while emitter.accepted < 2:
                await asyncio.sleep(0.01)


async def test_the_largest_event_fits_and_a_larger_one_is_counted_as_refused_with_the_cause(settings: Settings) -> None:
    async with Emitter(settings) as emitter:
        await emitter.send(b"k" * 193, random.randbytes(MAX_MESSAGE))  # what no compression makes smaller
        await emitter.send(b"k" * 193, random.randbytes(MAX_MESSAGE * 2))
        await emitter.send(b"k" * 193, b"small")
    assert (emitter.sent, emitter.accepted, emitter.refused) == (3, 2, 1)
    assert emitter.errors == {"MessageSizeTooLargeError": 1}
    assert sorted(len(record.value) for record in await messages(settings)) == [5, MAX_MESSAGE]


async def test_after_a_batch_that_kafka_refused_the_next_ones_are_accepted(settings: Settings) -> None:
    small = topics.records("small-messages", 1)
    small.settings["max.message.bytes"] = "2000"
    admin = await clients.started(lambda: clients.admin(settings), settings)
    await create(admin, [small], 1)
    await admin.close()
    async with Emitter(settings.model_copy(update={"records_topic": small.name})) as emitter:
        for value in (b"before", random.randbytes(5000)):
            await emitter.send(b"1", value)
            await emitter.flush()
        assert (emitter.accepted, emitter.refused) == (1, 1)
        for number in range(3):
            await emitter.send(b"2", b"after %d" % number)
            await emitter.flush()
    assert (emitter.accepted, emitter.refused) == (4, 1)


async def test_an_unreachable_kafka_is_told_at_the_start() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(KafkaUnavailable, match=f"Kafka at {address} does not answer"):
            await Emitter(config.load(kafka=address)).__aenter__()


async def test_a_topic_that_is_not_there_is_told_with_what_to_do(kafka: str) -> None:
    settings = config.load(kafka=kafka, records_topic="nowhere")
    with pytest.raises(KafkaUnavailable, match="topic nowhere is not there: run `synclogs migrate`"):
        await Emitter(settings).__aenter__()
