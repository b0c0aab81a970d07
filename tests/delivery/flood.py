"""Ten thousand small events a second and more, for scenarios of load: the `Ledger` would need a core for as many.

All are successes with ids that follow from their number; `sent` says how many Kafka has acknowledged.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from streams import clock
from streams.config import Settings
from streams.kafka import clients

BATCH = 250
_EVENT = (
    b'{"event_id":"%s","tenant_id":"acme","direction":"books_to_fsm","sync_id":"flood-%d","module":"customers",'
    b'"record_id":"%d","operation":"create","status":"success","errors":[],"occurred_at":"%s","attempt":1}'
)


class Flood:
    def __init__(self, settings: Settings) -> None:
        self.sent = 0
        self._settings = settings
        self._space = uuid.uuid4().int >> 64 << 64

    @asynccontextmanager
    async def flowing(self, rate: float) -> AsyncIterator[None]:
        """`rate` events a second for as long as the block runs; at its end each is acknowledged."""
        producer = await clients.started(
            lambda: clients.idempotent_producer(self._settings, linger_ms=0), self._settings, patient=True
        )
        task = asyncio.create_task(self._flow(producer, rate))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await producer.flush()
            await producer.stop()

    async def _flow(self, producer: AIOKafkaProducer, rate: float) -> None:
        topic, partitions = self._settings.records_topic, self._settings.partitions
        started, made = time.monotonic(), 0
        while True:
            if made > (time.monotonic() - started) * rate:
                await asyncio.sleep(0.01)
                continue
            batch = producer.create_batch()
            now = clock.rfc3339(clock.now()).encode()
            for number in range(made, made + BATCH):
                event_id = str(uuid.UUID(int=self._space + number)).encode()
                value = _EVENT % (event_id, number // 10_000, number, now)
                fits = batch.append(key=None, value=value, timestamp=None)
                assert fits is not None, "a batch is too small for so many"
            made += BATCH
            future = await producer.send_batch(batch, topic, partition=made // BATCH % partitions)
            future.add_done_callback(self._acknowledged)

    def _acknowledged(self, future: asyncio.Future[object]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.sent += BATCH
