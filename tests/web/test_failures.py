"""A failed record as a line of CSV: its columns, and cells that are safe to open."""

import csv
import io
from typing import Any

import pytest

from streams.web.failures import COLUMNS, as_csv, flat, safe


def failure(**changed: Any) -> tuple[Any, ...]:
    row: dict[str, Any] = {
        "event": "0e3c6f4e-0000-4000-8000-000000000001",
        "sync_id": "s-1",
        "module": "contacts",
        "record_id": "c-1",
        "record_name": "James Bilkin",
        "operation": "create",
        "occurred_ms": 1_795_392_000_123,
        "reason": "duplicate_record",
        "codes": ["E1", ""],
        "messages": ["first", "second"],
        "fields": ["Email", ""],
        "attempt": 2,
        "target_id": "",
        "truncated": ["payload", "record_name"],
        "payload": '{"Email":"james@noemail.com"}',
    }
    return tuple((row | changed).values())


def test_the_header_is_the_contract() -> None:
    begin = "event_id, sync_id, module, record_id, record_name, operation, occurred_at, reason, reason_title, "
    assert ", ".join(COLUMNS[:13]) == begin + "error_count, error_1_code, error_1_message, error_1_field"
    assert COLUMNS[-5:] == ("error_20_field", "attempt", "target_id", "truncated", "payload")
    assert len(COLUMNS) == 10 + 3 * 20 + 4 == len(set(COLUMNS))


def test_a_failure_fills_its_columns() -> None:
    row = dict(zip(COLUMNS, flat(failure()), strict=True))
    assert row["occurred_at"] == "2026-11-23T00:00:00.123Z"
    assert row["reason_title"] == "A matching record already exists"
    assert (row["error_count"], row["error_1_code"], row["error_2_message"], row["error_3_code"]) == (
        2,
        "E1",
        "second",
        "",
    )
    assert row["truncated"] == "payload;record_name"
    assert row["payload"] == '{"Email":"james@noemail.com"}'


def test_twenty_errors_fit_and_a_reason_of_another_catalogue_keeps_its_code() -> None:
    texts = [str(n) for n in range(20)]
    row = flat(failure(codes=texts, messages=texts, fields=texts, reason="long_gone"))
    assert dict(zip(COLUMNS, row, strict=True))["error_20_field"] == "19"
    assert dict(zip(COLUMNS, row, strict=True))["reason_title"] == "long_gone"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx", "-", "=", "-5x", "+cmd|' /C calc'!A0"]
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert safe(text) == "'" + text


@pytest.mark.parametrize("cell", ["-5", "+49", "-0.5", "-1,5", "12", "plain", "a=b", "", 0, 7, "'quoted"])
def test_plain_numbers_and_harmless_texts_stay(cell: object) -> None:
    assert safe(cell) == cell


def test_nul_becomes_the_replacement_character() -> None:
    assert safe("a\0b") == "a\ufffdb"


def test_lines_end_with_crlf_and_texts_survive() -> None:
    texts = ['a "quote", a comma', "two\r\nlines", "line\nfeed", "ünï 😀 \u202e", "", ";"]
    written = as_csv([texts, ["next"]])
    assert written.endswith(b"\r\nnext\r\n")
    assert list(csv.reader(io.StringIO(written.decode(), newline=""))) == [texts, ["next"]]


def test_a_broken_text_does_not_break_the_file() -> None:
    assert as_csv([["lone \ud800 surrogate"]]) == b"lone ? surrogate\r\n"
