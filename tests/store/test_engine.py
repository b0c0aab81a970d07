"""Whatever decoding accepts ClickHouse takes, and gives back as it was: one row must never block a batch."""

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.event import MAX_ERROR_CODE, MAX_ERROR_FIELD, MAX_ERRORS, MAX_NAME, OPERATIONS, STATUSES
from schemas.rows import ALL, SYNC_RECORDS, TableColumns
from streams.clickhouse.native import native_block
from streams.clickhouse.writer import Writer
from streams.store.columns import Rows
from tests.store.records import Record, event, mark
from tests.store.stack import Stack

pytestmark = pytest.mark.stack

TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "\x00", "'", "\\", "\\N", "NULL", "\ufeff", "\ud7ff\U0010ffff", "\r\n\t"]
)
LONG = TEXT | st.integers(500, 9000).map(lambda size: "ü" * size)
IDENTITY = st.text(min_size=1, max_size=64)
ERROR = st.fixed_dictionaries({}, optional={"code": LONG | st.none(), "message": LONG | st.none(), "field": LONG})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EVENT = st.fixed_dictionaries(
    {"tenant_id": IDENTITY, "sync_id": IDENTITY, "module": IDENTITY, "record_id": st.text(min_size=1, max_size=128),
     "status": st.sampled_from(STATUSES), "operation": st.sampled_from(OPERATIONS)},
    optional={"record_name": LONG | st.none(), "target_id": LONG | st.none(), "attempt": st.integers(1, 65_535),
              "errors": st.none() | st.lists(ERROR, max_size=25),
              "payload": st.none() | st.dictionaries(TEXT, JSON, max_size=3)},
)  # fmt: skip
MARK = st.fixed_dictionaries({"sync_id": IDENTITY, "records_total": st.sampled_from([0, 1, 2**53, 2**63 - 1])})


def cut(text: str | None, most: int) -> str:
    return (text or "")[:most]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENT, min_size=1, max_size=30), st.lists(MARK, max_size=3), st.binary(max_size=20))
async def test_every_accepted_event_is_a_row_as_it_was_sent(
    stack: Stack, events: list[dict[str, Any]], marks: list[dict[str, Any]], broken: bytes
) -> None:
    values = [*(event(**e) for e in events), *(mark(**m) for m in marks), b"{" + broken]
    name = f"{time.monotonic_ns()}"
    rows = Rows(name, 0, native_block)
    rows.add([Record(value, offset) for offset, value in enumerate(values)])
    assert [message.offset for message, _ in rows.refused] == [len(values) - 1]
    writer = Writer(stack.settings)
    for insert in rows.inserts():
        writer.insert_blocks(insert.table, insert.blocks, f"{name}:{insert.table.table}:{insert.week}")
    writer.close()
    found = stack.database.rows(
        "SELECT * FROM sync_records WHERE kafka_topic = {name:String} ORDER BY kafka_offset", name=name
    )
    assert len(found) == len(events)
    for sent, row in zip(events, found, strict=True):
        assert [row[key] for key in ("tenant_id", "sync_id", "module", "record_id")] == [
            sent[key] for key in ("tenant_id", "sync_id", "module", "record_id")
        ]
        assert row["record_name"] == cut(sent.get("record_name"), MAX_NAME)
        errors = (sent.get("errors") or ([{}] if sent["status"] == "failed" else []))[:MAX_ERRORS]
        assert row["error_codes"] == [cut(error.get("code"), MAX_ERROR_CODE) for error in errors]
        assert row["error_fields"] == [cut(error.get("field"), MAX_ERROR_FIELD) for error in errors]
        assert len(row["error_reasons"]) == len(errors)
        if sent.get("payload") is not None and "payload" not in row["truncated"]:
            assert json.loads(row["payload"]) == json.loads(msgspec.json.encode(sent["payload"]))
    assert stack.database.value("SELECT count() FROM sync_marks WHERE kafka_topic = {name:String}", name=name) == len(
        marks
    )


@pytest.mark.parametrize("table", [t for t in ALL if t.table.startswith("sync_") or t.table == "dead_letters"])
async def test_the_columns_that_are_sent_are_the_tables_columns(stack: Stack, table: TableColumns) -> None:
    described = stack.database.rows(
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} "
        "AND default_kind = '' ORDER BY position",
        database=stack.settings.database, table=table.table,
    )  # fmt: skip
    assert [row["name"] for row in described] == list(table.names)


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_insert_of_many_blocks_is_one_part_and_sent_again_doubles_nothing(
    stack: Stack, compressed: bool
) -> None:
    rows = Rows("records", 0, native_block)
    for begin in range(0, 20_000, 400):
        rows.add([Record(event(), offset) for offset in range(begin, begin + 400)])
    writer = Writer(stack.settings.model_copy(update={"compress_inserts": compressed}))
    for _ in range(3):
        for insert in rows.inserts():
            writer.insert_blocks(insert.table, insert.blocks, "the same token")
    writer.close()
    assert stack.database.value(f"SELECT count() FROM {SYNC_RECORDS.table}") == 20_000
    parts = "SELECT count() FROM system.parts WHERE database = {database:String} AND table = {table:String}"
    assert stack.database.value(parts, database=stack.settings.database, table=SYNC_RECORDS.table) == 1
