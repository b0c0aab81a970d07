"""Owning a partition: it belongs to whoever last started the producer with its transactional id.

As in Kafka Streams' first exactly-once mode (KIP-129): starting the producer fences every earlier owner at the broker,
whatever froze it, cut it off or expelled it, so what changes only inside its transactions has one writer. No clock, no
lease, no generation. The rules: open first, then read the state, then seek; after any error drop the partition and
begin again from what the broker knows, never repair in place. Kafka 4.0 or newer.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.config import Settings
from streams.errors import KafkaUnavailable, PartitionLost
from streams.kafka.clients import start, transactional_producer

READ_TRIES = 100
SEEN_TRIES = 500
SEEN_SECONDS = 0.01


class Position(NamedTuple):
    """A group's committed offset for a partition, and the note beside it (at most 4,096 bytes)."""

    offset: int
    note: str = ""


class Outgoing(NamedTuple):
    """A record to send with a transaction; `timestamp` in ms, None for now."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int | None = None


class OwnedPartition:
    """One source partition of one group. Between `open` and `close` nobody else's transactions on it succeed."""

    def __init__(self, settings: Settings, group: str, tp: TopicPartition) -> None:
        self.group = group
        self.tp = tp
        self._producer: AIOKafkaProducer = transactional_producer(settings, f"{group}-{tp.topic}-{tp.partition}")

    async def open(self, topic: str = "") -> None:
        """Fence every earlier owner and catch up with what it left; an open transaction of one is aborted. `topic`: of
        the records, where the state lies in records. PartitionLost if Kafka does not let us."""
        try:
            await start(self._producer)
        except (KafkaError, OSError) as error:
            raise PartitionLost(f"{self._name}: can't be opened: {error!r}") from error
        await self.catch_up(topic)

    async def catch_up(self, topic: str = "") -> None:
        """Return when whatever the owners before left is decided, and the group's coordinator knows it; before that its
        answers prove nothing.

        A transaction that is taken back. A broker of 4.3 that is killed and comes back alone can forget to mark a
        transaction that it had acknowledged (it takes a partition without a leader for a deleted one): records and
        offset then hang, and the next commit of this producer would bring them back. Taken back, they are gone. And its
        coordinator, told to load, unload and load again, can answer with offsets of minutes ago, or with none, until
        somebody writes: at a write it compares its state with its log. PartitionLost as with `commit`.
        """
        try:
            await self._producer.begin_transaction()
            if topic:
                (nothing,) = self._batches([Outgoing(b"nothing", None)])
                await (await self._producer.send_batch(nothing, topic, partition=self.tp.partition))
            await self._producer.send_offsets_to_transaction({self.tp: OffsetAndMetadata(0, "nothing")}, self.group)
            await self._producer.abort_transaction()
        except (KafkaError, AssertionError) as error:
            raise PartitionLost(f"{self._name}: can't catch up with earlier owners: {error!r}") from error

    async def commit(self, position: Position, topic: str = "", records: Sequence[Outgoing] = ()) -> None:
        """One transaction: the records (to `topic`, same partition number) and the position; all of it or nothing.

        PartitionLost when it is not certain that it was committed, above all when somebody else owns the partition.
        """
        producer = self._producer
        try:
            await producer.begin_transaction()
            if records:
                batches = self._batches(records)
                sent = [await producer.send_batch(batch, topic, partition=self.tp.partition) for batch in batches]
                # commit_transaction() does not report a record that the broker refused.
                await asyncio.gather(*sent)
            offsets = {self.tp: OffsetAndMetadata(position.offset, position.note)}
            await producer.send_offsets_to_transaction(offsets, self.group)
            await producer.commit_transaction()
        except (KafkaError, AssertionError) as error:
            # aiokafka asserts on its own state once a fatal error has been seen; it means the same.
            raise PartitionLost(f"{self._name}: transaction failed: {error!r}") from error

    def _batches(self, records: Sequence[Outgoing]) -> list[BatchBuilder]:
        batches: list[BatchBuilder] = []
        for key, value, headers, timestamp in records:
            fields = {"key": key, "value": value, "headers": list(headers), "timestamp": timestamp}
            if not batches or batches[-1].append(**fields) is None:  # None: the batch is full
                batches.append(self._producer.create_batch())
                batches[-1].append(**fields)
        return batches

    async def close(self) -> None:
        """Whatever was not committed is aborted by the next owner."""
        await asyncio.wait([asyncio.create_task(self._producer.stop())])

    @property
    def _name(self) -> str:
        return f"{self.tp.topic}[{self.tp.partition}] of {self.group}"


async def until_seen(admin: AIOKafkaAdminClient, group: str, tp: TopicPartition, position: Position) -> None:
    """Return when the group's coordinator answers with this position: it is in its log then, whatever is killed next.

    That a transaction is acknowledged means less: see `OwnedPartition.catch_up`. PartitionLost after SEEN_TRIES.
    """
    for _ in range(SEEN_TRIES):
        if await committed(admin, group, tp) == position:
            return
        await asyncio.sleep(SEEN_SECONDS)
    raise PartitionLost(f"{tp.topic}[{tp.partition}] of {group}: what was committed is not there")


async def committed(admin: AIOKafkaAdminClient, group: str, tp: TopicPartition) -> Position | None:
    """The group's committed position, None if there is none yet.

    By the admin request, because `consumer.committed()` takes a coordinator that is still loading for "none yet", and
    a worker would begin anew. A missing answer is that case: try again, then say so (KafkaUnavailable).

    Exact for whoever has opened the partition: opening waits for the last transaction to be complete. To anybody else
    the position before it may be told for some milliseconds.
    """
    for _ in range(READ_TRIES):
        try:
            found = await admin.list_consumer_group_offsets(group, partitions=[tp])
            if tp in found:
                return Position(found[tp].offset, found[tp].metadata) if found[tp].offset >= 0 else None
        except (NoError, KafkaError) as error:
            if not (isinstance(error, NoError) or error.retriable):
                raise
        await asyncio.sleep(0.1)
    raise KafkaUnavailable(
        f"the committed offset of group {group} for {tp.topic}[{tp.partition}] can't be read: the coordinator does not "
        "answer, or this client lacks the permission DESCRIBE on the group and the topic"
    )
