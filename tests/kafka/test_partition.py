"""Owning a partition, against a real broker: one writer, all or nothing, and a position that says what is settled."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.config import Settings
from streams.errors import KafkaUnavailable, PartitionLost
from streams.kafka import clients, partition
from streams.kafka.partition import Outgoing, OwnedPartition, Position, committed, until_seen
from tests.kafka.conftest import committed_records

pytestmark = pytest.mark.stack


def source(settings: Settings) -> TopicPartition:
    return TopicPartition(settings.records_topic, 1)


def letters(settings: Settings) -> TopicPartition:
    return TopicPartition(settings.dead_letters_topic, 1)


async def opened(settings: Settings) -> OwnedPartition:
    owned = OwnedPartition(settings, settings.store_group, source(settings))
    await owned.open()
    return owned


async def left_behind(settings: Settings, admin: AIOKafkaAdminClient) -> Position | None:
    """The position as the next owner finds it: it opens, so that the last transaction is complete, and then reads."""
    owned = await opened(settings)
    found = await committed(admin, settings.store_group, source(settings))
    await owned.close()
    return found


async def test_a_group_without_a_position_is_told_apart_from_one_at_the_beginning(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    assert await left_behind(settings, admin) is None
    owned = await opened(settings)
    await owned.commit(Position(0, "epoch"))
    await owned.close()
    assert await left_behind(settings, admin) == Position(0, "epoch")


async def test_the_position_is_the_last_one_committed_with_its_note_and_of_its_partition_only(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    owned = await opened(settings)
    await owned.commit(Position(10, "epoch:20"))
    await owned.commit(Position(20, "epoch"))
    await owned.close()
    assert await left_behind(settings, admin) == Position(20, "epoch")
    assert await committed(admin, settings.store_group, TopicPartition(settings.records_topic, 0)) is None
    assert await committed(admin, settings.count_group, source(settings)) is None


async def test_a_note_of_the_promised_length_is_kept_whole(settings: Settings, admin: AIOKafkaAdminClient) -> None:
    owned = await opened(settings)
    await owned.commit(Position(1, "n" * 4096))
    await owned.close()
    assert await left_behind(settings, admin) == Position(1, "n" * 4096)


async def test_records_come_with_the_position_to_the_same_partition_byte_for_byte(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    owned = await opened(settings)
    sent = [
        Outgoing(b"key", b"\x00\xff", (("code", b"invalid_json"), ("none", None)), 1_700_000_000_123),
        Outgoing(None, b"without key"),
        Outgoing(b"tombstone", None),
    ]
    await owned.commit(Position(3, "epoch"), settings.dead_letters_topic, sent)
    await owned.close()
    found = await committed_records(settings, letters(settings))
    assert [(r.key, r.value, tuple(r.headers)) for r in found] == [(o.key, o.value, tuple(o.headers)) for o in sent]
    assert found[0].timestamp == 1_700_000_000_123
    assert await left_behind(settings, admin) == Position(3, "epoch")


async def test_a_second_owner_fences_the_first_of_which_nothing_more_is_seen(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    first = await opened(settings)
    await first.commit(Position(1, "first"), settings.dead_letters_topic, [Outgoing(b"1", b"of the first")])
    second = await opened(settings)
    with pytest.raises(PartitionLost, match=rf"{settings.records_topic}\[1\] of {settings.store_group}"):
        await first.commit(Position(2, "zombie"), settings.dead_letters_topic, [Outgoing(b"2", b"of a zombie")])
    with pytest.raises(PartitionLost):
        await first.commit(Position(2, "zombie"))  # once lost, always lost
    assert await committed(admin, settings.store_group, source(settings)) == Position(1, "first")
    await second.commit(Position(2, "second"), settings.dead_letters_topic, [Outgoing(b"2", b"of the second")])
    await first.close()
    await second.close()
    found = await committed_records(settings, letters(settings))
    assert [record.value for record in found] == [b"of the first", b"of the second"]
    assert await left_behind(settings, admin) == Position(2, "second")


async def test_what_an_owner_left_open_is_aborted_by_the_next(settings: Settings, admin: AIOKafkaAdminClient) -> None:
    first = await opened(settings)
    await first._producer.begin_transaction()
    await (await first._producer.send(settings.dead_letters_topic, b"half", partition=1))
    second = await opened(settings)  # as after a crash of the first between sending and committing
    await second.commit(Position(1, "second"), settings.dead_letters_topic, [Outgoing(None, b"whole")])
    await second.close()
    await first.close()
    assert [record.value for record in await committed_records(settings, letters(settings))] == [b"whole"]
    assert await left_behind(settings, admin) == Position(1, "second")


async def test_a_record_that_kafka_refuses_takes_the_position_and_its_neighbours_back(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    owned = await opened(settings)
    await owned.commit(Position(1, "before"))
    too_large = Outgoing(b"2", bytes(2 << 20))
    with pytest.raises(PartitionLost):
        await owned.commit(Position(2, "after"), settings.records_topic, [Outgoing(b"1", b"small"), too_large])
    await owned.close()
    assert await left_behind(settings, admin) == Position(1, "before")
    assert await committed_records(settings, source(settings)) == []


async def test_the_largest_message_fits_alone_and_between_others(settings: Settings) -> None:
    owned = await opened(settings)
    largest = Outgoing(b"k" * 100, b"v" * (1 << 20), (("code", b"c" * 100), ("topic", b"t" * 200)))
    small = Outgoing(b"small", b"s")
    await owned.commit(Position(1), settings.dead_letters_topic, [largest])
    await owned.commit(Position(5), settings.dead_letters_topic, [small, largest, largest, small])
    await owned.close()
    found = await committed_records(settings, letters(settings))
    assert [len(record.value) for record in found] == [1 << 20, 1, 1 << 20, 1 << 20, 1]


async def test_many_records_keep_their_order_over_batches(settings: Settings) -> None:
    owned = await opened(settings)
    values = [f"{number:06d}".encode() * 20 for number in range(10_000)]
    await owned.commit(Position(1), settings.dead_letters_topic, [Outgoing(None, value) for value in values])
    await owned.close()
    assert [record.value for record in await committed_records(settings, letters(settings))] == values


async def test_an_unreachable_kafka_is_no_position(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    owned = OwnedPartition(away, settings.store_group, source(settings))
    with pytest.raises(PartitionLost, match="can't be opened"):
        await owned.open()
    await owned.close()


async def test_reading_a_position_is_given_up_with_group_and_permission_named(
    settings: Settings, admin: AIOKafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "READ_TRIES", 1)

    async def nothing(*_: object, **__: object) -> dict[object, object]:
        return {}  # what aiokafka gives while the coordinator loads

    monkeypatch.setattr(admin, "list_consumer_group_offsets", nothing)
    with pytest.raises(KafkaUnavailable, match=f"group {settings.store_group}.*DESCRIBE"):
        await committed(admin, settings.store_group, source(settings))


async def test_catching_up_writes_to_the_coordinator_s_log_and_changes_nothing(
    settings: Settings, admin: AIOKafkaAdminClient
) -> None:
    owned = await opened(settings)
    await owned.commit(Position(7, "epoch"), settings.dead_letters_topic, [Outgoing(b"k", b"v")])
    await until_seen(admin, settings.store_group, source(settings), Position(7, "epoch"))
    before = await _offsets_log(settings, admin)
    await owned.catch_up(settings.dead_letters_topic)
    assert await _offsets_log(settings, admin) >= before + 2, "an offset, and that it was taken back"
    assert await committed(admin, settings.store_group, source(settings)) == Position(7, "epoch")
    assert [record.value for record in await committed_records(settings, letters(settings))] == [b"v"]
    await owned.commit(Position(8, "epoch"))
    await owned.close()
    assert await left_behind(settings, admin) == Position(8, "epoch")


async def test_a_fenced_owner_can_not_catch_up(settings: Settings) -> None:
    owned = await opened(settings)
    successor = await opened(settings)
    with pytest.raises(PartitionLost):
        await owned.catch_up(settings.dead_letters_topic)
    await owned.close()
    await successor.close()


async def test_a_position_that_never_comes_is_a_lost_partition(
    settings: Settings, admin: AIOKafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "SEEN_TRIES", 3)
    with pytest.raises(PartitionLost, match="what was committed is not there"):
        await until_seen(admin, settings.store_group, source(settings), Position(9, "epoch"))


async def _offsets_log(settings: Settings, admin: AIOKafkaAdminClient) -> int:
    """How much the logs of all coordinators hold."""
    (described,) = await admin.describe_topics(["__consumer_offsets"])
    parts = [TopicPartition("__consumer_offsets", one["partition"]) for one in described["partitions"]]
    reader = clients.reader(settings)
    await reader.start()
    try:
        return int(sum((await reader.end_offsets(parts)).values()))
    finally:
        await clients.stop(reader)
