"""A refusal names its code and field, and never quotes the message: details reach headers and logs."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.decode import decode
from schemas.refusal import Code, Refusal
from tests.schemas.examples import noon, valid

EVENT: dict[str, Any] = json.loads(next(example for example in valid() if example.name == "success.json").value)


def refusal_of(value: bytes) -> Refusal:
    ((_, refusal),) = decode([SimpleNamespace(value=value, offset=0, timestamp=noon())]).refused
    return refusal


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"status": "secret-4711"}, Code.UNKNOWN_VALUE, "status"),
        ({"operation": "secret-4711"}, Code.UNKNOWN_VALUE, "operation"),
        ({"direction": "secret-4711"}, Code.UNKNOWN_VALUE, "direction"),
        ({"type": "secret-4711"}, Code.UNKNOWN_VALUE, "type"),
        ({"event_id": "secret-4711"}, Code.INVALID_ID, "event_id"),
        ({"tenant_id": "secret-4711" * 9}, Code.LENGTH_OUT_OF_RANGE, "tenant_id"),
        ({"record_id": ""}, Code.LENGTH_OUT_OF_RANGE, "record_id"),
        ({"attempt": 70_000}, Code.NUMBER_OUT_OF_RANGE, "attempt"),
        ({"attempt": 10**40}, Code.NUMBER_OUT_OF_RANGE, "attempt"),
        ({"attempt": 1.5}, Code.WRONG_TYPE, "attempt"),
        ({"occurred_at": "secret-4711"}, Code.INVALID_TIME, "occurred_at"),
        ({"occurred_at": 1795512000}, Code.WRONG_TYPE, "occurred_at"),
        ({"occurred_at": "1999-01-01T00:00:00Z"}, Code.TIME_OUT_OF_RANGE, "occurred_at"),
        ({"payload": "secret-4711"}, Code.WRONG_TYPE, "payload"),
        ({"errors": [{"message": 4711}]}, Code.WRONG_TYPE, "errors[0].message"),
        ({"errors": [{}, "secret-4711"]}, Code.WRONG_TYPE, "errors[1]"),
    ],
)
def test_it_names_the_code_and_the_field_and_quotes_nothing(changed: dict[str, Any], code: Code, field: str) -> None:
    refusal = refusal_of(json.dumps(EVENT | changed).encode())
    assert (refusal.code, refusal.field) == (code, field)
    assert "4711" not in str(refusal)


@pytest.mark.parametrize(
    "field", [name for name in EVENT if name not in ("type", "record_name", "target_id", "attempt")]
)
def test_a_missing_required_field_is_named(field: str) -> None:
    refusal = refusal_of(json.dumps({name: EVENT[name] for name in EVENT if name != field}).encode())
    assert refusal == Refusal(Code.MISSING_FIELD, field, "required and not there")


def test_its_text_is_one_line_of_code_field_and_detail() -> None:
    assert str(Refusal(Code.WRONG_TYPE, "attempt", "Expected `int`")) == "wrong_type: attempt: Expected `int`"
    assert str(Refusal(Code.INVALID_JSON, "", "Input data was truncated")) == "invalid_json: Input data was truncated"
