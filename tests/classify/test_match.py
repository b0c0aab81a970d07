"""Rules: codes before words, the nearer code before the farther."""

from streams.classify.mask import HEAD, TAIL, clip
from streams.classify.match import MATCHER, NOTHING


def test_an_inner_code_wins_over_the_code_beside_it() -> None:
    assert MATCHER.words("DUPLICATE_DATA", "failed: invalid_session_id").reason == "authentication_failed"


def test_a_code_wins_over_words() -> None:
    assert MATCHER.words("FIELD_CUSTOM_VALIDATION_EXCEPTION", "the name is required").reason == "business_rule_rejected"


def test_an_unknown_code_speaks_by_its_words() -> None:
    assert MATCHER.words("CUSTOMER_ALREADY_EXISTS_HERE", "").reason == "duplicate_record"
    assert MATCHER.words("EntityAlreadyExists", "").reason == "duplicate_record"


def test_nothing_speaks_for_words_of_no_family() -> None:
    assert MATCHER.words("", "frobnicated the blue one") == NOTHING


def test_no_text_is_longer_than_the_bound_when_rules_see_it() -> None:
    assert len(clip("x" * 8192)) <= HEAD + TAIL + 3
