"""Columns: every field in its place, texts that are too long cut and named, weeks apart, and always the same."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import DAY_MS, WEEK_MS
from schemas.reasons import CATALOGUE
from schemas.rows import DEAD_LETTERS, SYNC_MARKS, SYNC_RECORDS, TableColumns
from streams.store.columns import BLOCK_ROWS, Rows, week_name, week_number
from tests.schemas.examples import invalid, valid
from tests.store.records import NOON, Record, event, mark


class Columns(NamedTuple):
    """An insert with its blocks joined."""

    table: TableColumns
    week: str
    columns: list[list[Any]]

    @property
    def rows(self) -> int:
        return len(self.columns[0])


def inserts(*values: bytes | None, size: int = 400) -> list[Columns]:
    rows = Rows("records", 3, lambda table, columns: [list(column) for column in columns])
    messages = [Record(value, offset) for offset, value in enumerate(values, 100)]
    for begin in range(0, len(messages), size):
        rows.add(messages[begin : begin + size])
    return [
        Columns(insert.table, week_name(insert.week), [sum(parts, []) for parts in zip(*insert.blocks, strict=True)])
        for insert in rows.inserts()
    ]


def row(**changed: Any) -> dict[str, Any]:
    """The only row of one event."""
    (insert,) = inserts(event(**changed))
    return {name: column[0] for name, column in zip(insert.table.names, insert.columns, strict=True)}


def test_every_field_stands_in_its_column() -> None:
    found = row(
        event_id="00000000-0000-4000-8000-0000000000aa", tenant_id="t", sync_id="s", direction="fsm_to_books",
        module="contacts", record_id="r", record_name="James Bilkin", target_id="x", operation="update",
        status="failed", attempt=2, occurred_at="2026-11-23T11:59:58.765Z", payload={"a": 1},
        errors=[{"code": "c", "message": "The following mandatory field(s) were left empty: Last Name", "field": "f"}],
    )  # fmt: skip
    assert found == {
        "event_id": "00000000-0000-4000-8000-0000000000aa", "tenant_id": "t", "direction": "fsm_to_books",
        "sync_id": "s", "module": "contacts", "record_id": "r", "record_name": "James Bilkin", "target_id": "x",
        "operation": "update", "status": "failed", "reason": found["error_reasons"][0], "error_codes": ["c"],
        "error_messages": ["The following mandatory field(s) were left empty: Last Name"], "error_fields": ["f"],
        "error_reasons": [found["reason"]], "catalogue_version": CATALOGUE.version, "occurred_at": NOON - 1235,
        "attempt": 2, "payload": b'{"a":1}', "truncated": [], "received_at": NOON, "kafka_topic": "records",
        "kafka_partition": 3, "kafka_offset": 100,
    }  # fmt: skip
    assert found["reason"] in CATALOGUE.by_code
    assert found["reason"] != "unclassified"


def test_a_mark_stands_in_its_table() -> None:
    (insert,) = inserts(mark(records_total=1250, sync_id="s"))
    assert insert.table is SYNC_MARKS
    found = {name: column[0] for name, column in zip(insert.table.names, insert.columns, strict=True)}
    assert (found["type"], found["records_total"], found["sync_id"]) == ("sync_finished", 1250, "s")
    assert (found["occurred_at"], found["received_at"], found["kafka_offset"]) == (NOON, NOON, 100)


def test_a_refused_message_has_a_row_with_tenant_code_and_field() -> None:
    (insert,) = inserts(event(tenant_id="acme", attempt=0))
    assert insert.table is DEAD_LETTERS
    found = [column[0] for column in insert.columns]
    assert found == ["acme", "number_out_of_range", "attempt", NOON, "records", 3, 100]


def test_absent_null_and_empty_texts_are_the_same_row() -> None:
    absent = row(event_id="0" * 8 + "-0000-4000-8000-" + "0" * 12)
    nulls: dict[str, Any] = {"record_name": None, "target_id": None, "payload": None, "errors": None}
    for value in [nulls, {"errors": list[str]()}]:
        assert row(event_id=absent["event_id"], **value) == absent
    assert absent["payload"] == b""


def test_a_failed_record_without_errors_has_one_empty_error() -> None:
    found = row(status="failed")
    assert (found["error_codes"], found["error_messages"], found["error_fields"]) == ([""], [""], [""])
    assert (found["reason"], found["error_reasons"]) == ("unclassified", ["unclassified"])


def test_a_record_counts_under_its_reason_that_stands_first_in_the_catalogue() -> None:
    texts = [
        "something that nobody has ever seen",
        "Contact with this email-id is already associated with this company",
        "The following mandatory field(s) were left empty: Last Name",
    ]
    found = row(status="failed", errors=[{"message": text} for text in texts])
    assert len(set(found["error_reasons"])) == 3
    assert found["reason"] == min(found["error_reasons"], key=CATALOGUE.rank)


def test_only_failures_have_reasons_but_every_error_is_kept() -> None:
    found = row(status="skipped", errors=[{"message": "Excluded by the filter"}, {"code": "X"}])
    assert (found["reason"], found["error_reasons"]) == ("", ["", ""])
    assert found["error_messages"] == ["Excluded by the filter", ""]


@pytest.mark.parametrize(
    ("sent", "column", "kept", "named"),
    [
        ({"record_name": "n" * 513}, "record_name", "n" * 512, ["record_name"]),
        ({"record_name": "ü" * 512}, "record_name", "ü" * 512, []),
        ({"target_id": "t" * 600}, "target_id", "t" * 512, ["target_id"]),
        ({"errors": [{"code": "c" * 129}]}, "error_codes", ["c" * 128], ["errors.code"]),
        ({"errors": [{"field": "f" * 257}, {}]}, "error_fields", ["f" * 256, ""], ["errors.field"]),
        ({"errors": [{"message": "m" * 8193}]}, "error_messages", ["m" * 8192], ["errors.message"]),
        ({"errors": [{"message": "m" * 8192}]}, "error_messages", ["m" * 8192], []),
        ({"errors": [{"message": "m" + "ü" * 4096}]}, "error_messages", ["m" + "ü" * 4095], ["errors.message"]),
        ({"errors": [{"code": str(n)} for n in range(21)]}, "error_codes", [str(n) for n in range(20)], ["errors"]),
        ({"payload": {"x": "y" * 32_760}}, "payload", b'{"x":"' + b"y" * 32_760 + b'"}', []),
        ({"payload": {"x": "y" * 32_761}}, "payload", b"", ["payload"]),
    ],
)
def test_text_that_is_too_long_is_cut_and_named(sent: dict[str, Any], column: str, kept: Any, named: list[str]) -> None:
    found = row(**sent)
    assert found[column] == kept
    assert found["truncated"] == named


def test_everything_too_long_at_once_leaves_the_neighbours_alone() -> None:
    long = next(example.value for example in valid() if example.name == "too_long_texts.json")
    (insert,) = inserts(event(record_name="before"), long, event(record_name="behind"))
    names, truncated = (insert.columns[insert.table.names.index(name)] for name in ("record_name", "truncated"))
    assert (names[0], names[2]) == ("before", "behind")
    assert truncated[0] == truncated[2] == []
    assert truncated[1] == [
        "record_name", "target_id", "errors", "errors.code", "errors.message", "errors.field", "payload",
    ]  # fmt: skip


def test_weeks_are_apart_at_monday_midnight_utc() -> None:
    days = ["2026-11-22T23:59:59.999Z", "2026-11-23T00:00:00.000Z", "2026-11-16T00:00:00Z", "2026-11-23T05:29:59+05:30"]
    found = inserts(*[event(occurred_at=day) for day in days])
    assert [(insert.week, insert.columns[-1]) for insert in found] == [
        ("2026-W47", [100, 102, 103]),
        ("2026-W48", [101]),
    ]


@given(st.integers(0, 4_000_000_000_000))
def test_a_week_is_named_as_in_iso_8601(ms: int) -> None:
    number = week_number(ms)
    begins = number * WEEK_MS - 3 * DAY_MS
    assert begins <= ms < begins + WEEK_MS
    assert week_name(number) == week_name(week_number(begins))
    assert week_name(number) != week_name(number + 1)


VALUES = [example.value for example in [*valid(), *invalid()] if len(example.value) < 100_000]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=40), st.integers(1, 40))
def test_a_run_becomes_the_same_rows_however_it_is_cut_into_parts(values: list[bytes], size: int) -> None:
    whole, parts = inserts(*values), inserts(*values, size=size)
    assert whole == parts
    assert sum(insert.rows for insert in whole) == len(values)


def test_every_insert_has_as_many_equal_columns_as_its_table() -> None:
    found = inserts(*VALUES)
    assert {insert.table for insert in found} == {SYNC_RECORDS, SYNC_MARKS, DEAD_LETTERS}
    for insert in found:
        assert len(insert.columns) == len(insert.table.names)
        assert {len(column) for column in insert.columns} == {insert.rows}


@pytest.mark.parametrize("number", [1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS])
def test_rows_are_encoded_as_soon_as_there_are_enough_and_all_of_them_at_the_end(number: int) -> None:
    encoded: list[int] = []
    rows = Rows("records", 3, lambda table, columns: encoded.append(len(columns[0])))
    for offset in range(number):
        rows.add([Record(event(), offset)])
    assert encoded == [BLOCK_ROWS] * (number // BLOCK_ROWS)
    (insert,) = rows.inserts()
    assert sum(encoded) == insert.rows == number
    assert len(insert.blocks) == len(encoded)
