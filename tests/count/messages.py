"""Events as bytes, and an independent recount: one message at a time, in plain loops, as slow and simple as can be."""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from schemas.decode import decode
from schemas.event import DAY_MS, HOUR_MS
from streams import clock
from streams.classify import classify
from streams.count.tally import Entry

NOON = clock.to_ms(dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC))


class Arrived(NamedTuple):
    """What is needed of a Kafka record."""

    value: bytes
    offset: int
    timestamp: int


def event(occurred: int, status: str = "success", **fields: Any) -> bytes:
    """A record event that occurred at `occurred`, ms since 1970."""
    if status == "failed":
        fields.setdefault(
            "errors", [{"code": "", "message": "The following mandatory field(s) were left empty: Last Name"}]
        )
    return orjson.dumps({
        "event_id": str(uuid.uuid4()), "tenant_id": "acme", "sync_id": "s1", "direction": "books_to_fsm",
        "module": "customers", "record_id": "1", "operation": "create", "status": status,
        "occurred_at": clock.rfc3339(clock.from_ms(occurred)), **fields,
    })  # fmt: skip


def arrived(*values: bytes, at: int = NOON, first: int = 0) -> list[Arrived]:
    return [Arrived(value, first + number, at) for number, value in enumerate(values)]


def recount(messages: Iterable[Any]) -> dict[Entry, dict[str, int]]:
    """What a partition's ledger must hold after these messages, as long as nothing has expired."""
    found: dict[Entry, dict[str, int]] = {}
    for message in messages:
        decoded = decode([message])
        for one, occurred in zip(decoded.events, decoded.occurred, strict=True):
            hour = occurred // HOUR_MS * HOUR_MS
            if message.timestamp - hour > 15 * DAY_MS:
                continue
            label: str = one.status
            if label == "failed":
                errors = [(error.code or "", error.message or "", error.field or "") for error in one.errors or ()]
                label = f"failed:{classify(one.direction, errors).reason}"
            counts = found.setdefault((hour // 1000, one.tenant_id, one.direction, one.sync_id), {})
            counts[label] = counts.get(label, 0) + 1
    return found
