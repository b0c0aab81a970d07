"""Are the numbers right, and whose are they? Live counts, what is published, what pages and files say, tenancy.

Pure functions of a `World` and its ledger (I3, I6, I7). Everything is counted anew from the log's bytes (`recount`); a
problem names the entry, the sync or the tenant, and both numbers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.delivery.facts import DayKey, Snapshot, SyncCounts, SyncKey, place
from tests.delivery.ledger import Sent
from tests.delivery.recount import DAY, HOUR, EntryKey, Event, Recount, by_entry, day, firsts
from tests.delivery.sentences import at, shortened
from tests.delivery.world import World

STATUSES = ("success", "failed", "skipped")
VISIBLE = 182 * DAY
NOT_FOUND = 404


def live_counts(world: World, entries: Sequence[Sent] = ()) -> list[str]:
    """I3. Entry by entry and status by status: what is counted is what lies in the log below the entry's position, and
    it differs from the rows by the copies that were sent, by nothing else."""
    recount = Recount(world, entries)
    logged = by_entry(recount.records)
    first_ones = by_entry(firsts(recount.records).values())
    counted: dict[EntryKey, Counter[str]] = defaultdict(Counter)
    positions: dict[EntryKey, int] = defaultdict(int)
    rows: dict[EntryKey, list[tuple[int, str]]] = defaultdict(list)
    found = []
    for entry in world.live:
        key = (entry.hour, entry.partition, entry.tenant, entry.direction, entry.sync)
        counted[key][entry.status] += entry.records
        positions[key] = max(positions[key], entry.position)
        if (entry.status == "failed") != bool(entry.reason):
            found.append(f"entry {key} counts {entry.status} under the reason {entry.reason!r}")
    for row in world.final:
        hour = row.occurred // HOUR * HOUR
        rows[hour, row.partition, row.tenant, row.direction, row.sync].append((row.offset, row.status))
    for key in sorted(counted.keys() | logged.keys()):
        position = positions[key] if key in positions else world.live_positions.get(key[1], 0)
        wanted = _below(logged.get(key, ()), position)
        if counted[key] != wanted:
            found.append(f"entry {key} counts {_said(counted[key])} up to {position}, the log has {_said(wanted)}")
        events = _below(first_ones.get(key, ()), position)
        there = Counter(status for offset, status in rows[key] if offset < position)
        if logged.get(key) and events != there:
            found.append(f"entry {key} has rows of {_said(there)} up to {position}, the log {_said(events)} without "
                         f"copies ({(wanted - events).total()} of them)")  # fmt: skip
    for partition, position in world.live_positions.items():
        if position > world.ends.get(partition, 0):
            found.append(f"live_positions says {position} for partition {partition}, which ends before")
    return shortened(found)


def resent_copies(world: World, entries: Sequence[Sent] = ()) -> int:
    """By how many the live counts exceed the distinct events: what the reconciliation has to show."""
    records = [event for event in Recount(world, entries).records if event.live]
    return len(records) - sum(event.live for event in firsts(records).values())


def _below(events: Iterable[Event], position: int) -> Counter[str]:
    return Counter(event.status for event in events if event.offset < position)


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts.get(status)) or "nothing"


def published(world: World, entries: Sequence[Sent] = ()) -> list[str]:
    """I3, I7. Under the pointer stand the distinct events below its cut: by sync, by day, failure by failure."""
    snapshot = world.snapshot
    if snapshot is None:
        return []
    if any(world.begins.values()):
        return ["the log does not reach back to its beginning, so what is published can't be counted anew"]
    below = [e for e in Recount(world, entries) if e.offset < snapshot.cuts.get(e.partition, 0)]
    results = list(firsts(e for e in below if e.kind == "record").values())
    marks = list(firsts(e for e in below if e.kind != "record").values())
    syncs = _syncs(results, marks, snapshot.cut)
    found = _differences("sync", snapshot.syncs, syncs)
    since = (snapshot.cut // DAY * DAY) - VISIBLE
    shown = [counts for counts in syncs.values() if counts.first >= since]
    totals = (
        len(shown), sum(one.succeeded for one in shown), sum(one.failed for one in shown),
        sum(one.skipped for one in shown),
    )  # fmt: skip
    if snapshot.totals != totals:
        found.append(f"the pointer says {snapshot.totals} syncs, successes, failures, skipped; the log {totals}")
    days = _days(event for event in results if event.occurred >= since)
    there = {key: counts for key, counts in snapshot.days.items() if any(counts) and key[2] >= day(since)}
    return shortened(found + _differences("day", there, days) + _failures(world, snapshot, results))


def _differences(kind: str, is_: Mapping[Any, Any], should: Mapping[Any, Any]) -> list[str]:
    return [
        f"{kind} {key} is published as {is_.get(key)}, the log says {should.get(key)}"
        for key in sorted(is_.keys() | should.keys())
        if is_.get(key) != should.get(key)
    ]


def _syncs(results: Sequence[Event], marks: Sequence[Event], cut: int) -> dict[SyncKey, SyncCounts]:
    of: dict[SyncKey, tuple[list[Event], list[Event]]] = defaultdict(lambda: ([], []))
    for event in [*results, *marks]:
        of[event.sync_key][event.kind != "record"].append(event)
    found = {}
    for key, (records, signs) in of.items():
        by_status = Counter(event.status for event in records)
        times = [event.occurred for event in [*records, *signs]]
        ends = [event for event in signs if event.kind == "sync_finished"]
        expected = max(ends, key=lambda mark: (mark.occurred, mark.arrival)).total if ends else None
        distinct = len({(event.module, event.record) for event in records})
        counts = SyncCounts(
            len(records), by_status["success"], by_status["failed"], by_status["skipped"], distinct, min(times),
            max(times), expected, "",
        )  # fmt: skip
        found[key] = counts._replace(outcome=_outcome(counts, bool(signs), cut))
    return found


def _outcome(counts: SyncCounts, marked: bool, cut: int) -> str:
    if counts.expected is None and counts.last >= cut - (DAY if marked else HOUR):
        return "running"
    if marked and (counts.expected is None or counts.records < counts.expected):
        return "incomplete"
    if counts.failed:
        return "partly_failed" if counts.succeeded else "failed"
    return "completed"


def _days(results: Iterable[Event]) -> dict[DayKey, tuple[int, int, int]]:
    found: dict[DayKey, Counter[str]] = defaultdict(Counter)
    for event in results:
        found[event.tenant, event.direction, day(event.occurred)][event.status] += 1
    return {key: (counts["success"], counts["failed"], counts["skipped"]) for key, counts in found.items()}


def _failures(world: World, snapshot: Snapshot, results: Sequence[Event]) -> list[str]:
    reasons = {place(row): row.reason for row in world.rows}
    wanted = {place(event): event for event in results if event.status == "failed"}
    times = Counter(place(failure) for failure in snapshot.failures)
    found = [f"the failure at {at(where)} is published {n} times" for where, n in times.items() if n > 1]
    found += [f"the failure at {at(where)} is not published" for where in sorted(wanted.keys() - times.keys())]
    found += [f"at {at(where)} no failure is to be published" for where in sorted(times.keys() - wanted.keys())]
    for failure in snapshot.failures:
        event, reason = wanted.get(place(failure)), reasons.get(place(failure), failure.reason)
        if event and failure[:4] != (*event.sync_key, event.event_id):
            found.append(f"the failure at {at(place(failure))} is published as {failure[:4]}")
        if failure.reason != reason:
            found.append(f"the failure at {at(place(failure))} has the reason {failure.reason}, its row {reason}")
    return found


def one_snapshot(world: World) -> list[str]:
    """I7. Whoever reads sees one snapshot whole: the list, a sync's own answer and its file say the same number."""
    snapshot, found = world.snapshot, []
    if snapshot is None:
        return [f"{tenant} sees syncs, and nothing is published" for tenant, view in world.views.items() if view.listed]
    failed = Counter((failure.tenant, failure.direction, failure.sync) for failure in snapshot.failures)
    for key, counts in snapshot.syncs.items():
        if counts.failed != failed[key]:
            found.append(f"sync {key} counts {counts.failed} failures and has {failed[key]} published rows")
        if counts.total != counts.succeeded + counts.failed + counts.skipped:
            found.append(f"sync {key} has {counts.total} results, which are not its {counts[1:4]} by status")
    for tenant, view in world.views.items():
        if view.snapshots - {snapshot.number}:
            found.append(f"{tenant} sees snapshots {sorted(view.snapshots)}, the pointer says {snapshot.number}")
        for (direction, sync), listed in view.listed.items():
            known = snapshot.syncs.get((tenant, direction, sync))
            file = view.files.get((direction, sync))
            numbers = {"pointer": known and known[:4], "list": listed, "sync": view.details.get((direction, sync))}
            if len(set(numbers.values())) > 1:
                found.append(f"{tenant} sees sync {sync} as {numbers}")
            lines = None if file is None else {len(file.ids), len(set(file.ids)), file.told}
            if lines != {listed[2]}:
                found.append(f"{tenant} sees {listed[2]} failures of sync {sync}, its file has {lines} lines, ids and "
                             "X-Row-Count")  # fmt: skip
    return shortened(found)


