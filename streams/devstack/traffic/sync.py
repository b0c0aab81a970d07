"""One simulated sync: the messages it sends, one at a time, each at the moment it is asked for.

The planner decides beforehand what a sync carries and how many of its records fail (`SyncPlan`); `messages` tells that
story in order. What failed goes to the plan's `pending`, from which a later sync of the same tenant takes it up again.
"""

import random
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

from streams.devstack.traffic.faults import BY_DIRECTION, OUTAGES, SKIPS, Fault
from streams.devstack.traffic.render import errors_json, payload_json, rfc3339
from streams.devstack.traffic.tenants import MODULES, RecordSet, Tenant

# Of the records that did not fail, so many carry their payload too.
PAYLOAD_SHARE = 0.03
_ERRORS_ON_A_RECORD = ((1, 2, 3, 4, 5), (80, 12, 5, 2, 1))
# One draw picks a success's operation; below each bound: link, create, update; above the last: delete.
_LINKS, _CREATES, _UPDATES = 0.03, 0.30, 0.98


def _possible(direction: str, kind: str) -> tuple[tuple[Fault, ...], list[float]]:
    faults = tuple(fault for fault in BY_DIRECTION[direction] if not fault.kinds or kind in fault.kinds)
    return faults, [fault.weight for fault in faults]


# By direction and kind of record: what can happen to it, and how likely each is.
_POSSIBLE = {
    (direction, module.kind): _possible(direction, module.kind)
    for direction, modules in MODULES.items()
    for module in modules
}


class Message(NamedTuple):
    """One message for the records topic; `value` is an event as JSON, `occurred_ms` its event time since 1970."""

    key: bytes
    value: bytes
    occurred_ms: int


class Failure(NamedTuple):
    """A record that failed, as a later sync takes it up again."""

    records: RecordSet
    serial: int
    attempt: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What one sync will send. Positions count its records from 0."""

    tenant: Tenant
    direction: str
    sync_id: str
    size: int
    fresh: tuple[tuple[RecordSet, int, int], ...]
    """Runs of records sent for the first time: (records, first serial, how many)."""
    again: Mapping[int, Failure]
    """Earlier failures taken up again, by position."""
    failing: Set[int]
    skipped: Set[int]
    outage: bool
    """Every record fails for one and the same cause."""
    finishes: bool
    """Sends sync_finished, if its tenant announces at all."""
    records_total: int
    """As sync_finished says; more than `size` where records were lost on the way."""
    pending: deque[Failure]

    @property
    def steps(self) -> int:
        """How many messages it sends in all."""
        return self.size + (1 + self.finishes if self.tenant.announces else 0)


def messages(plan: SyncPlan, ids: Iterator[str], rng: random.Random) -> Generator[Message | None, int, None]:
    """The sync's `plan.steps` messages: prime it with `next`, then `send` the time (ms) of each message to get it."""
    scope = f'"tenant_id":"{plan.tenant.tenant_id}","sync_id":"{plan.sync_id}","direction":"{plan.direction}"'
    mark_key = f"{plan.tenant.tenant_id}:{plan.sync_id}".encode()
    ms = yield None
    if plan.tenant.announces:
        started = f'{{"event_id":"{next(ids)}","type":"sync_started",{scope},"occurred_at":"{rfc3339(ms)}"}}'
        ms = yield Message(mark_key, started.encode(), ms)
    write = _RecordWriter(plan, scope, ids, rng)
    fresh = _fresh_records(plan)
    for position in range(plan.size):
        earlier = plan.again.get(position)
        records, serial = next(fresh) if earlier is None else (earlier.records, earlier.serial)
        attempt = 1 if earlier is None else earlier.attempt + 1
        if position in plan.failing:
            message = write.failed(records, serial, attempt, earlier, ms)
        elif position in plan.skipped:
            message = write.skipped(records, serial, attempt, ms)
        else:
            message = write.succeeded(records, serial, attempt, ms)
        ms = yield message
    if plan.tenant.announces and plan.finishes:
        finished = (
            f'{{"event_id":"{next(ids)}","type":"sync_finished",{scope},"occurred_at":"{rfc3339(ms)}",'
            f'"records_total":{plan.records_total}}}'
        )
        yield Message(mark_key, finished.encode(), ms)


