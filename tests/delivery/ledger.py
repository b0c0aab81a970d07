"""A producer that keeps a ledger of every message it sends: Kafka has it, has refused it, or nobody knows.

Realistic two-way traffic of several tenants, by a seed: records with their failures, marks, messages that are no
events, and copies of what was sent before. It outlives the broker: what was under way when that died stays unknown, as
for any sender, and may be in the log or not.
"""

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidRequiredAcksError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)  # fmt: skip

from streams.config import Settings
from streams.kafka import clients
from tests.delivery.mix import Mix, Unsent, unsent

REFUSALS = (InvalidRequiredAcksError, InvalidTopicError, MessageSizeTooLargeError, TopicAuthorizationFailedError)
"""Kafka says no, and has not taken it. After any other error it may have."""
IN_FLIGHT = 50
SLICE = 0.02
CHUNK = 500


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Sent(NamedTuple):
    """One message. `event_id` of one that is no event (`good` is False) is a marker that is contained in its bytes."""

    event_id: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None
    outcome: Outcome
    good: bool


class Ledger:
    """`async with Ledger(settings, seed) as ledger: await ledger.send(1000)`, or `async with ledger.feeding(rate)`."""

    def __init__(self, settings: Settings, seed: int, mix: Mix | None = None, answer_seconds: float = 60) -> None:
        """After `answer_seconds` without an answer a message's fate is unknown."""
        self.entries: list[Sent] = []
        self.renewed = 0
        """How often the producer had to be made anew, because a message's fate was not known."""
        self._settings = settings
        self._answer_seconds = answer_seconds
        self._messages = unsent(seed, mix or Mix())
        self._producer: AIOKafkaProducer
        self._in_flight: set[asyncio.Task[None]] = set()
        self._broken = False

    async def __aenter__(self) -> Self:
        self._producer = await self._started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._in_flight if kind else ():
            task.cancel()
        await self.answered()
        await self._stop_producer()

    async def _started(self) -> AIOKafkaProducer:
        make = partial(clients.idempotent_producer, self._settings, linger_ms=0)
        return await clients.started(make, self._settings, patient=True)

    def having(self, *outcomes: Outcome, good: bool | None = None) -> list[Sent]:
        """The entries with one of these outcomes; `good` None for events and others alike."""
        return [e for e in self.entries if e.outcome in outcomes and good in (None, e.good)]

    async def send(self, number: int) -> None:
        """Send so many messages as fast as possible, and return when each has its outcome."""
        for begin in range(0, number, CHUNK):
            await self._hand_over([next(self._messages) for _ in range(min(CHUNK, number - begin))])
        await self.answered()

    @contextlib.asynccontextmanager
    async def feeding(self, rate: float) -> AsyncIterator[None]:
        """Send `rate` messages a second for as long as the block runs; at its end each has its outcome."""
        feeding = asyncio.create_task(self._feed(rate))
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})
            if not feeding.cancelled():
                feeding.result()  # it never ends by itself but by an error
        await self.answered()

    async def _feed(self, rate: float) -> None:
        started, sent = time.monotonic(), 0
        while True:
            due = min(int((time.monotonic() - started) * rate) - sent, CHUNK)
            if due > 0:
                await self._hand_over([next(self._messages) for _ in range(due)])
                sent += due
            await asyncio.sleep(SLICE)

    async def answered(self) -> None:
        """Return when everything sent so far has its outcome."""
        while self._in_flight:
            await asyncio.wait(set(self._in_flight))

    async def _hand_over(self, messages: Sequence[Unsent]) -> None:
        """One batch a partition; waits where too many are unanswered."""
        if self._broken:
            await self._renew()
        parts: dict[int, list[Unsent]] = {}
        for message in messages:
            parts.setdefault(zlib.crc32(message.key or b"") % self._settings.partitions, []).append(message)
        for partition, part in parts.items():
            begin = len(self.entries)
            self.entries += [
                Sent(m.event_id, m.key, m.value, m.headers, partition, Outcome.UNKNOWN, m.good) for m in part
            ]
            task = asyncio.create_task(self._deliver(part, partition, begin))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        while len(self._in_flight) > IN_FLIGHT:
            await asyncio.wait(set(self._in_flight), return_when=asyncio.FIRST_COMPLETED)

    async def _deliver(self, messages: Sequence[Unsent], partition: int, begin: int) -> None:
        while messages:
            batch = self._producer.create_batch()
            taken = 0
            for message in messages:
                headers = list(message.headers)
                if batch.append(key=message.key, value=message.value, timestamp=None, headers=headers) is None:
                    break
                taken += 1
            outcome = await self._outcome(batch, partition)
            for number in range(begin, begin + taken):
                self.entries[number] = self.entries[number]._replace(outcome=outcome)
            messages, begin = messages[taken:], begin + taken

    async def _outcome(self, batch: object, partition: int) -> Outcome:
        try:
            async with asyncio.timeout(self._answer_seconds):
                answer = await self._producer.send_batch(batch, self._settings.records_topic, partition=partition)
            # Not awaited within the time-out, which would cancel it in aiokafka's hands.
            done, _ = await asyncio.wait({answer}, timeout=self._answer_seconds)
            if done:
                answer.result()
                return Outcome.ACKNOWLEDGED
        except REFUSALS:
            self._broken = True
            return Outcome.REFUSED
        except (KafkaError, TimeoutError):
            pass
        self._broken = True
        return Outcome.UNKNOWN

    async def _renew(self) -> None:
        """A new producer: after a batch that failed the old one's numbering has a gap, and all that follows would be
        refused."""
        await self.answered()
        await self._stop_producer()
        self._producer = await self._started()
        self._broken = False
        self.renewed += 1

    async def _stop_producer(self) -> None:
        if self._broken:
            # An idempotent producer never gives up a batch by itself, and its stop waits for all of them.
            self._producer._sender.sender_task.cancel()
        await asyncio.wait([asyncio.create_task(self._producer.stop())], timeout=10)
