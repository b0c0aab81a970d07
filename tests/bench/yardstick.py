"""The yardstick: what anybody would write. A bare aiokafka loop that validates, classifies, counts in a dict and
inserts row tuples through the same ClickHouse client. Not exact (nothing ties offsets to rows), not durable (the dict).

Run as a process of its own: `python -m tests.bench.yardstick GROUP`, with the settings in the environment.
"""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer

from schemas.decode import decode
from schemas.event import HOUR_MS
from schemas.reasons import CATALOGUE
from schemas.rows import SYNC_RECORDS
from streams import config
from streams.classify import classify
from streams.clickhouse.client import connect

ROWS = 10_000
PART = 500


async def run(group: str) -> None:
    settings = config.load()
    client = connect(settings)
    consumer = AIOKafkaConsumer(
        settings.records_topic, bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False,
        auto_offset_reset="earliest", max_partition_fetch_bytes=4 << 20, fetch_max_wait_ms=250,
    )  # fmt: skip
    await consumer.start()
    counts: Counter[tuple[Any, ...]] = Counter()
    rows: list[tuple[Any, ...]] = []
    while True:
        for tp, messages in (await consumer.getmany(timeout_ms=500)).items():
            for first in range(0, len(messages), PART):
                _take(messages[first : first + PART], tp.partition, counts, rows)
        if len(rows) >= ROWS or rows and not any(consumer.highwater(tp) is None for tp in consumer.assignment()):
            await asyncio.to_thread(
                client.insert, SYNC_RECORDS.table, rows, column_names=SYNC_RECORDS.names,
                column_type_names=SYNC_RECORDS.types, settings={"async_insert": 0},
            )  # fmt: skip
            rows = []
        await consumer.commit()


def _take(messages: Sequence[Any], partition: int, counts: Counter[Any], rows: list[tuple[Any, ...]]) -> None:
    decoded = decode(messages)
    topic = messages[0].topic
    for event, offset, occurred, received in zip(
        decoded.events, decoded.offsets, decoded.occurred, decoded.received, strict=True
    ):
        errors = [(error.code or "", error.message or "", error.field or "") for error in event.errors or ()]
        found = classify(event.direction, errors) if event.status == "failed" else None
        reason = found.reason if found else ""
        counts[occurred // HOUR_MS, event.tenant_id, event.direction, event.sync_id, event.status, reason] += 1
        rows.append((
            event.event_id, event.tenant_id, event.direction, event.sync_id, event.module, event.record_id,
            event.record_name or "", event.target_id or "", event.operation, event.status, reason,
            [code for code, _, _ in errors], [message for _, message, _ in errors], [field for _, _, field in errors],
            list(found.reasons) if found else [], CATALOGUE.version, occurred, event.attempt,
            bytes(event.payload).decode(), [], received, topic, partition, offset,
        ))  # fmt: skip


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    uvloop.run(run(sys.argv[1]))
