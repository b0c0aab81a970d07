"""From the messages of a run to columns for ClickHouse, by table and week: pure, so a run formed again is the same.

Comes in: messages of one partition, a few hundred at a time (`schemas.decode` says why). Goes out: `Insert`s, whose
rows ClickHouse takes in any case, since texts too long are cut here and everything else was refused before.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from schemas.decode import Decoded, Mark, decode
from schemas.event import (
    DAY_MS,
    MAX_ERROR_CODE,
    MAX_ERROR_FIELD,
    MAX_ERROR_MESSAGE,
    MAX_ERRORS,
    MAX_NAME,
    MAX_PAYLOAD,
    WEEK_MS,
    Error,
    RecordEvent,
)
from schemas.reasons import CATALOGUE
from schemas.refusal import Refusal
from schemas.rows import DEAD_LETTERS, SYNC_MARKS, SYNC_RECORDS, TableColumns
from streams.classify import classify
from streams.clock import from_ms, week_of
from streams.store.letters import Original, tenant_of

Columns = list[list[Any]]
_NOTHING: list[str] = []  # the arrays of a row without errors: one shared list, never changed


class Insert(NamedTuple):
    """Rows of one table and week (`2026-W47`): what ClickHouse takes whole or not at all."""

    table: TableColumns
    week: str
    columns: Columns

    @property
    def rows(self) -> int:
        return len(self.columns[0])


class Rows:
    """What the messages of a run of one partition become. `refused` is in the order of offsets."""

    def __init__(self, topic: str, partition: int) -> None:
        self._topic = topic
        self._partition = partition
        self._records: dict[int, Columns] = {}
        self._marks: dict[int, Columns] = {}
        self._letters: dict[int, Columns] = {}
        self.refused: list[tuple[Original, Refusal]] = []
        self.truncated = 0

    def add(self, messages: Sequence[Original]) -> None:
        """The next few hundred messages of the run."""
        decoded = decode(messages)
        if decoded.events:
            self._add_records(decoded)
        for mark in decoded.marks:
            _extend(self._marks, week_number(mark.occurred), _mark_columns(mark))
        refused = cast("list[tuple[Original, Refusal]]", decoded.refused)
        for message, refusal in refused:
            _extend(self._letters, week_number(message.timestamp), _letter_columns(message, refusal))
        self.refused += refused

    def inserts(self) -> Iterator[Insert]:
        """Always in the same order."""
        for table, weeks in ((SYNC_RECORDS, self._records), (SYNC_MARKS, self._marks), (DEAD_LETTERS, self._letters)):
            for week in sorted(weeks):
                columns = weeks[week]
                rows = len(columns[0])
                # The columns that say where the rows came from are last in every table (`schemas.rows`).
                received, offsets = columns[-2:]
                topics, partitions = [self._topic] * rows, [self._partition] * rows
                yield Insert(table, week_name(week), [*columns[:-2], received, topics, partitions, offsets])

    def _add_records(self, decoded: Decoded) -> None:
        events, occurred, received, offsets = decoded.events, decoded.occurred, decoded.received, decoded.offsets
        first, last = week_number(min(occurred)), week_number(max(occurred))
        if first == last:
            self._add_week(first, events, occurred, received, offsets)
            return
        weeks: dict[int, list[int]] = {}
        for row, moment in enumerate(occurred):
            weeks.setdefault(week_number(moment), []).append(row)
        for week, chosen in weeks.items():
            parts = ([column[row] for row in chosen] for column in (events, occurred, received, offsets))
            self._add_week(week, *parts)  # type: ignore[arg-type]  # the four lists keep their types

    def _add_week(
        self, week: int, events: list[RecordEvent], occurred: list[int], received: list[int], offsets: list[int]
    ) -> None:
        columns, truncated = _record_columns(events, occurred, received, offsets)
        self.truncated += truncated
        _extend(self._records, week, columns)


def week_number(ms: int) -> int:
    """Weeks since 1970 that begin on Monday 00:00 UTC, as toMonday() partitions the tables."""
    return (ms + 3 * DAY_MS) // WEEK_MS


def week_name(number: int) -> str:
    return week_of(from_ms(number * WEEK_MS - 3 * DAY_MS))


def _extend(weeks: dict[int, Columns], week: int, columns: Columns) -> None:
    present = weeks.get(week)
    if present is None:
        weeks[week] = columns
    else:
        for old, new in zip(present, columns, strict=True):
            old += new


def _record_columns(
    events: list[RecordEvent], occurred: list[int], received: list[int], offsets: list[int]
) -> tuple[Columns, int]:
    """The columns of `SYNC_RECORDS` but topic and partition, and how many rows had a text cut."""
    rows = len(events)
    names = [event.record_name or "" for event in events]
    targets = [event.target_id or "" for event in events]
    payloads = [bytes(event.payload) for event in events]
    statuses = [event.status for event in events]
    errors = [event.errors for event in events]
    reasons = [""] * rows
    codes, messages, fields, error_reasons, truncated = ([_NOTHING] * rows for _ in range(5))
    cut: dict[int, list[str]] = {}
    _shorten(names, MAX_NAME, lambda text: text[:MAX_NAME], "record_name", cut)
    _shorten(targets, MAX_NAME, lambda text: text[:MAX_NAME], "target_id", cut)
    for row, status in enumerate(statuses):
        if status == "failed":
            code, message, field = codes[row], messages[row], fields[row] = _errors(errors[row] or [Error()], row, cut)
            # What is stored is what is classified, so that the same catalogue gives the same reason to the row again.
            reasons[row], told = classify(events[row].direction, list(zip(code, message, field, strict=True)))
            error_reasons[row] = list(told)
        elif found := errors[row]:
            codes[row], messages[row], fields[row] = _errors(found, row, cut)
            error_reasons[row] = [""] * len(codes[row])
    if b"null" in payloads:
        payloads = [b"" if payload == b"null" else payload for payload in payloads]
    _shorten(payloads, MAX_PAYLOAD, lambda _: b"", "payload", cut)
    for row, what in cut.items():
        truncated[row] = what
    return [
        [event.event_id for event in events],
        [event.tenant_id for event in events],
        [event.direction for event in events],
        [event.sync_id for event in events],
        [event.module for event in events],
        [event.record_id for event in events],
        names,
        targets,
        [event.operation for event in events],
        statuses,
        reasons,
        codes,
        messages,
        fields,
        error_reasons,
        [CATALOGUE.version] * rows,
        occurred,
        [event.attempt for event in events],
        payloads,
        truncated,
        received,
        offsets,
    ], len(cut)


def _shorten(texts: list[Any], most: int, shorten: Callable[[Any], Any], name: str, cut: dict[int, list[str]]) -> None:
    if max(map(len, texts)) <= most:
        return
    for row, text in enumerate(texts):
        if len(text) > most:
            texts[row] = shorten(text)
            cut.setdefault(row, []).append(name)


def _errors(errors: list[Error], row: int, cut: dict[int, list[str]]) -> tuple[list[str], list[str], list[str]]:
    """Codes, messages and fields of a record's errors, none too long and not too many."""
    codes = [error.code or "" for error in errors]
    messages = [error.message or "" for error in errors]
    fields = [error.field or "" for error in errors]
    found = []
    if len(errors) > MAX_ERRORS:
        found.append("errors")
        del codes[MAX_ERRORS:], messages[MAX_ERRORS:], fields[MAX_ERRORS:]
    if any(len(code) > MAX_ERROR_CODE for code in codes):
        found.append("errors.code")
        codes = [code[:MAX_ERROR_CODE] for code in codes]
    # In bytes, of which a character has at most four.
    if any(len(text) > MAX_ERROR_MESSAGE // 4 and len(text.encode()) > MAX_ERROR_MESSAGE for text in messages):
        found.append("errors.message")
        messages = [text.encode()[:MAX_ERROR_MESSAGE].decode(errors="ignore") for text in messages]
    if any(len(field) > MAX_ERROR_FIELD for field in fields):
        found.append("errors.field")
        fields = [field[:MAX_ERROR_FIELD] for field in fields]
    if found:
        cut.setdefault(row, []).extend(found)
    return codes, messages, fields


def _mark_columns(mark: Mark) -> Columns:
    event = mark.event
    values = (
        event.event_id,
        event.tenant_id,
        event.direction,
        event.sync_id,
        event.type,
        event.records_total or 0,
        mark.occurred,
        mark.received,
        mark.offset,
    )
    return [[value] for value in values]


def _letter_columns(message: Original, refusal: Refusal) -> Columns:
    values = (tenant_of(message.value), refusal.code.value, refusal.field, message.timestamp, message.offset)
    return [[value] for value in values]
