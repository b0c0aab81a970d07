"""Loose reading: what is broken or cut off is read as far as it goes, and nothing raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.classify.loose import read_loosely


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'code': 'X', 'message': \"can't be\"}", {"code": "X", "message": "can't be"}),
        ('{"code": "X", "message": "the wor', {"code": "X", "message": "the wor"}),
        ('{\\"message\\":\\"the words\\",\\"a\\":1', {"message": "the words", "a": "1"}),
        ("{code=X, message=Not found, fields=[a, b]}", {"code": "X", "message": "Not found", "fields": ["a", "b"]}),
        ('{"a":"x \\" y","b":[{"c":"d', {"a": 'x " y', "b": [{"c": "d"}]}),
        ("{'m': 'it can't be'}", {"m": "it can't be"}),
        ("['first', 'second']", ["first", "second"]),
    ],
)
def test_what_was_meant(text: str, value: object) -> None:
    assert read_loosely(text, 0) == value


@given(st.text(alphabet="{}[]\"'\\:,=ab 1\n", max_size=60), st.sampled_from("{["))
def test_nothing_raises(text: str, opening: str) -> None:
    assert isinstance(read_loosely(opening + text, 0), dict | list)
