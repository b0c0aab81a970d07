"""A records topic of its own for each test, and its messages by partition."""

import uuid

import pytest
import pytest_asyncio
from aiokafka import ConsumerRecord, TopicPartition

from schemas import topics
from streams import config
from streams.config import Settings
from streams.kafka import clients
from streams.kafka.topics import create

PARTITIONS = 3


@pytest.fixture
def topic() -> str:
    return f"records-{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def settings(kafka: str, topic: str) -> Settings:
    made = config.load(kafka=kafka, partitions=PARTITIONS, records_topic=topic)
    admin = await clients.started(lambda: clients.admin(made), made)
    await create(admin, [topics.records(topic, PARTITIONS)], made.replication)
    await admin.close()
    return made


async def messages(settings: Settings) -> list[ConsumerRecord]:
    """Every message of the topic, partition after partition."""
    found: list[ConsumerRecord] = []
    consumer = await clients.started(lambda: clients.reader(settings), settings)
    try:
        partitions = [TopicPartition(settings.records_topic, number) for number in range(PARTITIONS)]
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            while await consumer.position(tp) < ends[tp]:
                for records in (await consumer.getmany(tp, timeout_ms=200)).values():
                    found += records
        return found
    finally:
        consumer.unsubscribe()
        await clients.stop(consumer)
