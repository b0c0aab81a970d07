"""Unwrapping: the words inside JSON, a Python repr, XML or HTML come out; broken wrapping never raises."""

import json

import pytest

from streams.classify.unwrap import unwrap


@pytest.mark.parametrize(
    "wrapped",
    [
        '{"message": "the words"}',
        '[{"code": "X", "message": "the words"}]',
        'HTTP 400: {"error": {"message": "the words"}} end',
        json.dumps(json.dumps({"message": "the words"})),
        json.dumps({"message": json.dumps({"error": "the words"})}),
        "{'code': 'X', 'message': 'the words'}",
        '{"code": "X", "message": "the words',
        "<fault><faultstring>the words</faultstring></fault>",
        "<html><head><title>x</title></head><body><p>the words</p></body></html>",
        '"the words"',
    ],
)
def test_the_inner_words_come_out(wrapped: str) -> None:
    text = unwrap(wrapped)
    assert "the words" in text
    assert not set(text) & set('{}[]<>"')


def test_detail_keys_and_codes_speak_and_other_values_do_not() -> None:
    wrapped = '{"code":"INVALID_DATA","details":{"expected_data_type":"email"},"message":"no","name":"Required"}'
    text = unwrap(wrapped)
    assert "INVALID_DATA" in text and "expected_data_type: email" in text
    assert "Required" not in text


def test_escaped_words_of_a_truncated_message_come_out() -> None:
    assert "値" in unwrap('{"message": "\\u5024 is')


def test_a_plain_text_stays_as_it_is() -> None:
    assert unwrap("unknown field {Name} < 3") == "unknown field {Name} < 3"


@pytest.mark.parametrize(
    "hostile", ["{" * 8192, '{"a":' * 1600, "[" * 8192, "<" * 8192, "<a " * 2700, '\\"' * 4096, '{"\\ud800":1}']
)
def test_broken_wrapping_never_raises(hostile: str) -> None:
    assert isinstance(unwrap(hostile), str)