def _fresh_records(plan: SyncPlan) -> Iterator[tuple[RecordSet, int]]:
    """The plan's fresh records in order; one that is also taken up again comes once: no record is in a sync twice."""
    taken = {(failure.records.module, failure.serial) for failure in plan.again.values()}
    for records, first, count in plan.fresh:
        serial = first
        while count:
            if (records.module, serial % records.size) not in taken:
                yield records, serial % records.size
                count -= 1
            serial += 1


class _RecordWriter:
    """Writes the record events of one sync."""

    def __init__(self, plan: SyncPlan, scope: str, ids: Iterator[str], rng: random.Random) -> None:
        self._pending = plan.pending
        self._ids = ids
        self._rng = rng
        self._scope = scope
        self._tenant_id = plan.tenant.tenant_id
        self._direction = plan.direction
        self._outage = self._draw(OUTAGES) if plan.outage else None

    def succeeded(self, records: RecordSet, serial: int, attempt: int, ms: int) -> Message:
        rng = self._rng
        draw = rng.random()
        if draw < _LINKS:
            operation = "link"
        elif draw < _CREATES:
            operation = "create"
        else:
            operation = "update" if draw < _UPDATES else "delete"
        # A deletion leaves nothing behind on the other side to point at.
        target = "" if operation == "delete" else f'"target_id":"{records.target_id(serial)}",'
        payload = f',"payload":{payload_json(records, serial)}' if rng.random() < PAYLOAD_SHARE else ""
        return self._message(records, serial, target, operation, "success", "", attempt, payload, ms)

    def failed(self, records: RecordSet, serial: int, attempt: int, earlier: Failure | None, ms: int) -> Message:
        rng = self._rng
        if self._outage is not None:
            faults = self._outage
        else:
            faults = earlier.faults if earlier is not None else self._draw_several(records.kind)
        operation = "create" if rng.random() < 0.6 else "update"
        target = f'"target_id":"{records.target_id(serial)}",' if operation == "update" else ""
        errors = f'"errors":{errors_json(faults, rng, records, serial)},'
        payload = f',"payload":{payload_json(records, serial, faults)}'
        self._pending.append(Failure(records, serial, attempt, faults))
        return self._message(records, serial, target, operation, "failed", errors, attempt, payload, ms)

    def skipped(self, records: RecordSet, serial: int, attempt: int, ms: int) -> Message:
        errors = f'"errors":{errors_json(self._draw(SKIPS), self._rng, records, serial)},'
        return self._message(records, serial, "", "update", "skipped", errors, attempt, "", ms)

    def _message(
        self, records: RecordSet, serial: int, target: str, operation: str, status: str, errors: str, attempt: int,
        payload: str, ms: int,
    ) -> Message:  # fmt: skip
        """`target`, `errors` and `payload` are whole JSON members with their comma, or nothing."""
        source = records.source_id(serial)
        value = (
            f'{{"event_id":"{next(self._ids)}","type":"record",{self._scope},"module":"{records.module}",'
            f'"record_id":"{source}","record_name":{records.json_name(serial)},{target}"operation":"{operation}",'
            f'"status":"{status}",{errors}"occurred_at":"{rfc3339(ms)}","attempt":{attempt}{payload}}}'
        )
        return Message(f"{self._tenant_id}:{source}".encode(), value.encode(), ms)

    def _draw(self, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
        return tuple(self._rng.choices(faults, [fault.weight for fault in faults]))

    def _draw_several(self, kind: str) -> tuple[Fault, ...]:
        """One to five faults, none twice, the likeliest more often first."""
        [wanted] = self._rng.choices(*_ERRORS_ON_A_RECORD)
        faults, weights = _POSSIBLE[self._direction, kind]
        drawn = dict.fromkeys(self._rng.choices(faults, weights, k=wanted if wanted == 1 else wanted * 3))
        return tuple(drawn)[:wanted]
