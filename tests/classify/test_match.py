"""Rules: an index of fixed words only saves work, and work grows no faster than the text."""

import re

from schemas.reasons import CATALOGUE, GAP
from streams.classify.anchors import AnchorIndex, anchors_of
from streams.classify.mask import HEAD, TAIL, blur, clip, template
from streams.classify.match import MATCHER
from streams.classify.unwrap import unwrap

PATTERNS = [pattern.match for reason in CATALOGUE.reasons for pattern in reason.patterns]


def test_the_index_never_hides_a_pattern_that_matches() -> None:
    index = AnchorIndex([anchors_of(pattern) for pattern in PATTERNS])
    compiled = [re.compile(pattern.replace("~", GAP)) for pattern in PATTERNS]
    for reason in CATALOGUE.reasons:
        for example in reason.positive + reason.negative:
            text = template(blur(clip(unwrap(example.message)))).replace("_", " ")
            candidates = index.candidates(text)
            for bit, pattern in enumerate(compiled):
                assert not pattern.search(text) or candidates >> bit & 1, (pattern.pattern, text)


def test_anchors_are_words_of_which_one_must_stand() -> None:
    assert anchors_of("already (exists?|in use)") == ("already",)
    assert set(anchors_of("(convert(ed)?|parsed) x?")) == {"convert", "parsed"}
    assert anchors_of("(abc)?d?") == ()
    assert anchors_of("colou?r") == ("colo",)


def test_an_inner_code_wins_over_the_code_beside_it() -> None:
    assert MATCHER.words("DUPLICATE_DATA", "failed: invalid_session_id").reason == "authentication_failed"


def test_an_unknown_code_speaks_by_its_words() -> None:
    assert MATCHER.words("CUSTOMER_ALREADY_EXISTS_HERE", "").reason == "duplicate_record"


def test_no_text_is_longer_than_the_bound_when_rules_see_it() -> None:
    assert len(clip("x" * 8192)) <= HEAD + TAIL + 3