def tenancy(world: World, entries: Sequence[Sent] = ()) -> list[str]:
    """I6. No row, number, file or address of one tenant is another's."""
    log = {place(message): message for message in world.messages}
    events = {place(event): event for event in Recount(world, entries)}
    owners = {(event.tenant, event.event_id) for event in events.values()}
    found = []
    for row in [*world.rows, *world.marks, *(world.snapshot.failures if world.snapshot else ())]:
        event = events.get(place(row))
        if event and event.tenant != row.tenant:
            found.append(f"what is at {at(place(row))} belongs to {event.tenant} and stands under {row.tenant}")
    for dead in world.dead_rows:
        message = log.get(place(dead))
        if dead.tenant and message and dead.tenant.encode() not in (message.value or b""):
            found.append(f"the bad message at {at(place(dead))} stands under {dead.tenant}, which is not in it")
    for tenant, view in world.views.items():
        for (direction, sync), file in view.files.items():
            foreign = [event_id for event_id in file.ids if (tenant, event_id) not in owners]
            if foreign:
                found.append(f"the file of sync {sync} ({direction}) gives {tenant} {len(foreign)} rows of others, "
                             f"the first {foreign[0]}")  # fmt: skip
    for reach in world.reaches:
        if reach.status != NOT_FOUND:
            found.append(f"{reach.tenant} asked for {reach.address} of {reach.owner} and was answered {reach.status}")
    return shortened(found)
