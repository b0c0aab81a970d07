"""A small world to publish from: a topic whose timestamps the test sets, and both workers' part done by hand.

`send` puts results and marks into Kafka; `store` writes the rows of what was sent and moves store's position; `count`
upserts the live counts. So a test decides what arrived when, and how far each worker has come.
"""

import asyncio
import datetime as dt
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from schemas.event import HOUR_MS
from schemas.live import LIVE_HORIZON_MS
from schemas.rows import LIVE_COUNTS, LIVE_POSITIONS, SYNC_MARKS, SYNC_RECORDS, TableColumns
from schemas.topics import TopicSpec
from streams import clock
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import migrate
from streams.clickhouse.writer import Writer
from streams.config import Settings, load
from streams.kafka import clients, topics
from streams.kafka.partition import OwnedPartition, Position
from streams.publish.weekly import publish

MONDAY = clock.monday(clock.now())
PARTITIONS = 2


def before_cut(**ago: float) -> dt.datetime:
    """So long before the Monday that ended the last week."""
    return MONDAY - dt.timedelta(**ago)


@dataclass(frozen=True)
class Result:
    """One event; `kind` other than record is a mark. It arrives a second after it occurred unless told otherwise."""

    sync: str = "S1"
    status: str = "success"
    occurred: dt.datetime = field(default_factory=lambda: before_cut(hours=30))
    received: dt.datetime | None = None
    kind: str = "record"
    records_total: int = 0
    record_id: str = ""
    tenant: str = "T1"
    partition: int = 0
    reason: str = "unclassified"
    message: str = "xyzzy, said the cave"
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    offset: int = -1

    @property
    def arrived(self) -> dt.datetime:
        return self.received or self.occurred + dt.timedelta(seconds=1)

    def again(self, **changes: Any) -> "Result":
        """The same event, sent once more."""
        return replace(self, **changes)


def results(number: int, **what: Any) -> list[Result]:
    """So many results, spread over the partitions."""
    return [Result(**{"partition": i % PARTITIONS, "record_id": f"r{i}", **what}) for i in range(number)]


