"""A connection that closes in the very moment of a request, under uvloop: an error that aiokafka's tasks outlive."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams.config import Settings
from streams.kafka import clients, closed

pytestmark = pytest.mark.stack


@pytest.fixture
def guarded() -> Iterator[None]:
    """As in the count worker; other tests have aiokafka as it is."""
    before = AIOKafkaConnection.send
    closed.prepare()
    yield
    AIOKafkaConnection.send = before


def connection(consumer: AIOKafkaConsumer) -> AIOKafkaConnection:
    return next(iter(consumer._client._conns.values()))


def in_uvloop(scenario: object) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario)  # type: ignore[arg-type]


@pytest.mark.usefixtures("guarded")
def test_a_request_on_a_transport_that_has_just_closed_is_a_connection_error(settings: Settings) -> None:
    async def scenario() -> None:
        tp = TopicPartition(settings.records_topic, 0)
        consumer = await clients.started(lambda: clients.reader(settings), settings)
        await consumer.end_offsets([tp])
        broken = connection(consumer)
        broken._read_task.cancel()  # it has not been told yet
        broken._writer.transport.abort()
        await asyncio.sleep(0.05)
        with pytest.raises(KafkaConnectionError, match="handler is closed"):
            broken.send(MetadataRequest([]))
        assert not broken.connected()
        assert await consumer.end_offsets([tp]) == {tp: 0}, "a new connection is made for the next request"
        await clients.stop(consumer)

    in_uvloop(scenario())
