"""Sending chosen messages, one by one and where they shall go, with an entry of the ledger for each.

For scenarios whose messages matter themselves; `Ledger` is for traffic. Times are milliseconds since 1970.
"""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams import clock
from streams.config import Settings
from streams.kafka import clients
from tests.delivery.ledger import REFUSALS, Outcome, Sent

AT_ONCE = 2_000


class Plain(NamedTuple):
    """A message; `event_id` of one that is no event is a marker. A `timestamp` counts only where the topic lets it."""

    event_id: str
    value: bytes | None
    good: bool = True
    partition: int = 0
    key: bytes | None = b"k"
    headers: tuple[tuple[str, bytes], ...] = (("sender", b"scenario"),)
    timestamp: int | None = None


def event(occurred: int | None = None, partition: int = 0, timestamp: int | None = None, **fields: Any) -> Plain:
    """A result that occurred at `occurred` (now), with an id of its own unless `event_id` is given."""
    plain = {
        "event_id": str(uuid.uuid4()), "tenant_id": "acme", "sync_id": "S-1", "module": "customers",
        "direction": "books_to_fsm", "record_id": "7", "operation": "create", "status": "success",
        "occurred_at": clock.rfc3339(clock.from_ms(clock.now_ms() if occurred is None else occurred)), **fields,
    }  # fmt: skip
    if plain["status"] == "failed":
        plain.setdefault("errors", [{"code": "", "message": "Contact with this email-id is already associated"}])
    return Plain(str(plain["event_id"]), orjson.dumps(plain), partition=partition, timestamp=timestamp)


def bad(name: str, value: bytes | None, partition: int = 0) -> Plain:
    """A message that is no event, whose marker is `name`."""
    return Plain(f"poison-{name}", value, good=False, partition=partition)


async def deliver(settings: Settings, messages: Sequence[Plain], **options: Any) -> list[Sent]:
    """Send them in this order, and what became of each."""
    make = clients.idempotent_producer
    producer: AIOKafkaProducer = await clients.started(lambda: make(settings, **options), settings)
    entries: list[Sent] = []
    try:
        for begin in range(0, len(messages), AT_ONCE):
            some = messages[begin : begin + AT_ONCE]
            answers = [await _handed_over(producer, settings.records_topic, message) for message in some]
            outcomes = [await _outcome(answer) for answer in answers]
            entries += [
                Sent(m.event_id, m.key, m.value, m.headers, m.partition, outcome, m.good)
                for m, outcome in zip(some, outcomes, strict=True)
            ]
    finally:
        await producer.stop()
    return entries


Answer = asyncio.Future[Any] | Outcome


async def _handed_over(producer: AIOKafkaProducer, topic: str, message: Plain) -> Answer:
    try:
        answer: Answer = await producer.send(
            topic, message.value, key=message.key, partition=message.partition, headers=list(message.headers),
            timestamp_ms=message.timestamp,
        )  # fmt: skip
        return answer
    except REFUSALS:
        return Outcome.REFUSED


async def _outcome(answer: Answer) -> Outcome:
    if isinstance(answer, Outcome):
        return answer
    try:
        await answer
        return Outcome.ACKNOWLEDGED
    except REFUSALS:
        return Outcome.REFUSED
    except KafkaError:
        return Outcome.UNKNOWN
