"""What the log says ought to be everywhere else: counted anew from the raw bytes, with a decoder of its own.

Nothing of the product is used here: not its decoder, not its horizon, not its queries. Which messages are no events the
ledger knows, who sent them; a message that nobody of the ledger sent is one if it can be read as one.
"""

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tests.delivery.facts import Message, Place, SyncKey, place
from tests.delivery.ledger import Sent
from tests.delivery.world import World

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY
HORIZON = 15 * DAY
MARKS = ("sync_started", "sync_finished")
Identity = tuple[str, str, str, str, int]
"""Tenant, direction, sync, event id, week: copies in other weeks are rows of their own."""
EntryKey = tuple[int, int, str, str, str]
"""Hour, partition, tenant, direction, sync."""


class Event(NamedTuple):
    """A message that is an event; of a mark `kind` is its type and `total` its records_total."""

    event_id: str
    tenant: str
    direction: str
    sync: str
    kind: str
    status: str
    module: str
    record: str
    total: int
    occurred: int
    received: int
    partition: int
    offset: int

    @property
    def sync_key(self) -> SyncKey:
        return self.tenant, self.direction, self.sync

    @property
    def identity(self) -> Identity:
        return *self.sync_key, self.event_id, week(self.occurred)

    @property
    def arrival(self) -> tuple[int, int, int]:
        """The smallest of an identity's is the row; there is one topic."""
        return self.received, self.partition, self.offset

    @property
    def hour(self) -> int:
        return self.occurred // HOUR * HOUR

    @property
    def entry(self) -> EntryKey:
        return self.hour, self.partition, *self.sync_key

    @property
    def live(self) -> bool:
        """Whether it is within the live horizon at its own arrival."""
        return self.hour >= self.received - HORIZON


def week(ms: int) -> int:
    """Weeks since the Monday before 1970."""
    return (ms + 3 * DAY) // WEEK


def day(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms // 1000, dt.UTC).date().isoformat()


class Recount:
    """The log of a world, sorted: `records` and `marks` in order of partition and offset, and the `bad` messages."""

    def __init__(self, world: World, entries: Sequence[Sent] = ()) -> None:
        bad = {entry.value for entry in entries if not entry.good}
        self.records: list[Event] = []
        self.marks: list[Event] = []
        self.bad: dict[Place, Message] = {}
        for message in world.messages:
            found = None if not message.value or message.value in bad else read(message)
            if found is None:
                self.bad[place(message)] = message
            else:
                (self.marks if found.kind in MARKS else self.records).append(found)
        self._first = [firsts(self.records), firsts(self.marks)]

    def __iter__(self) -> Iterator[Event]:
        yield from self.records
        yield from self.marks

    def first(self, event: Event) -> Event:
        """The first arrival of the copies of an event, which is its row."""
        return self._first[event.kind in MARKS][event.identity]

    def firsts(self) -> Iterator[Event]:
        """Every result and mark once."""
        for found in self._first:
            yield from found.values()


def read(message: Message) -> Event | None:
    """The event of a message, None if it is none as far as can be told without the product's rules."""
    try:
        value: dict[str, Any] = json.loads(message.value or b"")
        moment = dt.datetime.fromisoformat(value["occurred_at"])
        kind = value.get("type", "record")
        return Event(
            str(uuid.UUID(value["event_id"])), value["tenant_id"], value["direction"], value["sync_id"], kind,
            "" if kind in MARKS else value["status"], value.get("module", ""), value.get("record_id", ""),
            value.get("records_total") or 0, (moment - _EPOCH) // dt.timedelta(milliseconds=1), message.timestamp,
            message.partition, message.offset,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def firsts(events: Iterable[Event]) -> dict[Identity, Event]:
    """Of each identity the first arrival."""
    found: dict[Identity, Event] = {}
    for event in events:
        known = found.get(event.identity)
        if known is None or event.arrival < known.arrival:
            found[event.identity] = event
    return found


def by_entry(events: Iterable[Event]) -> dict[EntryKey, list[Event]]:
    """What the live counts hold of them: every copy counts, what is older than the horizon does not."""
    found: dict[EntryKey, list[Event]] = defaultdict(list)
    for event in events:
        if event.live:
            found[event.entry].append(event)
    return found
