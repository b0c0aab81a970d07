"""The event, version 1: what a message of the records topic holds, and its limits.

A message is one JSON object: the result of one record (`RecordEvent`), or the start or end of a sync (`MarkEvent`).
`schemas.decode` turns messages into these structs; `event.schema.json` says the same to people who write events.
"""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
HOUR_MS = 3_600_000
HISTORY_MS = 26 * WEEK_MS
"""How far back an event may have occurred, before the Kafka timestamp of its message."""
AHEAD_MS = DAY_MS
"""How far ahead of its Kafka timestamp: clocks of tenants go wrong by hours, seldom by more than a day."""
MAX_MESSAGE = 1 << 20
MAX_DEPTH = 500
"""Levels of nested brackets. Fixed here, so that a verdict never depends on how deep the caller's stack is."""

MAX_NAME = 512
MAX_ERRORS = 20
MAX_ERROR_CODE = 128
MAX_ERROR_FIELD = 256
MAX_ERROR_MESSAGE = 8 << 10
MAX_PAYLOAD = 32 << 10

Operation = Literal["create", "update", "delete", "link"]
Status = Literal["success", "failed", "skipped"]
OPERATIONS: tuple[str, ...] = get_args(Operation)
STATUSES: tuple[str, ...] = get_args(Status)
MARKS = ("sync_started", "sync_finished")

UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
is_uuid = re.compile(UUID_PATTERN).fullmatch
_HEX = b"0123456789abcdefABCDEF"
_UUID_LENGTH = 36


def are_uuids(ids: Sequence[str]) -> bool:
    """Whether every id, each of 36 characters, is a UUID: together for a tenth of what a match each would cost."""
    joined, dashes = "".join(ids).encode(), b"-" * len(ids)
    return (
        len(joined) == _UUID_LENGTH * len(ids)
        and all(joined[place::_UUID_LENGTH] == dashes for place in (8, 13, 18, 23))
        and len(joined.translate(None, _HEX)) == 4 * len(ids)
    )


# The pattern of event_id is judged for many events at once (`are_uuids`), the direction against the catalogue.
Uuid = Annotated[str, Meta(min_length=36, max_length=36)]
Identity = Annotated[str, Meta(min_length=1, max_length=64)]
Moment = Annotated[dt.datetime, Meta(tz=True)]


class Error(Struct, gc=False):
    """One error of a record as the other side gave it. Absent, null and empty mean the same."""

    code: str | None = ""
    message: str | None = ""
    field: str | None = ""


class RecordEvent(Struct, gc=False):
    """The result of one record in one sync. Optional texts may be null; too long ones are cut where rows are made."""

    event_id: Uuid
    tenant_id: Identity
    sync_id: Identity
    direction: str
    module: Identity
    record_id: Annotated[str, Meta(min_length=1, max_length=128)]
    operation: Operation
    status: Status
    occurred_at: Moment
    type: Literal["record"] = "record"
    record_name: str | None = ""
    target_id: str | None = ""
    errors: list[Error] | None = None
    attempt: Annotated[int, Meta(ge=1, le=65_535)] = 1
    payload: msgspec.Raw = msgspec.Raw(b"")


class MarkEvent(Struct, gc=False):
    """The start or the end of a sync. `records_total` is required of `sync_finished`: what the sync carried."""

    event_id: Uuid
    tenant_id: Identity
    sync_id: Identity
    direction: str
    occurred_at: Moment
    type: Literal["sync_started", "sync_finished"]
    records_total: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
