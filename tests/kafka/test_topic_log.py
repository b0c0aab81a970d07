"""The log as a reader of committed records sees it: transactions, markers and what retention took."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.kafka import clients
from streams.kafka.partition import OwnedPartition, Position
from streams.kafka.topic_log import open_log

pytestmark = pytest.mark.stack


async def send(settings: Settings, number: int) -> None:
    producer = clients.idempotent_producer(settings, linger_ms=0)
    await producer.start()
    for _ in range(number):
        await producer.send_and_wait(settings.records_topic, b"{}", partition=0)
    await producer.stop()


async def test_a_record_between_is_seen_and_one_at_the_end_is_not(settings: Settings) -> None:
    await send(settings, 3)
    async with open_log(settings, settings.records_topic) as log:
        assert log.partitions == [0, 1]
        assert await log.ends() == {0: 3, 1: 0}
        assert await log.has_record(0, 2, 3)
        assert not await log.has_record(0, 3, 3)
        assert await log.behind({0: 1}, {0: 3, 1: 0}) == [0]
        assert await log.behind({0: 3}, {0: 3, 1: 0}) == []


async def test_markers_and_aborted_records_are_no_records(settings: Settings) -> None:
    producer = clients.transactional_producer(settings, f"{settings.records_topic}-tx")
    await producer.start()
    await producer.begin_transaction()
    await producer.send(settings.records_topic, b"committed", partition=0)
    await producer.commit_transaction()
    await producer.begin_transaction()
    await (await producer.send(settings.records_topic, b"aborted", partition=0))
    await producer.abort_transaction()
    async with open_log(settings, settings.records_topic) as log:
        end = (await log.ends())[0]
        assert end == 4
        assert await log.has_record(0, 0, end)
        assert not await log.has_record(0, 1, end)
        await producer.begin_transaction()
        await (await producer.send(settings.records_topic, b"open", partition=0))
        assert (await log.ends())[0] == end
        assert await log.has_record(0, end, end + 1), "an open transaction can still become a record"
        await producer.abort_transaction()
    await producer.stop()


async def test_records_that_retention_took_are_no_records(settings: Settings, admin: AIOKafkaAdminClient) -> None:
    await send(settings, 3)
    tp = TopicPartition(settings.records_topic, 0)
    await admin.delete_records({tp: RecordsToDelete(before_offset=3)})
    async with open_log(settings, settings.records_topic) as log:
        assert not await log.has_record(0, 0, 3)


async def test_positions_of_a_group(settings: Settings) -> None:
    await send(settings, 3)
    owned = OwnedPartition(settings, settings.store_group, TopicPartition(settings.records_topic, 0))
    async with open_log(settings, settings.records_topic) as log:
        assert await log.positions(settings.store_group) == {0: 0, 1: 0}
        await owned.open()
        await owned.commit(Position(2, "epoch"))
        await owned.close()
        assert await log.positions(settings.store_group) == {0: 2, 1: 0}


async def test_a_missing_topic_and_a_missing_kafka_are_said_plainly(settings: Settings) -> None:
    with pytest.raises(KafkaUnavailable, match="topic nowhere does not exist"):
        async with open_log(settings, "nowhere"):
            pass
    gone = settings.model_copy(update={"kafka": "127.0.0.1:9"})
    with pytest.raises(KafkaUnavailable, match="Kafka at 127.0.0.1:9 does not answer"):
        async with open_log(gone, "nowhere"):
            pass
