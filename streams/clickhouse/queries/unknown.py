"""Reads the errors that were not recognised: all of them for an operator, those of one snapshot for its page.

The reason of a failure is the published one where it is published, else the one of its row (`semantics`: reclassifying
changes only what is published). Everything is streamed, so a million failures need no more memory than a thousand.
"""

import heapq
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from streams.clickhouse.client import Database
from streams.clickhouse.queries import published
from streams.clickhouse.queries.published import Failures

_UNCLASSIFIED = "'unclassified'"
_EVENT = "tenant_id, direction, sync_id, event_id, toMonday(occurred_at)"
_OF_ASKED = "occurred_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND ({tenant:String} IN ('', tenant_id))"
_BELOW_CUT = "(kafka_topic = {topic:String} AND kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition])"
_UNKNOWN = f"(reason = {_UNCLASSIFIED} OR has(error_reasons, {_UNCLASSIFIED}))"
_PUBLISHED = f"FROM published_failures WHERE attempt_id IN {{attempts:Array(UUID)}} AND {_OF_ASKED}"
_BEYOND = f"FROM sync_records WHERE NOT {_BELOW_CUT} AND {_OF_ASKED}"
_BEYOND_FAILED = f"{_BEYOND} AND status = 'failed'"
# What no snapshot shows yet: the first arrival of each event, unless a snapshot has a copy of it that came before.
_FRESH = f"""FROM (
    SELECT tenant_id, direction, sync_id, event_id, status, reason, error_codes, error_messages, error_reasons,
        occurred_at
    {_BEYOND}
    ORDER BY {_EVENT}, arrival DESC LIMIT 1 BY {_EVENT}
) WHERE status = 'failed' AND ({_EVENT}) NOT IN (
    SELECT {_EVENT} FROM sync_records
    WHERE {_BELOW_CUT} AND (tenant_id, direction, sync_id) IN (SELECT tenant_id, direction, sync_id {_BEYOND_FAILED})
        AND event_id IN (SELECT event_id {_BEYOND_FAILED})
    UNION ALL
    SELECT {_EVENT} {_PUBLISHED} AND event_id IN (SELECT event_id {_BEYOND_FAILED}))"""
_COLUMNS = f"""tenant_id, direction, sync_id, toUnixTimestamp64Milli(occurred_at) AS occurred_ms,
    arrayFilter((code, r) -> r = {_UNCLASSIFIED}, error_codes, error_reasons) AS codes,
    arrayFilter((message, r) -> r = {_UNCLASSIFIED}, error_messages, error_reasons) AS messages"""
_ORDER = "ORDER BY tenant_id, direction, sync_id"
_COUNTS = f"SELECT count() AS failed, countIf({_UNKNOWN}) AS unknown, countIf(reason = {_UNCLASSIFIED}) AS unclassified"
# Two streams are read in step, so one may wait for as long as the other takes.
_STREAM = {"max_block_size": 2_000, "http_send_timeout": 3_600}


class Unknown(NamedTuple):
    """A failed record's errors that were not recognised, as (code, message) in their order; never none."""

    tenant: str
    direction: str
    sync_id: str
    occurred_ms: int
    errors: tuple[tuple[str, str], ...]

    @property
    def place(self) -> tuple[str, str, str]:
        return self.tenant, self.direction, self.sync_id


class Counts(NamedTuple):
    """How many records failed, how many have an error that was not recognised, how many count as unclassified."""

    failed: int
    unknown: int
    unclassified: int


class History:
    """The failures that occurred at or after `since` (ms), of one tenant or of all (''), as they are now."""

    def __init__(self, database: Database, since: int, tenant: str = "") -> None:
        self._database = database
        pointer = published.latest(database)
        self._parameters: dict[str, Any] = {
            "since": since,
            "tenant": tenant,
            "attempts": pointer.attempts if pointer else [],
            "topic": pointer.topic if pointer else "",
            "cuts": pointer.cuts if pointer else {},
        }

    def counts(self) -> Counts:
        rows = [self._database.rows(f"{_COUNTS} {place}", **self._parameters)[0] for place in (_PUBLISHED, _FRESH)]
        return Counts(*(sum(row[name] for row in rows) for name in Counts._fields))

    def stream(self) -> Iterator[Unknown]:
        """Every record with unrecognised errors, in the order of tenant, direction and sync."""
        with closing(self._rows(_PUBLISHED)) as first, closing(self._rows(_FRESH)) as second:
            yield from heapq.merge(first, second, key=lambda record: record.place)

    def _rows(self, place: str) -> Generator[Unknown, None, None]:
        sql = f"SELECT {_COLUMNS} {place} AND {_UNKNOWN} {_ORDER}"
        for block in self._database.stream(sql, _STREAM, **self._parameters):
            for tenant, direction, sync_id, occurred_ms, codes, messages in block:
                errors = tuple(zip(codes, messages, strict=True)) or (("", ""),)
                yield Unknown(tenant, direction, sync_id, occurred_ms, errors)


def first_errors(database: Database, failures: Failures, most: int) -> Iterator[Sequence[tuple[Any, ...]]]:
    """(code, message, records, first_ms, last_ms) of the first errors of `failures`, in blocks.

    At most `most` different texts, the most frequent first; the same ones for as long as the snapshot stands.
    """
    return database.stream(
        "SELECT error_codes[1] AS code, error_messages[1] AS message, count() AS records, "
        "toUnixTimestamp64Milli(min(occurred_at)) AS first_ms, toUnixTimestamp64Milli(max(occurred_at)) AS last_ms "
        f"FROM published_failures {failures.where} GROUP BY code, message "
        "ORDER BY records DESC, code, message LIMIT {most:UInt32}",
        {"max_block_size": 2_000},
        **failures.parameters,
        most=most,
    )
