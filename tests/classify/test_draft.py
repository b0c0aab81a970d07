"""Drafted rules: what they decide, what they leave alone, and what is refused."""

import tomllib
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.reasons import CATALOGUE, UNCLASSIFIED
from streams.classify.decide import reason_of
from streams.classify.draft import DraftRefused, as_toml, draft, nearest
from streams.classify.grouping import Group, Grouping, key_of
from streams.classify.mask import words
from streams.classify.templates import template_of

FROZEN = [f'Thing "L{n}" was frozen by the auditor on 2026-0{n}-01, call {n}{n}{n}' for n in range(1, 4)]


def group_of(messages: Sequence[str], code: str = "") -> Group:
    grouping = Grouping()
    for message in messages:
        assert reason_of("", code, message) == UNCLASSIFIED, "the example must be unknown to the catalogue"
        grouping.add(code, message, 1_795_392_000_000, 1_795_392_000_000, place=("acme", "books_to_fsm", "s"))
    (group,) = grouping.ranked()
    return group


def drafted(messages: Sequence[str], code: str = "", chosen: str = "") -> tuple[str, dict[str, Any]]:
    group = group_of(messages, code)
    text = as_toml(draft(group.key, group.samples, chosen), group, "today")
    (rule,) = tomllib.loads(text)["reason"]
    return text, rule


def test_a_draft_has_a_pattern_of_the_stable_words_and_the_samples_as_examples() -> None:
    text, rule = drafted(FROZEN)
    assert rule["positive"] == FROZEN
    (pattern,) = rule["patterns"]
    assert "frozen" in pattern and "auditor" in pattern
    assert "#" not in pattern and "<value>" not in pattern and "2026" not in pattern
    assert template_of(FROZEN[0]) in text


def test_a_guess_is_marked_as_one_and_a_given_reason_is_taken() -> None:
    text, rule = drafted(["Zwyx fnord blorb passwords qlorb zorp"])
    assert rule["code"] == "authentication_failed" and "THE REASON IS A GUESS, from the words: passwords" in text
    text, rule = drafted(FROZEN, chosen="record_state_conflict")
    assert rule["code"] == "record_state_conflict" and "GUESS" not in text


def test_where_no_word_is_known_the_reason_is_left_to_the_reviewer() -> None:
    text, rule = drafted(["Zwyx qlorb fnord"])
    assert rule["code"] == "" and "NO REASON" in text
    assert nearest(words("zwyx qlorb fnord")).reason == ""


def test_a_code_that_is_given_apart_stays_with_the_examples() -> None:
    _, rule = drafted(["Blorb the fnord", "Blorb the fnord "], code="ZX_17")
    assert rule["positive"] == ["ZX_17 :: Blorb the fnord", "ZX_17 :: Blorb the fnord "]


def test_a_pattern_takes_in_more_words_until_it_decides_no_example_of_another_reason() -> None:
    """`feature is not available` are the most telling four words, and stand in an example of plan_limit_reached."""
    text = "Blo feature is not available qu zwyx"
    others = [e for r in CATALOGUE.reasons if r.code != "invalid_format" for e in r.positive]
    made = draft(key_of("", text), [text], "invalid_format")
    assert made.pattern != "feature is not available" and "feature is not available" in made.pattern
    assert made.compared >= len(others) > 100
    assert draft(key_of("", text), [text], "plan_limit_reached").pattern == "feature is not available"


@pytest.mark.parametrize("text", ["Bad Request", "A validation exception occurred"])
def test_what_the_catalogue_leaves_unclassified_on_purpose_has_no_rule(text: str) -> None:
    with pytest.raises(DraftRefused, match="would also decide the catalogue's example"):
        draft(group_of([text]).key, [text])


@pytest.mark.parametrize("text", ["", "12345", "?!", "a@b.example", "8: 'x'"])
def test_what_has_no_words_has_no_rule(text: str) -> None:
    with pytest.raises(DraftRefused, match="no words"):
        draft(group_of([text]).key, [text])


@pytest.mark.parametrize(
    "text",
    ['Blorb """ fnord \'\'\' zwyx', "Blorb\r\nfnord\0zwyx", "Blorb \\ fnord \x7f zwyx", "Blorb :: fnord zwyx",
     "Blorb \u202e fnord zwyx", "Blorb (fnord|zwyx)* [qlorb]+ {2,}", "Blorb # fnord zwyx", "зворб фнорд з'єднання",
     "Blorb " + "fnord zwyx " * 700],
)  # fmt: skip
def test_any_text_makes_a_rule_that_can_be_read_or_is_refused_in_a_sentence(text: str) -> None:
    try:
        text_of_rule, rule = drafted([text])
    except DraftRefused as error:
        assert "\n" not in str(error)
        return
    (example,) = rule["positive"]
    assert example in (text, f" :: {text}")
    assert all(line.isprintable() for line in text_of_rule.splitlines() if line.startswith("#"))
