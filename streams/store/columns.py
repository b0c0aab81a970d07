"""From the messages of a run to columns for ClickHouse, by table and week: pure, so a run formed again is the same.

Comes in: messages of one partition, a few hundred at a time (`schemas.decode` says why). Goes out: `Insert`s, whose
rows ClickHouse takes in any case, since texts too long are cut here and everything else was refused before.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from msgspec.structs import astuple

from schemas.cut import kept_errors
from schemas.decode import Decoded, Mark, decode
from schemas.event import (
    DAY_MS,
    MAX_NAME,
    MAX_PAYLOAD,
    WEEK_MS,
    RecordEvent,
)
from schemas.reasons import CATALOGUE
from schemas.refusal import Refusal
from schemas.rows import DEAD_LETTERS, SYNC_MARKS, SYNC_RECORDS, TableColumns
from streams.classify import classify
from streams.clock import from_ms, week_of
from streams.store.letters import Original, tenant_of

Columns = list[Sequence[Any]]
Encode = Callable[[TableColumns, Columns], Any]
BLOCK_ROWS = 256
"""As soon as a table and week has so many rows they are encoded: now they are in the processor's cache, and when the
run is complete they are not. With fewer rows the fixed cost of a block would eat that up."""

_ORDER = (SYNC_RECORDS, SYNC_MARKS, DEAD_LETTERS)
_FIELDS = RecordEvent.__struct_fields__
_NOTHING: list[str] = []  # the arrays of a row without errors: one shared list, never changed


class Insert:
    """Rows of one table and week, which ClickHouse takes whole or not at all; `blocks` is what `encode` made."""

    def __init__(self, table: TableColumns, week: int, encode: Encode) -> None:
        self.table = table
        self.week = week
        self.rows = 0
        self.blocks: list[Any] = []
        self._encode = encode
        self._columns: list[list[Any]] = []

    def add(self, columns: Columns) -> None:
        """Some more rows, in columns of the table's order."""
        rows = len(columns[0])
        self.rows += rows
        if not self._columns and rows >= BLOCK_ROWS:
            self.blocks.append(self._encode(self.table, columns))
            return
        if not self._columns:
            self._columns = [[] for _ in columns]
        for present, new in zip(self._columns, columns, strict=True):
            present += new
        if len(self._columns[0]) >= BLOCK_ROWS:
            self.finish()

    def finish(self) -> None:
        """Encode what is left."""
        if self._columns:
            self.blocks.append(self._encode(self.table, [*self._columns]))
            self._columns = []


class Rows:
    """What the messages of a run of one partition become. `refused` is in the order of offsets."""

    def __init__(self, topic: str, partition: int, encode: Encode) -> None:
        self._topic = topic
        self._partition = partition
        self._encode = encode
        self._inserts: dict[tuple[TableColumns, int], Insert] = {}
        self.refused: list[tuple[Original, Refusal]] = []
        self.truncated = 0

    def add(self, messages: Sequence[Original]) -> None:
        """The next few hundred messages of the run."""
        decoded = decode(messages)
        for week, rows in _by_week(decoded.occurred):
            columns, truncated = self._record_columns(decoded, rows)
            self.truncated += truncated
            self._insert(SYNC_RECORDS, week).add(columns)
        marks = decoded.marks
        for week, rows in _by_week([mark.occurred for mark in marks]):
            self._insert(SYNC_MARKS, week).add(self._mark_columns(_chosen(marks, rows)))
        refused = cast("list[tuple[Original, Refusal]]", decoded.refused)
        for week, rows in _by_week([message.timestamp for message, _ in refused]):
            self._insert(DEAD_LETTERS, week).add(self._letter_columns(_chosen(refused, rows)))
        self.refused += refused

    def inserts(self) -> list[Insert]:
        """All of the run's, always in the same order."""
        for insert in self._inserts.values():
            insert.finish()
        return [self._inserts[key] for key in sorted(self._inserts, key=lambda key: (_ORDER.index(key[0]), key[1]))]

    def _insert(self, table: TableColumns, week: int) -> Insert:
        key = (table, week)
        if key not in self._inserts:
            self._inserts[key] = Insert(table, week, self._encode)
        return self._inserts[key]

    def _arrivals(self, received: Sequence[int], offsets: Sequence[int]) -> Columns:
        """The last columns of every table, which say where its rows came from."""
        rows = len(offsets)
        return [received, [self._topic] * rows, [self._partition] * rows, offsets]

    def _record_columns(self, decoded: Decoded, rows: Sequence[int] | None) -> tuple[Columns, int]:
        columns, truncated = _record_columns(_chosen(decoded.events, rows), _chosen(decoded.occurred, rows))
        return columns + self._arrivals(_chosen(decoded.received, rows), _chosen(decoded.offsets, rows)), truncated

    def _mark_columns(self, marks: Sequence[Mark]) -> Columns:
        return [
            [mark.event.event_id for mark in marks],
            [mark.event.tenant_id for mark in marks],
            [mark.event.direction for mark in marks],
            [mark.event.sync_id for mark in marks],
            [mark.event.type for mark in marks],
            [mark.event.records_total or 0 for mark in marks],
            [mark.occurred for mark in marks],
            *self._arrivals([mark.received for mark in marks], [mark.offset for mark in marks]),
        ]

    def _letter_columns(self, refused: Sequence[tuple[Original, Refusal]]) -> Columns:
        messages = [message for message, _ in refused]
        return [
            [tenant_of(message.value) for message in messages],
            [refusal.code.value for _, refusal in refused],
            [refusal.field for _, refusal in refused],
            *self._arrivals([message.timestamp for message in messages], [message.offset for message in messages]),
        ]