class World:
    def __init__(self, settings: Settings, producer: AIOKafkaProducer, owned: list[OwnedPartition]) -> None:
        self.settings = settings
        self.database = Database(settings)
        self.said: list[str] = []
        self._producer = producer
        self._owned = owned
        self._writer = Writer(settings)
        self._unstored: list[Result] = []
        self._sent: list[Result] = []
        self._ends = dict.fromkeys(range(PARTITIONS), 0)

    async def arrive(self, *events: Result) -> None:
        """Sent, stored and counted."""
        await self.send(*events)
        await self.store()
        self.count()

    async def send(self, *events: Result) -> None:
        for event in events:
            sent = await self._producer.send_and_wait(
                self.settings.records_topic, b"{}", partition=event.partition, timestamp_ms=clock.to_ms(event.arrived)
            )
            self._ends[event.partition] = sent.offset + 1
            self._unstored.append(replace(event, offset=sent.offset))
        self._sent += self._unstored[-len(events) :] if events else []

    async def store(self) -> None:
        stored, self._unstored = self._unstored, []
        self._insert(SYNC_RECORDS, [self._row(event) for event in stored if event.kind == "record"])
        self._insert(SYNC_MARKS, [self._row(event) for event in stored if event.kind != "record"])
        for owned in self._owned:
            await owned.commit(Position(self._ends[owned.tp.partition], "epoch"))

    async def forget(self, below: int) -> None:
        """What retention does: delete the records of every partition below an offset."""
        admin = await clients.started(lambda: clients.admin(self.settings), self.settings)
        await admin.delete_records({o.tp: RecordsToDelete(before_offset=below) for o in self._owned})
        await admin.close()

    def count(self, wrong: int = 0) -> None:
        """Upsert all that was sent; `wrong` is added to the first count."""
        counts: Counter[tuple[int, int, str, str, str, str]] = Counter()
        for event in self._sent:
            hour = clock.to_ms(event.occurred) // HOUR_MS * HOUR_MS
            if event.kind == "record" and hour >= clock.to_ms(event.arrived) - LIVE_HORIZON_MS:
                reason = event.reason if event.status == "failed" else ""
                counts[hour, event.partition, event.tenant, event.sync, event.status, reason] += 1
        topic = self.settings.records_topic
        rows = [
            {"window_start": clock.from_ms(hour), "kafka_topic": topic, "kafka_partition": partition,
             "tenant_id": tenant, "direction": "books_to_fsm", "sync_id": sync, "status": status, "reason": reason,
             "records": records + (wrong if number == 0 else 0), "position": self._ends[partition]}
            for number, ((hour, partition, tenant, sync, status, reason), records) in enumerate(counts.items())
        ]  # fmt: skip
        self._insert(LIVE_COUNTS, rows)
        self._insert(LIVE_POSITIONS, [
            {"kafka_topic": topic, "kafka_partition": partition, "position": end, "updated_at": clock.now()}
            for partition, end in self._ends.items()
        ])  # fmt: skip

    async def publish(self, **how: Any) -> Any:
        self.said.clear()
        return await publish(self.settings, say=self.said.append, **how)

    def sync(self, sync_id: str = "S1") -> dict[str, Any]:
        """The published version of a sync that readers see."""
        rows = self.database.rows(
            "SELECT * FROM published_syncs WHERE has((SELECT argMax(attempts, number) FROM snapshots), attempt_id) "
            "AND sync_id = {sync:String} ORDER BY snapshot DESC LIMIT 1",
            sync=sync_id,
        )
        return rows[0]

    def published(self) -> dict[str, Any]:
        """All that readers see, in comparable form: counts by sync and by day, failed events."""
        attempts = self.database.value(
            "SELECT arrayMap(a -> toString(a), attempts) FROM snapshots ORDER BY number DESC LIMIT 1"
        )
        syncs = self.database.rows(
            "SELECT tenant_id, sync_id, records, total, succeeded, failed, skipped, outcome FROM published_syncs "
            "WHERE attempt_id IN {a:Array(UUID)} ORDER BY tenant_id, sync_id, snapshot DESC "
            "LIMIT 1 BY tenant_id, sync_id",
            a=attempts,
        )
        days = self.database.rows(
            "SELECT tenant_id, day, succeeded, failed, skipped FROM published_days "
            "WHERE attempt_id IN {a:Array(UUID)} ORDER BY tenant_id, day, snapshot DESC LIMIT 1 BY tenant_id, day",
            a=attempts,
        )
        failures = self.database.rows(
            "SELECT toString(event_id) AS id, reason FROM published_failures WHERE attempt_id IN {a:Array(UUID)} "
            "ORDER BY id",
            a=attempts,
        )
        return {"syncs": syncs, "days": days, "failures": failures}

    def snapshots(self) -> list[dict[str, Any]]:
        return self.database.rows("SELECT * FROM snapshots ORDER BY number")

    def _row(self, event: Result) -> dict[str, Any]:
        failed = event.status == "failed"
        return {
            "event_id": event.event_id, "tenant_id": event.tenant, "direction": "books_to_fsm", "sync_id": event.sync,
            "module": "customers", "record_id": event.record_id or event.event_id, "record_name": "James Bilkin",
            "target_id": "", "operation": "create", "status": event.status, "reason": event.reason if failed else "",
            "error_codes": ["E1"] if failed else [], "error_messages": [event.message] if failed else [],
            "error_fields": ["Last Name"] if failed else [], "error_reasons": [event.reason] if failed else [],
            "catalogue_version": 1, "occurred_at": event.occurred, "attempt": 1, "payload": "{}", "truncated": [],
            "received_at": event.arrived, "kafka_topic": self.settings.records_topic,
            "kafka_partition": event.partition, "kafka_offset": event.offset,
            "type": event.kind, "records_total": event.records_total,
        }  # fmt: skip

    def _insert(self, table: TableColumns, rows: Iterable[dict[str, Any]]) -> None:
        rows = list(rows)
        if rows:
            self._writer.insert(table, [[row[name] for row in rows] for name in table.names], str(uuid.uuid4()))


@asynccontextmanager
async def world(kafka: str, clickhouse: str, database: str, **settings: Any) -> AsyncIterator[World]:
    """A world of its own in the servers of the run."""
    chosen = load(
        kafka=kafka, clickhouse=clickhouse, database=database, records_topic=f"{database}.records",
        store_group=f"{database}-store", **{"publish_wait_seconds": 20, **settings},
    )  # fmt: skip
    await asyncio.to_thread(migrate, chosen)
    admin = await clients.started(lambda: clients.admin(chosen), chosen)
    await topics.create(
        admin, [TopicSpec(chosen.records_topic, PARTITIONS, {"message.timestamp.type": "CreateTime",
                                                            "retention.ms": "-1"})], 1
    )  # fmt: skip
    await admin.close()
    producer = clients.idempotent_producer(chosen, linger_ms=0)
    await producer.start()
    owned = [
        OwnedPartition(chosen, chosen.store_group, TopicPartition(chosen.records_topic, p)) for p in range(PARTITIONS)
    ]
    for partition in owned:
        await partition.open()
    try:
        yield World(chosen, producer, owned)
    finally:
        await producer.stop()
        for partition in owned:
            await partition.close()
