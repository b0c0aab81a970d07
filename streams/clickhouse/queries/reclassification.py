"""Publishing failures under other reasons: what a reclassification reads, notes and writes, in SQL.

A `Reclassification` is one try, with an attempt of its own. Texts come out chunk by chunk, so that classifying needs
little memory; what it finds goes back as notes, and the rows themselves, payloads above all, never leave the server.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from schemas.rows import RECLASSIFIED, SNAPSHOTS
from streams import clock
from streams.clickhouse.client import Database
from streams.clickhouse.queries.published import Pointer, latest
from streams.clickhouse.writer import Writer
from streams.errors import TotalsDiffer

CHUNK_ROWS = 100_000
"""About so many failures are classified, and so many copied, at a time."""
_BLOCK_ROWS = 2_000  # rows at once: the texts of one may have 160 KiB

_KEY = "tenant_id, direction, sync_id, event_id"
_TAKEN_OVER = """event_id, tenant_id, direction, sync_id, module, record_id, record_name, target_id, operation,
    error_codes, error_messages, error_fields, occurred_at, attempt, payload, truncated, received_at, kafka_topic,
    kafka_partition, kafka_offset"""
_SYNC_COLUMNS = """tenant_id, direction, sync_id, modules, first_at, last_at, started_at, finished_at, expected,
    records, total, succeeded, failed, skipped, outcome"""
_DAY_COLUMNS = "tenant_id, direction, day, succeeded, failed, skipped"

# A chunk is a slice of a week. The first digits by which the table sorts events cut a giant sync, and what they leave
# together lies together on disk.
_OF_CHUNK = """toMonday(occurred_at) = {week:Date}
    AND cityHash64(sync_id, substring(toString(event_id), 20, 2)) % {chunks:UInt32} = {chunk:UInt32}"""
_WEEKS = """SELECT toMonday(occurred_at) AS week, count() AS rows,
    countIf(occurred_at >= {since:DateTime64(3, 'UTC')}) AS anew
FROM published_failures WHERE attempt_id IN {before:Array(UUID)} GROUP BY week ORDER BY week"""
_LEFT_ALONE = """SELECT reason, count() AS records FROM published_failures
WHERE attempt_id IN {before:Array(UUID)} AND occurred_at < {since:DateTime64(3, 'UTC')} GROUP BY reason"""
_ERRORS = f"""SELECT tenant_id, direction, sync_id, toString(event_id) AS event, reason, error_codes, error_messages,
    error_reasons
FROM published_failures
WHERE attempt_id IN {{before:Array(UUID)}} AND occurred_at >= {{since:DateTime64(3, 'UTC')}} AND {_OF_CHUNK}"""

_COPY = f"""INSERT INTO published_failures (attempt_id, snapshot, {_TAKEN_OVER}, reason, error_reasons,
    catalogue_version)
SELECT {{attempt:UUID}}, {{number:UInt32}}, {_TAKEN_OVER},
    if(noted = 1, new_reason, reason), if(noted = 1, new_error_reasons, error_reasons),
    if(occurred_at >= {{since:DateTime64(3, 'UTC')}}, {{version:UInt16}}, catalogue_version)
FROM (
    SELECT {_TAKEN_OVER}, reason, error_reasons, catalogue_version FROM published_failures
    WHERE attempt_id IN {{before:Array(UUID)}} AND {_OF_CHUNK}
) AS rows
ANY LEFT JOIN (
    SELECT {_KEY}, reason AS new_reason, error_reasons AS new_error_reasons, 1 AS noted FROM reclassified
    WHERE attempt_id = {{attempt:UUID}} AND week = {{week:Date}} AND chunk = {{chunk:UInt32}}
) AS notes USING ({_KEY})"""


def _newest(table: str, columns: str, key: str, attempts: str) -> str:
    """Of each sync or day the version that readers see."""
    return f"""SELECT {columns} FROM {table} WHERE attempt_id IN {{{attempts}:Array(UUID)}}
    ORDER BY {key}, snapshot DESC LIMIT 1 BY {key}"""


def _carry(table: str, columns: str, key: str) -> str:
    newest = _newest(table, columns, key, "before")
    return f"""INSERT INTO {table} (attempt_id, snapshot, {columns})
SELECT {{attempt:UUID}}, {{number:UInt32}}, * FROM ({newest})"""


_SYNC_KEY, _DAY_KEY = "tenant_id, direction, sync_id", "tenant_id, direction, day"
_SYNCS = _carry("published_syncs", _SYNC_COLUMNS, _SYNC_KEY)
_DAYS = _carry("published_days", _DAY_COLUMNS, _DAY_KEY)

# Equal if and only if the same rows stand on both sides, each as often. Of the weeks that a snapshot shows: what is
# older may expire while it is copied.
_SAME = "count() AS rows, sum(cityHash64(toString({what}))) AS hash"
_FAILURES_THERE = f"""SELECT {_SAME.format(what=f"({_KEY}, occurred_at, kafka_partition, kafka_offset)")}
FROM published_failures WHERE attempt_id IN {{attempts:Array(UUID)}} AND toMonday(occurred_at) >= {{shown:Date}}"""
_SYNCS_THERE = f"""SELECT {_SAME.format(what=f"({_SYNC_COLUMNS})")}
FROM ({_newest("published_syncs", _SYNC_COLUMNS, _SYNC_KEY, "attempts")}) WHERE toMonday(last_at) >= {{shown:Date}}"""
_DAYS_THERE = f"""SELECT {_SAME.format(what=f"({_DAY_COLUMNS})")}
FROM ({_newest("published_days", _DAY_COLUMNS, _DAY_KEY, "attempts")}) WHERE toMonday(day) >= {{shown:Date}}"""


class Chunk(NamedTuple):
    """A slice of a week's failures: number `chunk` of `chunks`. `anew`: whether any of it is to be classified."""

    week: dt.date
    chunk: int
    chunks: int
    rows: int
    anew: bool


