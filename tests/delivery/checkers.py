"""Is everything as promised? Pure functions of a `World` and its ledger; a problem is a sentence with ids and offsets.

Here: nothing lost, nothing twice, nothing altered, nothing committed too early (I1, I2, I4, I5, I10). The counts are in
`checkers_counts`, what processes say of themselves and how long rows stay in `checkers_signs`; `everything` asks all.
A world is checked at rest: sending has ended and the workers have caught up (`liveness` says if they have not).
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.delivery.checkers_counts import live_counts, one_snapshot, published, tenancy
from tests.delivery.checkers_signs import liveness, metric_identity, retention, secrets
from tests.delivery.facts import Message, Place, Row, place
from tests.delivery.ledger import Outcome, Sent
from tests.delivery.recount import Event, Identity, Recount, firsts, week
from tests.delivery.sampler import Sample
from tests.delivery.sentences import at, shortened
from tests.delivery.world import World

Entries = Sequence[Sent]
SOURCE = "__connect.errors."
CUT = "synclogs.value.bytes"


def everything(
    world: World, entries: Entries = (), samples: Sequence[Sample] = (), passwords: Iterable[str] = ()
) -> list[str]:
    """The problems of every checker, each with the checker's name before it."""
    found = {
        "complete": complete(world, entries),
        "unique": unique(world, entries),
        "rows_faithful": rows_faithful(world, entries),
        "latest_state": latest_state(world, entries),
        "letters_faithful": letters_faithful(world, entries),
        "commit_safety": commit_safety(world, entries, samples),
        "live_counts": live_counts(world, entries),
        "published": published(world, entries),
        "one_snapshot": one_snapshot(world),
        "tenancy": tenancy(world, entries),
        "liveness": liveness(world),
        "metric_identity": metric_identity(world),
        "secrets": secrets(world, entries, passwords),
        "retention": retention(world),
    }
    return [f"{checker}: {problem}" for checker, problems in found.items() for problem in problems]


def complete(world: World, entries: Entries = ()) -> list[str]:
    """I1. Every message below store's position is a row, a mark, a dead letter, or a copy of an earlier one; every
    acknowledged event is stored or dead-lettered, never both; nothing is there that nobody sent."""
    recount = Recount(world, entries)
    stored = {place(row) for row in [*world.rows, *world.marks]}
    dead = {place(row) for row in world.dead_rows}
    letters = {source(letter) for letter in world.letters}
    found = []
    for event in recount:
        # A merge may have united a later copy with the first arrival.
        if event.offset < world.stored_up_to(event.partition) and not stored & {
            place(event), place(recount.first(event)),
        }:  # fmt: skip
            found.append(f"event {event.event_id} at {at(place(event))} is lost: below store's position, and no row")
    for where in recount.bad:
        if where[1] < world.stored_up_to(where[0]):
            found += [f"the bad message at {at(where)} has no dead letter"] * (where not in letters)
            found += [f"the bad message at {at(where)} has no row in dead_letters"] * (where not in dead)
    events = {place(event) for event in recount}
    known = {where for where in stored if where[1] >= world.begins.get(where[0], 0)}  # retention has taken the others
    found += [f"a row at {at(where)} stands for no event in the log" for where in sorted(known - events)]
    found += [f"a dead letter at {at(where)} is of no bad message" for where in sorted(letters - recount.bad.keys())]
    found += [f"a row of dead_letters, {at(where)}, is of no bad one" for where in sorted(dead - recount.bad.keys())]
    found += [f"the message at {at(where)} is stored and dead-lettered" for where in sorted(stored & (letters | dead))]
    return shortened(found + _as_sent(world, entries))


def _as_sent(world: World, entries: Entries) -> list[str]:
    """What the sender knows: acknowledged is there, refused is not, unknown may be."""
    if not entries:
        return []
    stored = {row.event_id for row in [*world.rows, *world.marks]}
    log = {place(message): message for message in world.messages}
    # One that was too large to be sent whole stands for its message; whether rightly so `letters_faithful` says.
    whole = [log.get(source(one), one) if CUT in dict(one.headers) else one for one in world.letters]
    letters = Counter((letter.key, letter.value) for letter in whole)
    good = {entry.event_id for entry in entries if entry.good and entry.outcome is not Outcome.REFUSED}
    found = []
    for entry in entries:
        if entry.outcome is Outcome.ACKNOWLEDGED and entry.good and entry.event_id not in stored:
            found.append(f"event {entry.event_id} was acknowledged and is not stored")
    acked = Counter((e.key, e.value) for e in entries if not e.good and e.outcome is Outcome.ACKNOWLEDGED)
    sent = Counter((e.key, e.value) for e in entries if not e.good and e.outcome is not Outcome.REFUSED)
    names = {(e.key, e.value): e.event_id for e in entries if not e.good}
    for which, name in names.items():
        if not acked[which] <= letters[which] <= sent[which]:
            found.append(f"bad message {name} was acknowledged {acked[which]} times, sent {sent[which]} times and is "
                         f"{letters[which]} dead letters")  # fmt: skip
    found += [f"event {event_id} is stored and nobody sent it" for event_id in sorted(stored - good)]
    found += [f"a dead letter of a message that nobody sent: {key!r}" for key, value in letters - sent
              if (key, value) not in names]  # fmt: skip
    return found


