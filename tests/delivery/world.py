"""Everything as it is after a fault: what Kafka holds, what the tables hold, what pages, metrics and logs say.

`look` reads it from the real parts, without the product's own ways of reading where one could hide the other's mistake:
tables row by row and without FINAL, the log message by message. The checkers are pure functions of a `World`, so that
a defect can be planted in one and be seen. Times are milliseconds since 1970.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from streams.clickhouse.client import Database
from streams.config import Settings
from streams.kafka import clients
from streams.kafka.partition import Position, committed
from tests.delivery.facts import DeadRow, Failure, LiveRow, Message, Row, Snapshot, SyncCounts
from tests.delivery.views import Reach, View, see

Log = dict[int, list[Message]]
Offsets = dict[int, int]


@dataclass(frozen=True)
class World:
    """See the module. `log` is by partition, in order of offsets; `ends` is where its committed records end."""

    log: dict[int, list[Message]]
    begins: dict[int, int]
    ends: dict[int, int]
    letters: list[Message]
    store_positions: dict[int, Position | None]
    count_positions: dict[int, Position | None]
    rows: list[Row]
    final: list[Row]
    marks: list[Row]
    dead_rows: list[DeadRow]
    live: list[LiveRow]
    live_positions: dict[int, int]
    now: int = 0
    snapshot: Snapshot | None = None
    views: dict[str, View] = field(default_factory=dict)
    reaches: list[Reach] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)
    """What each process says at /metrics, by its name, which begins with its role."""
    ready: dict[str, str] = field(default_factory=dict)
    """What each says at /readyz."""
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> Iterator[Message]:
        for partition in sorted(self.log):
            yield from self.log[partition]

    def stored_up_to(self, partition: int) -> int:
        position = self.store_positions.get(partition)
        return position.offset if position else self.begins.get(partition, 0)


async def look(
    settings: Settings,
    web: str = "",
    tokens: Mapping[str, str] | None = None,
    metrics: Mapping[str, str] | None = None,
    ready: Mapping[str, str] | None = None,
    logs: Mapping[str, str] | None = None,
) -> World:
    """The world of these settings. With `web` (an address) and `tokens` (by tenant) also what each tenant sees there.

    `metrics`, `ready` and `logs` are texts by process, which only their owner can fetch.
    """
    kafka = await _kafka(settings)
    database = Database(settings, timeout=120)
    try:
        tables = await asyncio.to_thread(_tables, database, settings)
    finally:
        database.close()
    views, reaches = await see(web, tokens or {}) if web else ({}, [])
    return World(
        **kafka, **tables, views=views, reaches=reaches,
        metrics=dict(metrics or {}), ready=dict(ready or {}), logs=dict(logs or {}),
    )  # fmt: skip


async def _kafka(settings: Settings) -> dict[str, Any]:
    admin = await clients.started(lambda: clients.admin(settings), settings)
    consumer = await clients.started(lambda: clients.reader(settings), settings)
    try:
        found = [await _log(admin, consumer, t) for t in (settings.records_topic, settings.dead_letters_topic)]
        (log, begins, ends), (letters, _, _) = found
        positions = {
            group: {p: await committed(admin, group, TopicPartition(settings.records_topic, p)) for p in log}
            for group in (settings.store_group, settings.count_group)
        }
    finally:
        await clients.stop(consumer)
        await admin.close()
    return {
        "log": log, "begins": begins, "ends": ends, "letters": [m for p in sorted(letters) for m in letters[p]],
        "store_positions": positions[settings.store_group], "count_positions": positions[settings.count_group],
    }  # fmt: skip


async def _log(admin: Any, consumer: Any, topic: str) -> tuple[Log, Offsets, Offsets]:
    """All committed messages of a topic that are there now, and where each partition begins and ends."""
    (described,) = await admin.describe_topics([topic])
    tps = [TopicPartition(topic, partition["partition"]) for partition in described["partitions"]]
    if not tps:  # a fault may have taken the whole topic
        return {}, {}, {}
    begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    found: dict[int, list[Message]] = {tp.partition: [] for tp in sorted(tps)}
    consumer.assign(tps)
    for tp in tps:
        consumer.seek(tp, begins[tp])
    left = set(tps)
    while left := {tp for tp in left if await consumer.position(tp) < ends[tp]}:
        for tp, records in (await consumer.getmany(*left, timeout_ms=200)).items():
            found[tp.partition] += [_message(record) for record in records if record.offset < ends[tp]]
    consumer.unsubscribe()
    return found, {tp.partition: at for tp, at in begins.items()}, {tp.partition: at for tp, at in ends.items()}


def _message(record: ConsumerRecord) -> Message:
    return Message(
        record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
    )  # fmt: skip


_WHERE = "kafka_topic = {topic:String}"
_PLACE = "toUnixTimestamp64Milli(received_at), kafka_partition, kafka_offset"
_RECORDS = f"""SELECT toString(event_id), tenant_id, direction, sync_id, status, reason, (module, record_id),
    toUnixTimestamp64Milli(occurred_at), {_PLACE} FROM sync_records {{0}} WHERE {_WHERE}"""
_MARKS = f"""SELECT toString(event_id), tenant_id, direction, sync_id, type, '', ('', toString(records_total)),
    toUnixTimestamp64Milli(occurred_at), {_PLACE} FROM sync_marks WHERE {_WHERE}"""
_DEAD = f"SELECT tenant_id, code, {_PLACE} FROM dead_letters WHERE {_WHERE}"
_LIVE = f"""SELECT toUnixTimestamp(window_start) * 1000, kafka_partition, tenant_id, direction, sync_id, status, reason,
    argMax(records, live_counts.position), max(position) FROM live_counts WHERE {_WHERE}
    GROUP BY window_start, kafka_partition, tenant_id, direction, sync_id, status, reason"""
_POSITIONS = f"SELECT kafka_partition, max(position) FROM live_positions WHERE {_WHERE} GROUP BY kafka_partition"
_POINTER = f"""SELECT number, toUnixTimestamp64Milli(cut), cuts, (syncs, succeeded, failed, skipped), reconciliation,
    difference, arrayMap(a -> toString(a), attempts) FROM snapshots WHERE {_WHERE} ORDER BY number DESC LIMIT 1"""
_OF_ATTEMPTS = "attempt_id IN {attempts:Array(UUID)}"
_SYNCS = f"""SELECT tenant_id, direction, sync_id, total, succeeded, failed, skipped, records,
    toUnixTimestamp64Milli(first_at), toUnixTimestamp64Milli(last_at), expected, outcome
    FROM published_syncs WHERE {_OF_ATTEMPTS} ORDER BY snapshot"""
_DAYS = f"""SELECT tenant_id, direction, toString(day), succeeded, failed, skipped
    FROM published_days WHERE {_OF_ATTEMPTS} ORDER BY snapshot"""
_FAILURES = f"""SELECT tenant_id, direction, sync_id, toString(event_id), reason, toUnixTimestamp64Milli(occurred_at),
    kafka_partition, kafka_offset FROM published_failures WHERE {_OF_ATTEMPTS}"""
# Copies in other weeks are rows of their own, so FINAL must not unite them over the tables' partitions.
_BY_WEEK = " SETTINGS do_not_merge_across_partitions_select_final = 1"


def _tables(database: Database, settings: Settings) -> dict[str, Any]:
    def rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        blocks = database.stream(sql, topic=settings.records_topic, **parameters)
        return [tuple(row) for block in blocks for row in block]

    return {
        "now": int(database.value("SELECT toUnixTimestamp64Milli(now64(3))")),
        "rows": [Row(*row) for row in rows(_RECORDS.replace("{0}", ""))],
        "final": [Row(*row) for row in rows(_RECORDS.replace("{0}", "FINAL") + _BY_WEEK)],
        "marks": [Row(*row) for row in rows(_MARKS)],
        "dead_rows": [DeadRow(*row) for row in rows(_DEAD)],
        "live": [LiveRow(*row) for row in rows(_LIVE)],
        "live_positions": dict(rows(_POSITIONS)),
        "snapshot": _snapshot(rows(_POINTER), rows),
    }


def _snapshot(pointers: Sequence[tuple[Any, ...]], rows: Any) -> Snapshot | None:
    if not pointers:
        return None
    *about, attempts = pointers[0]
    number, cut, cuts, totals, reconciliation, difference = about
    return Snapshot(  # of a sync or day the newest version comes last
        number, cut, dict(cuts), tuple(totals), reconciliation, difference,
        syncs={tuple(row[:3]): SyncCounts(*row[3:]) for row in rows(_SYNCS, attempts=attempts)},
        days={tuple(row[:3]): tuple(row[3:]) for row in rows(_DAYS, attempts=attempts)},
        failures=[Failure(*row) for row in rows(_FAILURES, attempts=attempts)],
    )  # fmt: skip
