"""The catalogue of reasons: its order, its texts, its examples, and that a mistake in it is named."""

import pytest

from schemas.reasons import CATALOGUE, CatalogueError, Example, Reason, load
from streams.classify.decide import verdict_of
from streams.classify.match import MATCHER
from streams.classify.templates import template_of

RELEASED = """
mandatory_field_missing duplicate_record record_state_conflict invalid_format value_limit_exceeded invalid_option
finance_setup_mismatch reference_not_found record_not_found permission_denied authentication_failed rate_limited
plan_limit_reached service_unavailable concurrent_modification mapping_or_config_error business_rule_rejected
unclassified
"""
EXAMPLES = [(reason, example) for reason in CATALOGUE.reasons for example in reason.positive]
COUNTER_EXAMPLES = [(reason, example) for reason in CATALOGUE.reasons for example in reason.negative]

ENTRY = """
[[reason]]
code = "unclassified"
title = "Not recognised"
meaning = "m"
owner = "o"
remedy = "r"
retry = "No"
retryable = false
words = 1
codes = []
numbers = []
patterns = []
positive = []
negative = []
"""


def test_the_catalogue_has_the_seventeen_released_codes_and_unclassified_last() -> None:
    codes = [reason.code for reason in CATALOGUE.reasons]
    assert sorted(codes) == sorted(RELEASED.split())
    assert codes[-1] == "unclassified"


def test_what_stops_a_connection_stands_before_a_value_and_what_passes_by_itself_stands_last() -> None:
    rank = CATALOGUE.rank
    assert rank("authentication_failed") < rank("reference_not_found") < rank("mandatory_field_missing")
    assert rank("business_rule_rejected") < rank("concurrent_modification") < rank("service_unavailable")
    assert rank("service_unavailable") < rank("unclassified") < rank("a_code_of_another_version")


def test_every_reason_tells_what_where_and_how() -> None:
    for reason in CATALOGUE.reasons:
        assert CATALOGUE.by_code[reason.code] is reason
        for text in (reason.title, reason.meaning, reason.owner, reason.remedy, reason.retry):
            assert text.strip(), reason.code


def test_the_word_for_retry_agrees_with_the_fact() -> None:
    for reason in CATALOGUE.reasons:
        assert reason.retryable == reason.retry.startswith(("Yes", "After")), reason.code


@pytest.mark.parametrize(("reason", "example"), EXAMPLES)
def test_a_positive_example_finds_its_reason(reason: Reason, example: Example) -> None:
    verdict = verdict_of(example.code, example.message)
    assert verdict.reason == reason.code, verdict.by


@pytest.mark.parametrize(("reason", "example"), COUNTER_EXAMPLES)
def test_a_negative_example_finds_another_reason(reason: Reason, example: Example) -> None:
    verdict = verdict_of(example.code, example.message)
    assert verdict.reason != reason.code, verdict.by


def test_every_pattern_decides_one_of_its_examples() -> None:
    deciding = {MATCHER.words(example.code, template_of(example.message)) for _, example in EXAMPLES}
    needless = [
        (reason.code, pattern.match)
        for reason in CATALOGUE.reasons
        for pattern in reason.patterns
        if (reason.code, f"pattern {pattern.match}") not in deciding
    ]
    assert not needless, "patterns that no example needs: add an example that only they decide, or remove them"


@pytest.mark.parametrize("pattern", ["a+", "ab*c", "a{3,}", "abc.*", "(?P<x>abc)", r"(abc)\1", "(abc", "{nothing}"])
def test_a_pattern_that_could_backtrack_without_bound_or_is_broken_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(CatalogueError, match="reason 'unclassified', pattern "):
        load("version = 1\n" + ENTRY.replace("patterns = []", f"patterns = ['{pattern}']"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY, "version"),
        ("version = 1\n" + ENTRY.replace('title = "Not recognised"', 'title = " "'), "'unclassified': title is empty"),
        ("version = 1\n" + ENTRY.replace('"unclassified"', '"other"'), "the last reason must be 'unclassified'"),
        ("version = 1\n" + ENTRY + ENTRY, "code 'unclassified' is also in 'unclassified'"),
        ("version = 1\n" + ENTRY.replace("words = 1", "words = 'many'"), "words"),
        ("version = 1\n" + ENTRY + 'colour = "red"\n', "colour"),
        ("version = ", "reasons.toml"),
    ],
)
def test_a_malformed_catalogue_is_refused_with_the_entry(text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        load(text)
