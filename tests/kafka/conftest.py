"""A topic of its own for each test, and what a reader finds in it."""

import uuid
from collections.abc import AsyncIterator

import pytest_asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas import topics
from streams import config
from streams.config import Settings
from streams.kafka import clients
from streams.kafka.topics import create


@pytest_asyncio.fixture
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = await clients.started(lambda: clients.admin(config.load(kafka=kafka)), config.load(kafka=kafka))
    yield client
    await client.close()


@pytest_asyncio.fixture
async def settings(kafka: str, admin: AIOKafkaAdminClient) -> Settings:
    """Of a records topic and a dead-letters topic with two partitions each, and of groups that nobody else uses."""
    name = uuid.uuid4().hex[:12]
    made = config.load(
        kafka=kafka, partitions=2, records_topic=f"records-{name}", dead_letters_topic=f"dead-{name}",
        count_group=f"count-{name}", store_group=f"store-{name}",
    )  # fmt: skip
    specs = [topics.records(made.records_topic, 2), topics.dead_letters(made.dead_letters_topic, 2)]
    await create(admin, specs, made.replication)
    return made


async def committed_records(settings: Settings, tp: TopicPartition) -> list[ConsumerRecord]:
    """All that a reader of committed records sees in a partition. Returns once it has reached the end."""
    return await _all(clients.reader(settings, max_partition_fetch_bytes=4 << 20), tp)


async def _all(consumer: AIOKafkaConsumer, tp: TopicPartition) -> list[ConsumerRecord]:
    await consumer.start()
    try:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        found: list[ConsumerRecord] = []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=200)).values():
                found += records
        return found
    finally:
        consumer.unsubscribe()
        await clients.stop(consumer)
