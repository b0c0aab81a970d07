"""What is kept of an event's errors; that store and count take the same is tested in tests/count/test_tally.py."""

import msgspec
import pytest

from schemas.cut import kept_errors
from schemas.event import Error, RecordEvent
from tests.count.messages import NOON, event


def made(status: str, *errors: Error) -> RecordEvent:
    found = msgspec.json.decode(event(NOON, status), type=RecordEvent)
    found.errors = list(errors)
    return found


def test_short_errors_are_kept_as_they_are_and_nothing_is_named() -> None:
    errors, truncated = kept_errors(made("failed", Error("c", "m" * 8192, "f"), Error(None, None, None)))
    assert errors == [("c", "m" * 8192, "f"), ("", "", "")]
    assert not truncated


def test_only_a_failed_record_without_errors_has_an_empty_one() -> None:
    assert kept_errors(made("failed")) == ([("", "", "")], ())
    assert kept_errors(made("skipped")) == ([], ())


@pytest.mark.parametrize(
    ("error", "kept", "named"),
    [
        (Error(code="c" * 129), ("c" * 128, "", ""), ["errors.code"]),
        (Error(field="f" * 257), ("", "", "f" * 256), ["errors.field"]),
        (Error(message="m" * 8193), ("", "m" * 8192, ""), ["errors.message"]),
        (Error(message="m" + "ü" * 4096), ("", "m" + "ü" * 4095, ""), ["errors.message"]),
        (Error("c" * 129, "€" * 2731, "f" * 257), ("c" * 128, "€" * 2730, "f" * 256),
         ["errors.code", "errors.message", "errors.field"]),
    ],
)  # fmt: skip
def test_a_text_that_is_too_long_is_cut_at_a_character_and_named(
    error: Error, kept: tuple[str, str, str], named: list[str]
) -> None:
    assert kept_errors(made("failed", Error(), error)) == ([("", "", ""), kept], named)


def test_what_lies_behind_the_twentieth_error_is_not_named_by_its_texts() -> None:
    errors, truncated = kept_errors(made("failed", *[Error()] * 20, Error(code="c" * 500)))
    assert errors == [("", "", "")] * 20
    assert truncated == ["errors"]