def unique(world: World, entries: Entries = ()) -> list[str]:
    """I2. One row a message without FINAL, one row an identity with it; an event that was sent once is one message."""
    found = []
    for what, places in (
        ("sync_records", [place(row) for row in world.rows]),
        ("sync_marks", [place(row) for row in world.marks]),
        ("dead_letters", [place(row) for row in world.dead_rows]),
        ("the dead-letters topic", [source(letter) for letter in world.letters]),
    ):
        found += [f"the message at {at(where)} is {n} times in {what}" for where, n in Counter(places).items() if n > 1]
    final = Counter(identity(row) for row in world.final)
    found += [f"event {who[3]} of sync {who[2]} is {n} rows with FINAL" for who, n in final.items() if n > 1]
    if entries:
        sent = Counter(entry.event_id for entry in entries if entry.good)
        rows = Counter(row.event_id for row in [*world.rows, *world.marks])
        logged = Counter(event.event_id for event in Recount(world, entries))
        for event_id, n in sent.items():
            if logged[event_id] > n:
                found.append(f"event {event_id} was sent {n} times and is {logged[event_id]} times in the log")
            if rows[event_id] > n:
                found.append(f"event {event_id} was sent {n} times and is {rows[event_id]} rows without FINAL")
    return shortened(found)


def rows_faithful(world: World, entries: Entries = ()) -> list[str]:
    """Each row says what its message says; a failed one has a reason, and no other has."""
    events = {place(event): event for event in Recount(world, entries)}
    found = []
    for row in [*world.rows, *world.marks]:
        event = events.get(place(row))
        if event is None:
            continue  # `complete` has said so
        wanted = as_row(event, row.reason)
        found += [
            f"the row at {at(place(row))} has {name} {is_!r}, its message {should!r}"
            for name, is_, should in zip(Row._fields, row, wanted, strict=True)
            if is_ != should
        ]
        if (row.status == "failed") != bool(row.reason):
            found.append(f"the row at {at(place(row))} is {row.status} and has the reason {row.reason!r}")
    return shortened(found)


def latest_state(world: World, entries: Entries = ()) -> list[str]:
    """I5. Of several copies of an event the first arrival is the row, in whatever order they were stored."""
    final = {identity(row): place(row) for row in world.final}
    found = []
    for event in firsts(Recount(world, entries).records).values():
        row = final.get(event.identity)
        if row is not None and event.offset < world.stored_up_to(event.partition) and row != place(event):
            found.append(f"event {event.event_id} arrived first at {at(place(event))}, its row is of {at(row)}")
        if row is None and event.offset < world.stored_up_to(event.partition):
            found.append(f"event {event.event_id} at {at(place(event))} has no row with FINAL")
    return shortened(found)


def letters_faithful(world: World, entries: Entries = ()) -> list[str]:
    """I10. A dead letter is its message, byte for byte, in the same partition, with our headers behind its own."""
    log = {place(message): message for message in world.messages}
    codes = {place(row): row.code for row in world.dead_rows}
    found = []
    for letter in world.letters:
        where = source(letter)
        message = log.get(where)
        if message is None:
            found.append(f"the dead letter at {at(place(letter))} names {at(where)}, where there is no message")
            continue
        headers = dict(letter.headers)
        kept = letter._replace(offset=message.offset, headers=letter.headers[: len(message.headers)])
        if CUT in headers:  # too large to be sent whole
            kept = kept._replace(value=message.value if (message.value or b"").startswith(letter.value or b"") else b"")
        found += [
            f"the dead letter of {at(where)} has another {name} than its message"
            for name, is_, should in zip(Message._fields, kept, message, strict=True)
            if is_ != should
        ]
        code = (headers.get(SOURCE + "exception.class.name") or b"").decode()
        if code != codes.get(where, code):
            found.append(f"the dead letter of {at(where)} says {code}, its row in dead_letters {codes[where]}")
    return shortened(found)


def commit_safety(world: World, entries: Entries = (), samples: Sequence[Sample] = ()) -> list[str]:
    """I4. At every sample all below the committed offset was durable, and no committed offset ever went back."""
    recount = Recount(world, entries)
    wanted: dict[int, set[int]] = {partition: set() for partition in world.log}
    for event in recount.firsts():
        wanted[event.partition].add(event.offset)
    for partition, offset in recount.bad:
        wanted[partition].add(offset)
    found = []
    for sample in samples:
        if sample.committed < sample.before:
            found.append(f"the committed offset of partition {sample.partition} went back from {sample.before} to "
                         f"{sample.committed}")  # fmt: skip
        missing = {o for o in wanted[sample.partition] if sample.before <= o < sample.committed} - sample.durable
        if missing:
            found.append(f"{sample.committed} was committed for partition {sample.partition} while {len(missing)} "
                         f"messages from {min(missing)} on were not durable")  # fmt: skip
    for partition, end in world.ends.items():
        if world.stored_up_to(partition) > end:
            found.append(f"{world.stored_up_to(partition)} is committed for partition {partition}, which ends at {end}")
    return shortened(found)


def as_row(event: Event, reason: str = "") -> Row:
    """The row that a message ought to become."""
    extra = (event.module, event.record) if event.kind == "record" else ("", str(event.total))
    return Row(
        event.event_id, event.tenant, event.direction, event.sync, event.status or event.kind, reason, extra,
        event.occurred, event.received, event.partition, event.offset,
    )  # fmt: skip


def identity(row: Row) -> Identity:
    return row.tenant, row.direction, row.sync, row.event_id, week(row.occurred)


def source(letter: Message) -> Place:
    """Where a dead letter says it comes from; (-1, -1) if it does not."""
    headers = dict(letter.headers)
    try:
        return int(headers[SOURCE + "partition"] or b""), int(headers[SOURCE + "offset"] or b"")
    except (KeyError, ValueError):
        return -1, -1
