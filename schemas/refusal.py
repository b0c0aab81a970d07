"""Why a message can't be an event: the closed list of dead-letter codes, and the field and text that go with one.

`explain` is called for refused messages only, so it may be slow: it reads msgspec's own words. The codes are labels
of a metric and stand in the headers of dead letters; one is never renamed.
"""

import re
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Code(StrEnum):
    """The codes of dead letters, each with the bytes that earn it shown in `examples/invalid`."""

    EMPTY_VALUE = "empty_value"
    TOO_LARGE = "too_large"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    UNKNOWN_VALUE = "unknown_value"
    INVALID_ID = "invalid_id"
    LENGTH_OUT_OF_RANGE = "length_out_of_range"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    INVALID_TIME = "invalid_time"
    TIME_OUT_OF_RANGE = "time_out_of_range"


class Refusal(NamedTuple):
    """A code, the field at fault ('' for the whole message), and a sentence without any text of the message."""

    code: Code
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.field + ': ' if self.field else ''}{self.detail}"


_AT = re.compile(r" - at `\$\.?([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")
# In msgspec's words, which the examples of every code pin; the first that fits wins.
_WORDS = (
    ("Invalid enum value", Code.UNKNOWN_VALUE),
    ("RFC3339", Code.INVALID_TIME),
    ("timezone", Code.INVALID_TIME),
    ("of length", Code.LENGTH_OUT_OF_RANGE),
    ("`int` >=", Code.NUMBER_OUT_OF_RANGE),
    ("`int` <=", Code.NUMBER_OUT_OF_RANGE),
    ("Integer value out of range", Code.NUMBER_OUT_OF_RANGE),
    ("Number out of range", Code.NUMBER_OUT_OF_RANGE),
)


def explain(error: Exception) -> Refusal:
    """The refusal for what msgspec raised about a message."""
    if isinstance(error, UnicodeDecodeError):
        return Refusal(Code.INVALID_UTF8, "", f"{error.reason} at byte {error.start}")
    if isinstance(error, RecursionError):
        return Refusal(Code.TOO_DEEP, "", "nested too deep")
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Refusal(Code.INVALID_JSON, "", text)
    place = _AT.search(text)
    field = place[1] if place else ""
    if missing := _MISSING.search(text):
        return Refusal(Code.MISSING_FIELD, f"{field}.{missing[1]}" if field else missing[1], "required and not there")
    code = next((code for words, code in _WORDS if words in text), Code.WRONG_TYPE)
    # The value itself stays out: details reach logs and headers, and a value may be somebody's data.
    detail = "not one of the allowed values" if code is Code.UNKNOWN_VALUE else _AT.sub("", text)
    if field == "event_id" and code is Code.LENGTH_OUT_OF_RANGE:
        return Refusal(Code.INVALID_ID, field, "not a UUID")
    return Refusal(code, field, detail)
