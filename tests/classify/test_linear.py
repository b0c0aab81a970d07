"""Hostile messages: no message of the largest size that an event may have costs more than its length allows."""

import re
import sys
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.reasons import CATALOGUE
from streams.classify import decide, likeness, loose, mask, match, outcome, traits, unwrap
from tests.classify.cold import forget

LARGEST = 8192
HOSTILE = [
    "a", "aA", "1", "#", "'", '"', "' ", "{", "[", "<", "<a ", "<script>", "\\", "@", "a@", "a.", "a_", "_", "é", "値",
    "::", "www.", "http://", '{"a":', '"message":"', '{"message":"{', "not ", "invalid ", "already ", "must be ",
    "tax account ", "invalid data json path ", "limit exceed plan ", "missing required not found ", "code: 1", "429 ",
    "0x8", "&amp;", "{'a", "{a=", "&lt;", "認証", '{"message":"{\\"', '\\"', '["', "<![CDATA[", "a.b@c.", " | ",
    "can't be null or empty ",
]  # fmt: skip

VOCABULARY = sorted({one.message for reason in CATALOGUE.reasons for one in reason.positive if one.message})
WRAPPINGS = ["", "{", '{"message":"', "{'message': '", "<p>", "[", "[{", '"', "HTTP 400: {"]


def calls(message: str) -> int:
    """How many Python and C functions one cold classification calls: work that no clock has to measure."""
    forget()
    match.MATCHER.automaton._forget()
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        decide.verdict_of("", message)
    finally:
        sys.setprofile(None)
    return count


@pytest.fixture
def doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message is in doubt, so that patterns are looked for in each."""
    monkeypatch.setattr(likeness, "TRUST", 100.0)


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.usefixtures("doubt")
def test_twice_the_message_costs_at_most_twice_the_work(unit: str) -> None:
    quarter, half, whole = (calls((unit * LARGEST)[:size]) for size in (LARGEST // 4, LARGEST // 2, LARGEST))
    assert half <= 2.2 * quarter + 50
    assert whole <= 2.2 * half + 50


@pytest.mark.parametrize("module", [loose, mask, match, outcome, traits, unwrap], ids=lambda module: module.__name__)
def test_no_expression_of_our_own_repeats_without_bound(module: object) -> None:
    values = [one for value in vars(module).values() for one in (value.values() if type(value) is dict else (value,))]
    expressions = [value.pattern for value in values if isinstance(value, re.Pattern)]
    assert expressions
    for expression in expressions:
        outside_classes = re.sub(r"\\.|\[[^\]]*\]", "x", expression)
        assert not re.search(r"[*+]|\{\d*,\}", outside_classes), expression


@pytest.mark.parametrize("unit", HOSTILE)
def test_rules_see_a_bounded_text(unit: str) -> None:
    text = mask.template(mask.clip((unit * LARGEST)[:LARGEST]))
    assert len(text) <= mask.HEAD + mask.TAIL + 3


@given(st.lists(st.sampled_from([*HOSTILE, *VOCABULARY]), min_size=1, max_size=12), st.sampled_from(WRAPPINGS))
@settings(max_examples=150, deadline=None)
def test_no_mixture_costs_more_than_its_length_allows(units: list[str], wrapping: str) -> None:
    message = wrapping + " ".join(units * (LARGEST // sum(map(len, units)) + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likeness, "TRUST", 100.0)  # patterns are looked for in any case
        assert calls(message[:LARGEST]) <= 16_000
