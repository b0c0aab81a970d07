"""Rules: an index of fixed words only saves work, and work grows no faster than the text."""

from schemas.reasons import CATALOGUE
from streams.classify.anchors import AnchorIndex, anchor_sets
from streams.classify.mask import HEAD, TAIL, blur, clip, template
from streams.classify.match import MATCHER, compiled
from streams.classify.unwrap import unwrap

PATTERNS = [pattern.match for reason in CATALOGUE.reasons for pattern in reason.patterns]


def test_the_index_never_hides_a_pattern_that_matches() -> None:
    index = AnchorIndex(PATTERNS)
    expressions = [compiled(pattern) for pattern in PATTERNS]
    for reason in CATALOGUE.reasons:
        for example in reason.positive + reason.negative:
            text = template(blur(clip(unwrap(example.message)))).replace("_", " ")
            candidates = index.candidates(text)
            for bit, pattern in enumerate(expressions):
                assert not pattern.search(text) or candidates >> bit & 1, (pattern.pattern, text)


def test_of_each_set_of_anchors_one_must_stand() -> None:
    assert anchor_sets("already (exists?|in use)") == [("already",), ("exist", "in use")]
    assert anchor_sets("(convert(ed)?|parsed) wrong") == [("wrong",), ("convert", "parsed")]
    assert anchor_sets("(abc)?d?") == []
    assert anchor_sets("colou?r") == [("colo",)]


def test_an_inner_code_wins_over_the_code_beside_it() -> None:
    assert MATCHER.words("DUPLICATE_DATA", "failed: invalid_session_id").reason == "authentication_failed"


def test_an_unknown_code_speaks_by_its_words() -> None:
    assert MATCHER.words("CUSTOMER_ALREADY_EXISTS_HERE", "").reason == "duplicate_record"


def test_no_text_is_longer_than_the_bound_when_rules_see_it() -> None:
    assert len(clip("x" * 8192)) <= HEAD + TAIL + 3