@dataclass(frozen=True)
class Reclassification:
    """One try to publish what `before` shows under the reasons of catalogue `version`, as the next snapshot.

    Failures that occurred before `since` keep their reasons. Nothing of it is read before the pointer names `attempt`.
    """

    database: Database
    attempt: str
    before: Pointer
    since: dt.datetime
    version: int

    @property
    def number(self) -> int:
        return self.before.number + 1

    def chunks(self) -> list[Chunk]:
        """All that is published, in pieces."""
        found = []
        for row in self.database.rows(_WEEKS, **self._parameters):
            pieces = -(-row["rows"] // CHUNK_ROWS)
            found += [Chunk(row["week"], i, pieces, row["rows"] // pieces, row["anew"] > 0) for i in range(pieces)]
        return found

    def left_alone(self) -> dict[str, int]:
        """Counts by reason of the failures before `since`."""
        return {row["reason"]: row["records"] for row in self.database.rows(_LEFT_ALONE, **self._parameters)}

    def errors(self, chunk: Chunk) -> Iterator[Sequence[tuple[Any, ...]]]:
        """What of a chunk is to be classified, block by block. A row is tenant, direction, sync and event, its reason,
        codes and messages of its errors, and the reason of each."""
        return self.database.stream(_ERRORS, {"max_block_size": _BLOCK_ROWS}, **self._of(chunk))

    def begin(self) -> None:
        """Note the attempt, so that `tidy` finds what it may leave behind."""
        self.database.command(
            "INSERT INTO publication_attempts (attempt_id, snapshot) SELECT {attempt:UUID}, {number:UInt32}",
            token=f"publication_attempts:{self.attempt}", **self._parameters,
        )  # fmt: skip

    def note(self, chunk: Chunk, found: Sequence[tuple[str, str, str, str, str, Sequence[str]]]) -> None:
        """Keep the failures of a chunk that have other reasons now: identity, reason, the reason of each error."""
        where = (self.attempt, chunk.week, chunk.chunk)
        columns = [[value] * len(found) for value in where] + [list(column) for column in zip(*found, strict=True)]
        self._writer.insert(RECLASSIFIED, columns, self._token("reclassified", chunk))

    def copy(self, chunk: Chunk) -> None:
        """Write a chunk's failures again under this attempt, with the reasons noted."""
        self.database.command(_COPY, token=self._token("published_failures", chunk), **self._of(chunk))

    def carry_over(self) -> None:
        """Write what people see of each sync and day again under this attempt."""
        for table, sql in (("published_syncs", _SYNCS), ("published_days", _DAYS)):
            self.database.command(sql, token=f"{table}:{self.attempt}", **self._parameters)

    def check(self) -> None:
        """TotalsDiffer unless the attempt consists of the same failures, syncs and days as what it replaces."""
        for what, sql in (("failures", _FAILURES_THERE), ("syncs", _SYNCS_THERE), ("days", _DAYS_THERE)):
            old, new = (
                self.database.rows(sql, **self._parameters, attempts=attempts)[0]
                for attempts in (self.before.attempts, [self.attempt])
            )
            if old != new:
                raise TotalsDiffer(
                    f"snapshot {self.number} is not published: {what} written again are not those of snapshot "
                    f"{self.before.number} ({new['rows']} rows, {old['rows']} before). Start again"
                )

    def point(self) -> Pointer | None:
        """Move the pointer to this attempt alone; None if another publisher took the number.

        All else is said as before: what is covered and how many is the same. StoreUnavailable: it is not known whether
        the pointer moved; who starts again sees it.
        """
        found = self.database.rows(
            "SELECT * FROM snapshots WHERE number = {number:UInt32} LIMIT 1", number=self.before.number
        )
        if not found:  # an erasure took the number, and no earlier pointer stays
            return None
        row = found[0] | {
            "number": self.number, "attempts": [self.attempt], "catalogue_version": self.version,
            "cut": self.before.cut, "next_at": self.before.next_at, "published_at": clock.now(),
        }  # fmt: skip
        self._writer.insert(SNAPSHOTS, [[row[name]] for name in SNAPSHOTS.names], f"snapshot:{self.number}")
        stands = latest(self.database)
        won = self.database.value(
            "SELECT has(attempts, {attempt:UUID}) FROM snapshots WHERE number = {number:UInt32} LIMIT 1",
            **self._parameters,
        )
        return stands if won else None

    def forget_notes(self) -> None:
        self.database.command("DELETE FROM reclassified WHERE attempt_id = {attempt:UUID}", **self._parameters)

    def _of(self, chunk: Chunk) -> dict[str, Any]:
        return self._parameters | {"week": chunk.week, "chunk": chunk.chunk, "chunks": chunk.chunks}

    def _token(self, table: str, chunk: Chunk) -> str:
        return f"{table}:{self.attempt}:{chunk.week}:{chunk.chunk}"

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self.database.settings)

    @cached_property
    def _parameters(self) -> dict[str, Any]:
        return {
            "attempt": self.attempt,
            "number": self.number,
            "before": self.before.attempts,
            "since": self.since,
            "version": self.version,
            "shown": clock.monday(clock.from_ms(self.before.since("26w"))).date(),
        }
