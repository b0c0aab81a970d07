"""Decoding: the same bytes get the same verdict anywhere, and what is accepted fits every table."""

import datetime as dt
import json
import sys
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decode import Decoded, decode
from schemas.event import AHEAD_MS, HISTORY_MS, MAX_DEPTH, MAX_MESSAGE
from schemas.refusal import Code
from tests.schemas.examples import invalid, noon, valid

NOON = noon()


def message(value: bytes | None, offset: int = 0, timestamp: int = NOON) -> SimpleNamespace:
    return SimpleNamespace(value=value, offset=offset, timestamp=timestamp)


def event(**changed: Any) -> bytes:
    plain = {
        "event_id": "00000000-0000-4000-8000-000000000001", "tenant_id": "acme", "sync_id": "S", "module": "items",
        "direction": "books_to_fsm", "record_id": "7", "operation": "create", "status": "success",
        "occurred_at": "2026-11-23T12:00:00.000Z",
    }  # fmt: skip
    return json.dumps(plain | changed).encode()


def codes(decoded: Decoded) -> list[Code]:
    return [refusal.code for _, refusal in decoded.refused]


def test_columns_are_in_the_order_of_the_messages_and_refused_are_apart() -> None:
    values = [event(record_id=str(n)) if n % 3 else b"broken" for n in range(10)]
    decoded = decode([message(value, offset=100 + n, timestamp=NOON + n) for n, value in enumerate(values)])
    assert [e.record_id for e in decoded.events] == ["1", "2", "4", "5", "7", "8"]
    assert decoded.offsets == [101, 102, 104, 105, 107, 108]
    assert decoded.received == [NOON + n for n in (1, 2, 4, 5, 7, 8)]
    assert [refused.offset for refused, _ in decoded.refused] == [100, 103, 106, 109]


def test_refused_are_in_order_of_offsets_whatever_refused_them() -> None:
    values = [event(event_id="x" * 36), b"{", event(direction="x"), b"", event()]
    decoded = decode([message(value, offset=n) for n, value in enumerate(values)])
    assert [refused.offset for refused, _ in decoded.refused] == [0, 1, 2, 3]
    assert codes(decoded) == [Code.INVALID_ID, Code.INVALID_JSON, Code.UNKNOWN_VALUE, Code.EMPTY_VALUE]
    assert decoded.offsets == [4]


def test_marks_stand_among_records_without_disturbing_them() -> None:
    mark = {"event_id": str(uuid.UUID(int=5)), "tenant_id": "acme", "sync_id": "S", "direction": "books_to_fsm",
            "occurred_at": "2026-11-23T12:00:00.000Z", "type": "sync_finished", "records_total": 3}  # fmt: skip
    decoded = decode([message(event(), 0), message(json.dumps(mark).encode(), 1), message(event(), 2)])
    assert decoded.offsets == [0, 2]
    assert [(m.offset, m.event.records_total, m.occurred, m.received) for m in decoded.marks] == [(1, 3, NOON, NOON)]


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-11-23T12:00:00Z", 0),
        ("2026-11-23T12:00:00.001Z", 1),
        ("2026-11-23T12:00:00.0019Z", 1),
        ("2026-11-23T12:00:00.999999Z", 999),
        ("2026-11-23T17:30:00.250+05:30", 250),
    ],
)
def test_times_are_whole_milliseconds_rounded_down(text: str, milliseconds: int) -> None:
    assert decode([message(event(occurred_at=text))]).occurred == [NOON + milliseconds]


@given(st.integers(NOON - HISTORY_MS, NOON + AHEAD_MS))
def test_every_millisecond_survives(moment: int) -> None:
    text = (dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=moment)).isoformat(timespec="milliseconds") + "Z"
    assert decode([message(event(occurred_at=text))]).occurred == [moment]


@pytest.mark.parametrize(
    ("arrived", "accepted"),
    [(NOON + HISTORY_MS, True), (NOON + HISTORY_MS + 1, False), (NOON - AHEAD_MS, True), (NOON - AHEAD_MS - 1, False)],
)
def test_time_is_judged_by_the_arrival_to_the_millisecond(arrived: int, accepted: bool) -> None:
    decoded = decode([message(event(), timestamp=arrived)])
    assert codes(decoded) == ([] if accepted else [Code.TIME_OUT_OF_RANGE])


def test_a_value_of_one_mebibyte_is_accepted_and_one_byte_more_is_not() -> None:
    padded = event().ljust(MAX_MESSAGE)
    assert codes(decode([message(padded)])) == []
    assert codes(decode([message(padded + b" ")])) == [Code.TOO_LARGE]


@pytest.mark.parametrize(("levels", "accepted"), [(MAX_DEPTH - 1, True), (MAX_DEPTH, False)])
def test_depth_is_judged_to_the_level(levels: int, accepted: bool) -> None:
    # Brackets inside of a text are no levels.
    nested = b'{"text": "[[[[\\"[[{{", "x": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    value = event(payload="@").replace(b'"@"', nested)
    assert codes(decode([message(value)])) == ([] if accepted else [Code.TOO_DEEP])


def _deeper(frames: int, call: Callable[[], Any]) -> Any:
    return call() if frames == 0 else _deeper(frames - 1, call)


@pytest.mark.parametrize("example", [*valid(), *invalid()], ids=lambda example: example.name)
def test_a_verdict_does_not_depend_on_the_depth_of_the_stack(example: Any) -> None:
    def verdict() -> tuple[list[Code], list[str]]:
        decoded = decode([message(example.value)])
        return codes(decoded), [str(refusal) for _, refusal in decoded.refused]

    room = sys.getrecursionlimit() - MAX_DEPTH - 200
    assert _deeper(room, verdict) == verdict()


@pytest.mark.parametrize("size", [10, 300, 999, 1500])
def test_brackets_that_never_close_get_one_verdict_at_any_depth_of_the_stack(size: int) -> None:
    value = b'{"payload":' + b"[" * size
    verdicts = {codes(_deeper(frames, lambda: decode([message(value)])))[0] for frames in (0, 100, 250)}
    assert verdicts == {Code.INVALID_JSON if size < MAX_DEPTH else Code.TOO_DEEP}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_nothing_raises_and_every_message_is_in_exactly_one_place(values: list[bytes]) -> None:
    decoded = decode([message(value, offset) for offset, value in enumerate(values)])
    places = [*decoded.offsets, *(m.offset for m in decoded.marks), *(m.offset for m, _ in decoded.refused)]
    assert sorted(places) == list(range(len(values)))


FIELDS = st.sampled_from(sorted(json.loads(event(type="record", errors=[], payload={}, attempt=1, records_total=1))))


@settings(max_examples=300, deadline=None)
@given(FIELDS, JSON)
def test_one_wrong_field_among_good_neighbours_changes_nothing_for_them(field: str, value: Any) -> None:
    middle = event(**{field: value})
    alone = decode([message(middle, 1)])
    together = decode([message(event(), 0), message(middle, 1), message(event(), 2)])
    assert codes(alone) == codes(together)
    assert {0, 2} <= set(together.offsets)


@given(st.text("0123456789abcdefABCDEF-gG \u0660", min_size=36, max_size=36))
def test_uuids_are_judged_alike_alone_and_together(text: str) -> None:
    try:
        accepted = str(uuid.UUID(text)) == text.lower() and text.isascii()
    except ValueError:
        accepted = False
    assert codes(decode([message(event(event_id=text))])) == ([] if accepted else [Code.INVALID_ID])
    both = decode([message(event(), 0), message(event(event_id=text), 1)])
    assert codes(both) == ([] if accepted else [Code.INVALID_ID])
