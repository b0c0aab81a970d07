"""What is read of each part, one tuple a message or row. Times are milliseconds since 1970."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

Place = tuple[int, int]
"""Partition and offset in the records topic."""
SyncKey = tuple[str, str, str]
"""Tenant, direction, sync."""
DayKey = tuple[str, str, str]
"""Tenant, direction, day as text."""


class Placed(Protocol):
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


def place(found: Placed) -> Place:
    """Where a message is, or the one that a row was made of."""
    return found.partition, found.offset


class Message(NamedTuple):
    """A message as a reader of committed records gets it."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Row(NamedTuple):
    """A row of sync_records, or of sync_marks with its type as `status`; `extra` is the module and the record's id, of
    a mark nothing and its records_total."""

    event_id: str
    tenant: str
    direction: str
    sync: str
    status: str
    reason: str
    extra: tuple[str, str]
    occurred: int
    received: int
    partition: int
    offset: int


class DeadRow(NamedTuple):
    tenant: str
    code: str
    received: int
    partition: int
    offset: int


class LiveRow(NamedTuple):
    """The newest version of a row of live_counts; `hour` is when it begins."""

    hour: int
    partition: int
    tenant: str
    direction: str
    sync: str
    status: str
    reason: str
    records: int
    position: int


class Failure(NamedTuple):
    """A row of published_failures under the pointer."""

    tenant: str
    direction: str
    sync: str
    event_id: str
    reason: str
    occurred: int
    partition: int
    offset: int


class SyncCounts(NamedTuple):
    """The newest version of a published sync under the pointer."""

    total: int
    succeeded: int
    failed: int
    skipped: int
    records: int
    first: int
    last: int
    expected: int | None
    outcome: str


@dataclass(frozen=True)
class Snapshot:
    """The pointer, and what is published under it. `totals`: syncs, succeeded, failed, skipped."""

    number: int
    cut: int
    cuts: dict[int, int]
    totals: tuple[int, int, int, int]
    reconciliation: str
    difference: int
    syncs: dict[SyncKey, SyncCounts]
    days: dict[DayKey, tuple[int, int, int]]
    failures: list[Failure]
