"""The tables that workers write over HTTP: their columns in order, with the types that the client sends.

A sent type may be simpler than the stored one where that is cheaper to build and ClickHouse converts it: a UUID as
text. Tests compare the lists with the migrations.
"""

from typing import NamedTuple

DEDUP_WINDOW = 100_000
"""Blocks a table remembers tokens of. `check` compares; a retry later than that many blocks could double a row."""
ARRIVAL_COLUMNS = (
    ("received_at", "DateTime64(3, 'UTC')"),
    ("kafka_topic", "LowCardinality(String)"),
    ("kafka_partition", "UInt16"),
    ("kafka_offset", "UInt64"),
)


class TableColumns(NamedTuple):
    """What an insert names: the table, its columns and the types sent, in one order."""

    table: str
    names: tuple[str, ...]
    types: tuple[str, ...]


def _columns(table: str, *columns: tuple[str, str]) -> TableColumns:
    return TableColumns(table, tuple(name for name, _ in columns), tuple(kind for _, kind in columns))


SYNC_RECORDS = _columns(
    "sync_records",
    ("event_id", "String"),
    ("tenant_id", "LowCardinality(String)"),
    ("direction", "LowCardinality(String)"),
    ("sync_id", "String"),
    ("module", "LowCardinality(String)"),
    ("record_id", "String"),
    ("record_name", "String"),
    ("target_id", "String"),
    ("operation", "LowCardinality(String)"),
    ("status", "LowCardinality(String)"),
    ("reason", "LowCardinality(String)"),
    ("error_codes", "Array(LowCardinality(String))"),
    ("error_messages", "Array(String)"),
    ("error_fields", "Array(LowCardinality(String))"),
    ("error_reasons", "Array(LowCardinality(String))"),
    ("catalogue_version", "UInt16"),
    ("occurred_at", "DateTime64(3, 'UTC')"),
    ("attempt", "UInt16"),
    ("payload", "String"),
    ("truncated", "Array(LowCardinality(String))"),
    *ARRIVAL_COLUMNS,
)
SYNC_MARKS = _columns(
    "sync_marks",
    ("event_id", "String"),
    ("tenant_id", "LowCardinality(String)"),
    ("direction", "LowCardinality(String)"),
    ("sync_id", "String"),
    ("type", "LowCardinality(String)"),
    ("records_total", "UInt64"),
    ("occurred_at", "DateTime64(3, 'UTC')"),
    *ARRIVAL_COLUMNS,
)
DEAD_LETTERS = _columns(
    "dead_letters",
    ("tenant_id", "LowCardinality(String)"),
    ("code", "LowCardinality(String)"),
    ("field", "String"),
    *ARRIVAL_COLUMNS,
)
LIVE_COUNTS = _columns(
    "live_counts",
    ("window_start", "DateTime('UTC')"),
    ("kafka_topic", "LowCardinality(String)"),
    ("kafka_partition", "UInt16"),
    ("tenant_id", "LowCardinality(String)"),
    ("direction", "LowCardinality(String)"),
    ("sync_id", "String"),
    ("status", "LowCardinality(String)"),
    ("reason", "LowCardinality(String)"),
    ("records", "UInt64"),
    ("position", "UInt64"),
)
LIVE_POSITIONS = _columns(
    "live_positions",
    ("kafka_topic", "LowCardinality(String)"),
    ("kafka_partition", "UInt16"),
    ("position", "UInt64"),
    ("updated_at", "DateTime64(3, 'UTC')"),
)
SNAPSHOTS = _columns(
    "snapshots",
    ("number", "UInt32"),
    ("week", "LowCardinality(String)"),
    ("attempts", "Array(UUID)"),
    ("cut", "DateTime64(3, 'UTC')"),
    ("kafka_topic", "LowCardinality(String)"),
    ("cuts", "Map(UInt16, UInt64)"),
    ("published_at", "DateTime64(3, 'UTC')"),
    ("next_at", "DateTime64(3, 'UTC')"),
    ("syncs", "UInt64"),
    ("succeeded", "UInt64"),
    ("failed", "UInt64"),
    ("skipped", "UInt64"),
    ("reconciliation", "LowCardinality(String)"),
    ("difference", "UInt64"),
    ("catalogue_version", "UInt16"),
)
RECLASSIFIED = _columns(
    "reclassified",
    ("attempt_id", "UUID"),
    ("week", "Date"),
    ("chunk", "UInt16"),
    ("tenant_id", "LowCardinality(String)"),
    ("direction", "LowCardinality(String)"),
    ("sync_id", "String"),
    ("event_id", "String"),
    ("reason", "LowCardinality(String)"),
    ("error_reasons", "Array(LowCardinality(String))"),
)
PUBLISHED = ("published_failures", "published_syncs", "published_days")
"""Tables that the publisher fills by INSERT SELECT, inside of ClickHouse."""
ALL = (SYNC_RECORDS, SYNC_MARKS, DEAD_LETTERS, LIVE_COUNTS, LIVE_POSITIONS, SNAPSHOTS, RECLASSIFIED)
