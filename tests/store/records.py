"""Kafka records as store gets them, without Kafka."""

import datetime as dt
import itertools
import json
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from tests.schemas.examples import noon

NOON = noon()
_numbers = itertools.count(1)


class Record(NamedTuple):
    """The fields of a consumer's record that store looks at."""

    value: bytes | None
    offset: int = 0
    timestamp: int = NOON
    key: bytes | None = b"acme:7"
    headers: Sequence[tuple[str, bytes | None]] = ()
    topic: str = "records"
    partition: int = 3


def event(**changed: Any) -> bytes:
    """A valid event with an id of its own."""
    plain = {
        "event_id": str(uuid.UUID(int=next(_numbers))), "tenant_id": "acme", "sync_id": "S-1", "module": "customers",
        "direction": "books_to_fsm", "record_id": "7", "operation": "create", "status": "success",
        "occurred_at": "2026-11-23T12:00:00.000Z",
    }  # fmt: skip
    return msgspec.json.encode(plain | changed)


def mark(**changed: Any) -> bytes:
    """A valid end of a sync."""
    plain = {
        "event_id": str(uuid.UUID(int=next(_numbers))), "type": "sync_finished", "tenant_id": "acme", "sync_id": "S-1",
        "direction": "books_to_fsm", "occurred_at": "2026-11-23T12:00:00.000Z", "records_total": 3,
    }  # fmt: skip
    return json.dumps(plain | changed).encode()


def at(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
