"""What processes say of themselves, and how long rows stay: liveness, metrics, logs, retention (I8, I9, I11, I12).

Pure functions of a `World`; each problem is a sentence that names the process, the partition or the row.
"""

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.delivery.facts import place
from tests.delivery.ledger import Sent
from tests.delivery.recount import DAY, WEEK, week
from tests.delivery.sentences import at, shortened
from tests.delivery.world import World

SHORTEST = 12
"""Shorter texts stand in a log by chance."""
_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)
_OF_STORE = ("sync_records", "sync_marks", "dead_letters")


def liveness(world: World) -> list[str]:
    """I8. Both workers have come to the end of what is committed, nothing is announced, and every process is ready."""
    found = []
    for partition, end in world.ends.items():
        last = world.log[partition][-1].offset if world.log[partition] else -1
        for worker, position in (
            ("store", world.store_positions.get(partition)), ("count", world.count_positions.get(partition)),
        ):  # fmt: skip
            if last >= world.begins[partition] and (position is None or position.offset <= last):
                found.append(f"{worker} stands at {position and position.offset} in partition {partition}, whose last "
                             f"message is at {last} and whose end is {end}")  # fmt: skip
        position = world.store_positions.get(partition)
        if position is not None and ":" in position.note:
            found.append(f"partition {partition} is left with an announced run: {position.note}")
        if world.live_positions and world.live_positions.get(partition, 0) <= last:
            found.append(f"live_positions stands at {world.live_positions.get(partition)} in partition {partition}, "
                         f"whose last message is at {last}")  # fmt: skip
    found += [f"{process} is not ready: {text.strip()}" for process, text in world.ready.items() if text != "ready\n"]
    return shortened(found)


def metric_identity(world: World) -> list[str]:
    """I9. What a worker consumed is what it stored and dead-lettered, whatever became of the runs between."""
    found = []
    for process, text in world.metrics.items():
        consumed = _value(text, "synclogs_records_consumed_total", worker="store")
        stored = sum(_value(text, "synclogs_rows_stored_total", table=table) for table in _OF_STORE)
        if process.startswith("store") and stored != consumed:
            found.append(f"{process} consumed {consumed:.0f} messages and stored {stored:.0f} rows and dead letters")
        letters = _value(text, "synclogs_records_dead_lettered_total")
        rows = _value(text, "synclogs_rows_stored_total", table="dead_letters")
        if process.startswith("store") and rows != letters:
            found.append(f"{process} counts {letters:.0f} dead letters and stored {rows:.0f} rows of them")
        consumed = _value(text, "synclogs_records_consumed_total", worker="count")
        counted = _value(text, "synclogs_records_counted_total") + _value(text, "synclogs_late_total")
        if process.startswith("count") and counted > consumed:
            found.append(f"{process} consumed {consumed:.0f} messages and counted {counted:.0f}")
    return shortened(found)


def _samples(text: str, name: str) -> Iterator[tuple[str, float]]:
    for found in _SAMPLE.finditer(text):
        if found[1] == name:
            yield found[2] or "", float(found[3])


def _value(text: str, name: str, **labels: str) -> float:
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(value for said, value in _samples(text, name) if all(one in said for one in wanted))


def secrets(world: World, entries: Sequence[Sent] = (), passwords: Iterable[str] = ()) -> list[str]:
    """I11. No log holds a text of a message, the marker of a bad one, or a password."""
    if not world.logs:
        return []
    needles = dict.fromkeys(passwords, "a password") | dict.fromkeys(_texts(entries), "a text of a message")
    found = []
    for process, log in world.logs.items():
        begins = {log[at : at + SHORTEST] for at in range(len(log) - SHORTEST + 1)}
        for needle, what in needles.items():
            # Half a million texts are each looked for in megabytes only where their beginning is there.
            if (len(needle) < SHORTEST or needle[:SHORTEST] in begins) and needle in log:
                line = next(number for number, line in enumerate(log.splitlines(), 1) if needle in line)
                found.append(f"the log of {process} holds {what} in line {line}")
    return shortened(found)


def _texts(entries: Sequence[Sent]) -> set[str]:
    """Texts that only a message could have brought: of good ones the values, of bad ones the marker."""
    found: set[str] = set()
    for entry in entries:
        if not entry.good:
            found.add(entry.event_id)
            continue
        try:
            value: Mapping[str, Any] = json.loads(entry.value or b"{}")
        except ValueError:
            continue
        errors = value.get("errors") or []
        named = [value.get("record_name"), *(error.get("message") for error in errors)]
        found |= {text for text in [*named, *_leaves(value.get("payload"))] if text and len(text) >= SHORTEST}
    return found


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)


def retention(world: World, late: int = DAY) -> list[str]:
    """I12. No row is older than six months and three weeks after its week's Monday, but for `late` (ms), in which the
    merges that drop expired parts come round. That no younger one is lost `complete` says."""
    found = []
    for row in [*world.rows, *world.marks]:
        if expires(row.occurred) + late < world.now:
            found.append(f"the row at {at(place(row))} should have been dropped {_days(world.now, row.occurred)}")
    return shortened(found)


def expires(occurred: int) -> int:
    """When the rows of an event's week are dropped."""
    monday = dt.datetime.fromtimestamp((week(occurred) * WEEK - 3 * DAY) // 1000, dt.UTC)
    months = monday.month - 1 + 6
    year, month = monday.year + months // 12, months % 12 + 1
    last = ((dt.date(year + month // 12, month % 12 + 1, 1)) - dt.timedelta(days=1)).day
    end = monday.replace(year=year, month=month, day=min(monday.day, last)) + dt.timedelta(weeks=3)
    return int(end.timestamp() * 1000)


def _days(now: int, occurred: int) -> str:
    return f"{(now - expires(occurred)) // DAY} days ago"
