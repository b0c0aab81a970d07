"""A log that is not what it was: deleted before it was read, made anew, given more partitions (F18).

Either it is picked up, or the partition stops and says so: never a silent skip. Others go on meanwhile.
"""

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.kafka import clients, topics
from tests.delivery.beside import Beside
from tests.delivery.checkers import complete, unique
from tests.delivery.parts import WorkerProcess
from tests.delivery.processes import until
from tests.delivery.scenario import all_right
from tests.delivery.sending import Plain, deliver, event
from tests.delivery.stack import Stack

pytestmark = pytest.mark.stack
beside = Beside()


def some(number: int, partition: int = 0) -> list[Plain]:
    return [event(partition=partition, record_id=str(n)) for n in range(number)]


async def _admin(stack: Stack) -> AIOKafkaAdminClient:
    return await clients.started(lambda: clients.admin(stack.settings), stack.settings)


async def _says(worker: WorkerProcess, words: str) -> None:
    """Wait until it is not ready for this reason, and its metric of stopped partitions says one."""

    async def told() -> bool:
        status, text = await worker.get("/readyz")
        return status == 503 and words in text and await worker.metric("synclogs_partitions_halted") > 0

    await until(f"{worker.name} says {words!r}", told)


@beside
async def test_records_deleted_before_they_were_read_stop_their_partition_and_no_other(stack: Stack) -> None:
    settings = stack.settings
    workers = [stack.worker("store"), stack.worker("count")]
    entries = await deliver(settings, some(30, 0) + some(30, 1))
    await stack.settled()
    for worker in workers:
        await worker.end(grace=10)
    lost = await deliver(settings, some(20, 0))
    admin = await _admin(stack)
    await admin.delete_records({TopicPartition(settings.records_topic, 0): RecordsToDelete(before_offset=40)})
    await admin.close()
    assert stack.sql("SELECT max(kafka_offset) FROM sync_records WHERE kafka_partition = 0") == [(29,)]

    store, count = stack.worker("store", 2), stack.worker("count", 2)
    await _says(store, f"{settings.records_topic}[0]")
    await _says(count, f"{settings.records_topic}[0]")
    more = await deliver(settings, some(10, 0) + some(10, 1))
    wanted = {entry.event_id for entry in more if entry.partition == 1}

    async def other_goes_on() -> bool:
        world = await stack.look()
        return wanted <= {row.event_id for row in world.rows} and world.live_positions.get(1, 0) == 40

    await until("the other partition is stored and counted", other_goes_on)
    world = await stack.look()
    assert world.begins[0] == 40, "nothing was deleted"
    assert world.stored_up_to(0) == 30, "jumped over what was deleted"
    assert world.live_positions[0] == 30
    told = complete(world, entries + lost)
    assert sum("was acknowledged and is not stored" in problem for problem in told) >= 20


@beside
async def test_a_topic_made_anew_is_never_taken_for_the_old_one(stack: Stack) -> None:
    """Offsets begin at 0 again. Store, whose offsets Kafka drops with the topic, stores the new one under tokens of its
    own; count, whose changelog knows better, stops."""
    settings = stack.settings
    workers = [stack.worker("store"), stack.worker("count")]
    old = await deliver(settings, some(50, 0) + some(50, 1))
    await stack.settled()
    for worker in workers:
        await worker.end(grace=10)
    admin = await _admin(stack)
    await admin.delete_topics([settings.records_topic])

    async def gone() -> bool:
        return settings.records_topic not in await admin.list_topics()

    await until("the topic is gone", gone)
    await topics.create(admin, topics.wanted(settings), 1)
    await admin.close()
    new = await deliver(settings, some(20, 0) + some(20, 1))
    store, count = stack.worker("store", 2), stack.worker("count", 2)
    await _says(count, "is not in its log")

    async def stored_or_stopped() -> bool:
        rows = {row.event_id for row in (await stack.look()).rows}
        return {entry.event_id for entry in new} <= rows or await store.metric("synclogs_partitions_halted") == 2

    await until("store has stored the new topic, or has stopped", stored_or_stopped)
    world = await stack.look()
    ids = [row.event_id for row in world.rows]
    assert len(ids) == len(set(ids))
    assert {entry.event_id for entry in old} <= set(ids), "what was stored is gone"
    assert world.live_positions == {0: 50, 1: 50}, "counted on from a position of another log"


@beside
async def test_partitions_added_while_everything_runs_are_picked_up(stack: Stack) -> None:
    settings = stack.settings
    stack.worker("store")
    count = stack.worker("count")
    entries = await deliver(settings, some(30, 0) + some(30, 1))
    await stack.settled()
    admin = await _admin(stack)
    # In the order that the runbook gives: where letters and counts go first.
    for topic in (settings.dead_letters_topic, topics.changelog_name(settings), settings.records_topic):
        await admin.create_partitions({topic: NewPartitions(total_count=4)})

    async def there() -> bool:
        (described,) = await admin.describe_topics([settings.records_topic])
        return len(described["partitions"]) == 4 and all(p["leader"] >= 0 for p in described["partitions"])

    await until("the partitions have leaders", there)
    await admin.close()
    for partition in (2, 3):
        entries += await deliver(settings, some(25, partition))

    async def owned() -> bool:
        return await count.metric("synclogs_partitions_assigned") == 4

    await until("count has the new partitions", owned)
    world = await all_right(stack, entries)
    assert {row.partition for row in world.rows} == {0, 1, 2, 3}
    assert {entry.partition for entry in world.live} == {0, 1, 2, 3}


@beside
async def test_a_partition_added_to_the_records_alone_waits_and_loses_nothing(stack: Stack) -> None:
    """The careless order: there is nowhere for its dead letters and its counts."""
    settings = stack.settings
    store, count = stack.worker("store"), stack.worker("count")
    entries = await deliver(settings, some(30, 0) + some(30, 1))
    await stack.settled()
    admin = await _admin(stack)
    await admin.create_partitions({settings.records_topic: NewPartitions(total_count=3)})
    more = some(20, 2)
    more.insert(5, Plain("poison-third", b"poison-third", good=False, partition=2))

    async def sent() -> bool:
        (described,) = await admin.describe_topics([settings.records_topic])
        return len(described["partitions"]) == 3

    await until("the partition is there", sent)
    entries += await deliver(settings, more)

    async def stuck() -> bool:
        """Each in its way: not ready, or ended to be started again."""
        asked = [(await worker.get("/readyz"))[0] for worker in (store, count)]
        return all(status != 200 for status in asked)

    await until("both workers say that something is wrong", stuck, 60)
    world = await stack.look()
    assert world.stored_up_to(2) <= 5, "committed past a bad message whose dead letter has no place"
    assert world.letters == []
    for topic in (settings.dead_letters_topic, topics.changelog_name(settings)):
        await admin.create_partitions({topic: NewPartitions(total_count=3)})
    await admin.close()
    for worker in (store, count):
        worker.supervise()
    world = await all_right(stack, entries)
    assert unique(world, entries) == []
    assert len(world.letters) == 1
