"""The examples do what their names say, and the JSON Schema says the same as the code."""

import json
from types import SimpleNamespace

import jsonschema  # type: ignore[import-untyped]
import pytest

from schemas import json_schema
from schemas.decode import Decoded, decode
from schemas.refusal import Code
from tests.schemas.examples import Example, invalid, noon, valid

# What a schema can't say: bytes, sizes, depths, times beside the message's arrival; and a date-time's form, which
# validators check only if they choose to.
BEYOND_A_SCHEMA = {
    Code.EMPTY_VALUE, Code.TOO_LARGE, Code.INVALID_UTF8, Code.INVALID_JSON, Code.TOO_DEEP, Code.TIME_OUT_OF_RANGE,
    Code.INVALID_TIME,
}  # fmt: skip


def _decoded(example: Example) -> Decoded:
    return decode([SimpleNamespace(value=example.value, offset=7, timestamp=noon())])


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        json.loads(json_schema.FILE.read_text()), format_checker=jsonschema.FormatChecker()
    )


@pytest.mark.parametrize("example", valid(), ids=lambda example: example.name)
def test_a_valid_example_is_accepted_by_code_and_schema(example: Example) -> None:
    decoded = _decoded(example)
    assert decoded.refused == []
    assert len(decoded.events) + len(decoded.marks) == 1
    _validator().validate(json.loads(example.value))


@pytest.mark.parametrize("example", invalid(), ids=lambda example: example.name)
def test_an_invalid_example_is_refused_with_the_code_it_is_named_after(example: Example) -> None:
    decoded = _decoded(example)
    assert [refusal.code for _, refusal in decoded.refused] == [example.code]
    assert decoded.events == []
    assert decoded.marks == []


@pytest.mark.parametrize(
    "example", [e for e in invalid() if Code(e.code) not in BEYOND_A_SCHEMA], ids=lambda example: example.name
)
def test_the_schema_refuses_what_the_code_refuses(example: Example) -> None:
    assert not _validator().is_valid(json.loads(example.value))


def test_every_dead_letter_code_has_an_example() -> None:
    assert {example.code for example in invalid()} == {code.value for code in Code}


def test_the_schema_file_is_what_the_code_says() -> None:
    assert json_schema.FILE.read_text() == json_schema.text(), "run `python -m schemas.json_schema`"


def test_the_schema_itself_is_sound() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema.event_schema())
