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
        json.dumps({"code": "X", "message": "the words"})[:-2].replace(chr(34), chr(92) + chr(34)),
        "HTTP 400: b" + repr(json.dumps({"message": "the words"})),
        "{'errors': {'email': ['the words'",
        "{code=X, message=the words, fields=null}",
        '{"errors":{"title":["the words"]}}',
        '{"details":{"email":[{"description":"the words"}]}}',
        "<error><![CDATA[the words]]></error>",
        "<Fault 3: 'Denied: the words'>",
        "&lt;error&gt;the words&lt;/error&gt; <br>",
        '<Error code="7" message="the words"/>',
        "<html><body><p>the words</p><div cla",
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


def test_what_was_sent_does_not_speak() -> None:
    text = unwrap('{"message":"no","request":{"message":"Required"},"headers":{"error":"Unauthorized"}}')
    assert "Required" not in text and "Unauthorized" not in text


def test_an_error_of_a_field_speaks_with_the_field() -> None:
    assert unwrap('{"errors":{"last_name":["can\'t be blank"]}}') == "last_name can't be blank"


def test_a_template_is_not_taken_for_markup() -> None:
    assert unwrap("the customer <value> of <email> exists") == "the customer <value> of <email> exists"
