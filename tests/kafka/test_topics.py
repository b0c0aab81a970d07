"""Creating topics is repeatable, and a topic that breaks a promise is told with what it should be."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import TopicSpec
from streams.clock import now_ms
from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.kafka import clients
from streams.kafka.topics import changelog_name, create, differences, wanted

pytestmark = pytest.mark.stack


async def test_what_is_missing_is_created_once_and_then_is_as_wanted(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    specs = wanted(settings)
    missing = [f"topic {changelog_name(settings)} does not exist: run `synclogs migrate`"]
    assert await differences(admin, specs) == missing  # the fixture has made the other two
    assert await create(admin, specs, settings.replication) == [changelog_name(settings)]
    assert await create(admin, specs, settings.replication) == []
    assert await differences(admin, specs) == []


async def test_a_topic_that_breaks_a_promise_is_named_with_setting_value_and_what_is_needed(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    name = f"other-{settings.records_topic}"
    await create(admin, [TopicSpec(name, 1, {"retention.ms": "60000"})], settings.replication)
    spec = TopicSpec(name, 4, {"message.timestamp.type": "LogAppendTime", "retention.ms": "604800000"})
    assert await differences(admin, [spec]) == [
        f"topic {name} has 1 partitions, needs 4",
        f"topic {name} has message.timestamp.type=CreateTime, needs LogAppendTime",
        f"topic {name} has retention.ms=60000, needs 604800000",
    ]


async def test_a_topic_with_more_partitions_is_fine(settings: Settings, admin: AIOKafkaAdminClient) -> None:
    assert await differences(admin, [TopicSpec(settings.records_topic, 1)]) == []


async def test_a_topic_that_kafka_refuses_is_named_with_the_cause(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    with pytest.raises(KafkaUnavailable, match=rf"topic {settings.records_topic}-3 can't be created: .*Replication"):
        await create(admin, [TopicSpec(f"{settings.records_topic}-3", 1)], replication=3)


async def test_no_clock_of_ours_or_of_the_broker_makes_kafka_refuse_a_letter_or_a_count(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    await create(admin, wanted(settings), settings.replication)
    producer = await clients.started(lambda: clients.idempotent_producer(settings), settings)
    tomorrow = now_ms() + 86_400_000
    for topic in (settings.dead_letters_topic, changelog_name(settings)):
        await producer.send_and_wait(topic, b"x", key=b"k", partition=0, timestamp_ms=tomorrow)
    await producer.stop()


async def test_the_topics_keep_what_the_design_promises(settings: Settings) -> None:
    records, dead, changelog = wanted(settings)
    assert records.settings["message.timestamp.type"] == "LogAppendTime", "tenants could bend what is judged by it"
    assert int(records.settings["retention.ms"]) == 7 * 24 * 3600 * 1000
    assert int(dead.settings["retention.ms"]) == 30 * 24 * 3600 * 1000
    assert int(dead.settings["max.message.bytes"]) > int(records.settings["max.message.bytes"])
    assert changelog.settings["cleanup.policy"] == "compact"
    assert {spec.partitions for spec in (records, dead, changelog)} == {2}
