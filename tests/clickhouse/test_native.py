"""Blocks of the Native format: the client's own bytes mean the same, and the engine gives back what went in."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.rows import TableColumns
from streams.clickhouse.client import Database
from streams.clickhouse.native import native_block
from streams.clickhouse.writer import Writer
from streams.errors import StoreRefused

TABLE = TableColumns(
    "every_kind",
    ("number", "text", "word", "texts", "words", "moment", "small"),
    ("UInt64", "String", "LowCardinality(String)", "Array(String)", "Array(LowCardinality(String))",
     "DateTime64(3, 'UTC')", "UInt16"),
)  # fmt: skip
WORD = st.sampled_from(["", "a", "b", "\x00", "ü"]) | st.text(max_size=5)
ROW = st.tuples(
    st.integers(0, 2**64 - 1), st.text(max_size=300), WORD, st.lists(st.text(max_size=5), max_size=3),
    st.lists(WORD, max_size=3), st.integers(0, 4_000_000_000_000), st.integers(0, 65_535),
)  # fmt: skip


@pytest.fixture
def kinds(tables: Database) -> Database:
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(TABLE.names, TABLE.types, strict=True))
    tables.command(f"CREATE TABLE every_kind (run UInt32 DEFAULT 0, place UInt32 DEFAULT 0, {columns}) ENGINE = Memory")
    return tables


@pytest.mark.stack
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(ROW, min_size=1, max_size=20), min_size=1, max_size=4))
def test_the_engine_gives_back_the_rows_of_all_blocks(kinds: Database, blocks: list[list[tuple[Any, ...]]]) -> None:
    kinds.command("TRUNCATE TABLE every_kind")
    writer = Writer(kinds.settings)
    writer.insert_blocks(
        TABLE, [native_block(TABLE, [list(column) for column in zip(*rows, strict=True)]) for rows in blocks], ""
    )
    writer.close()
    wanted = sorted(row for rows in blocks for row in rows)
    found = kinds.rows("SELECT number, text, word, texts, words, toUnixTimestamp64Milli(moment), small FROM every_kind")
    assert sorted(tuple(row.values()) for row in found) == wanted


@pytest.mark.stack
@pytest.mark.parametrize("different", [1, 255, 256, 257, 65_536, 65_537])
def test_a_dictionary_may_have_any_size(kinds: Database, different: int) -> None:
    table = TableColumns("every_kind", ("word", "words"), (TABLE.types[2], TABLE.types[4]))
    words = [f"word {number}" for number in range(different)]
    writer = Writer(kinds.settings)
    writer.insert_blocks(table, [native_block(table, [words, [[word, "same"] for word in words]])], "")
    writer.close()
    assert kinds.rows("SELECT uniqExact(word) AS w, uniqExactArray(words) AS a, count() AS n FROM every_kind") == [
        {"w": different, "a": different + 1, "n": different}
    ]


@pytest.mark.parametrize("value", [None, -1, 2**16, "many of Acme", 1.5])
def test_a_value_that_does_not_fit_is_refused_without_being_quoted(value: object) -> None:
    table = TableColumns("t", ("attempt",), ("UInt16",))
    with pytest.raises(StoreRefused, match="does not fit a column of t") as raised:
        native_block(table, [[1, value]])
    assert "Acme" not in str(raised.value)
    assert raised.value.__suppress_context__
