"""The language of the patterns: what a pattern stands for, and that what can't be read is named."""

import pytest

from schemas.phrases import PhraseError, ways

TERMS = {"not": "not|never", "gone": "gone|no longer there"}


def test_alternatives_of_one_word_are_one_word() -> None:
    assert ways("(is|was) lost", TERMS) == (((((("is", "was")), ("lost",)),),),)


def test_what_is_optional_stands_or_does_not() -> None:
    ((phrases,),) = ways("is [still] lost", TERMS)
    assert set(phrases) == {(("is",), ("still",), ("lost",)), (("is",), ("lost",))}


def test_a_gap_parts_places_and_a_bar_parts_ways() -> None:
    first, second = ways("one ~ two|three", TERMS)
    assert len(first) == 2 and len(second) == 1


def test_both_orders_are_two_ways() -> None:
    first, second = ways("one & two", TERMS)
    assert first == second[::-1]


def test_a_term_stands_for_its_words() -> None:
    ((phrases,),) = ways("{gone}", TERMS)
    assert set(phrases) == {(("gone",),), (("no",), ("longer",), ("there",))}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a+", "not part of the language"),
        ("abc.*", "not part of the language"),
        ("(one", "bracket is not closed"),
        ("one)", "closes what was not opened"),
        ("(one ~ two)", "holds a ~"),
        ("{nobody}", "not among the terms"),
        ("one ~", "nothing must stand"),
        ("[one]", "nothing must stand"),
        ("# ~ #", "a word of its own"),
        ("ab*", "too many words"),
        ("*some*", "too many words"),
        ("one ~ two & three", "mixes"),
        ("a & b & c & d", "gaps"),
        ("One", "lower-case"),
        ("a ~ b ~ c ~ d ~ e", "gaps"),
        ("a b c d e f g h i j k", "words one after the other"),
        ("(a b|c d|e f)" * 5, "stands for more than"),
    ],
)
def test_what_can_not_be_read_is_named(pattern: str, message: str) -> None:
    with pytest.raises(PhraseError, match=message):
        ways(pattern, TERMS)


def test_terms_within_terms_end() -> None:
    with pytest.raises(PhraseError, match="terms within terms"):
        ways("{loop}", {"loop": "{loop}"})