T = TypeVar("T")


def _by_week(moments: Sequence[int]) -> list[tuple[int, list[int] | None]]:
    """The weeks of the moments, each with the rows that lie in it; None stands for all of them."""
    if not moments:
        return []
    first = week_number(min(moments))
    if first == week_number(max(moments)):
        return [(first, None)]
    weeks: dict[int, list[int] | None] = {}
    for row, moment in enumerate(moments):
        rows = weeks.setdefault(week_number(moment), [])
        assert rows is not None
        rows.append(row)
    return list(weeks.items())


def _chosen(values: list[T], rows: Sequence[int] | None) -> list[T]:
    return values if rows is None else [values[row] for row in rows]


def week_number(ms: int) -> int:
    """Weeks since 1970 that begin on Monday 00:00 UTC, as toMonday() partitions the tables."""
    return (ms + 3 * DAY_MS) // WEEK_MS


def week_name(number: int) -> str:
    return week_of(from_ms(number * WEEK_MS - 3 * DAY_MS))


def _record_columns(events: list[RecordEvent], occurred: list[int]) -> tuple[Columns, int]:
    """The columns of `SYNC_RECORDS` up to where the rows came from, and how many rows had a text cut."""
    rows = len(events)
    # Turned in C, at half the cost of a comprehension a field.
    fields_of = dict(zip(_FIELDS, zip(*map(astuple, events), strict=True), strict=True))
    names = [name or "" for name in fields_of["record_name"]]
    targets = [target or "" for target in fields_of["target_id"]]
    payloads = [bytes(payload) if payload else b"" for payload in fields_of["payload"]]
    statuses, errors = fields_of["status"], fields_of["errors"]
    reasons = [""] * rows
    codes, messages, fields, error_reasons, truncated = ([_NOTHING] * rows for _ in range(5))
    cut: dict[int, list[str]] = {}
    _shorten(names, MAX_NAME, lambda text: text[:MAX_NAME], "record_name", cut)
    _shorten(targets, MAX_NAME, lambda text: text[:MAX_NAME], "target_id", cut)
    for row, status in enumerate(statuses):
        if status != "failed" and not errors[row]:
            continue
        kept, what = kept_errors(events[row])
        codes[row], messages[row], fields[row] = map(list, zip(*kept, strict=True))
        if what:
            cut.setdefault(row, []).extend(what)
        if status == "failed":
            # What is stored is what is classified, so that the same catalogue gives the same reason to the row again.
            reasons[row], told = classify(events[row].direction, kept)
            error_reasons[row] = list(told)
        else:
            error_reasons[row] = [""] * len(kept)
    if b"null" in payloads:
        payloads = [b"" if payload == b"null" else payload for payload in payloads]
    _shorten(payloads, MAX_PAYLOAD, lambda _: b"", "payload", cut)
    for row, what in cut.items():
        truncated[row] = what
    return [
        fields_of["event_id"],
        fields_of["tenant_id"],
        fields_of["direction"],
        fields_of["sync_id"],
        fields_of["module"],
        fields_of["record_id"],
        names,
        targets,
        fields_of["operation"],
        statuses,
        reasons,
        codes,
        messages,
        fields,
        error_reasons,
        [CATALOGUE.version] * rows,
        occurred,
        fields_of["attempt"],
        payloads,
        truncated,
    ], len(cut)


def _shorten(texts: list[Any], most: int, shorten: Callable[[Any], Any], name: str, cut: dict[int, list[str]]) -> None:
    if max(map(len, texts)) <= most:
        return
    for row, text in enumerate(texts):
        if len(text) > most:
            texts[row] = shorten(text)
            cut.setdefault(row, []).append(name)
