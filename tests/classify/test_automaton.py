"""The automaton: it finds what a plain search finds, the first way wins, and every word is looked at once."""

import random
import re

import pytest

from schemas.phrases import ways
from schemas.reasons import CATALOGUE
from streams.classify.automaton import NEVER_HELD, Automaton
from streams.classify.mask import SKIPPED, template, words
from streams.classify.match import MATCHER

PATTERNS = ["{not} found", "record ~ (locked|in use)", "^ required $", "miss* name", "*fehler", "found", "認証 ~ 失敗"]
PATTERNS += ["*abgeschlossen*", "gültig", "令牌 ~ 过期", "schloss & burg"]


def automaton() -> Automaton:
    return Automaton([way for pattern in PATTERNS for way in ways(pattern, {"not": "not|never"})], SKIPPED)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("it was not found", "{not} found"),
        ("it was never the found", "{not} found"),
        ("not yet found", "found"),
        ("the record of mine is in use", "record ~ (locked|in use)"),
        ("in use is the record", None),
        ("the record is here | it is locked", None),
        ("record" + " far" * 40 + " locked", None),
        ("name | required | and more", "^ required $"),
        ("required", "^ required $"),
        ("is required", None),
        ("missing name", "miss* name"),
        ("ein systemfehler", "*fehler"),
        ("新しい認証に失敗しました", "認証 ~ 失敗"),
        ("die burg ist ein schloss", "schloss & burg"),
        ("das schloss ist eine burg", "schloss & burg"),
        ("der vorabgeschlossene monat", "*abgeschlossen*"),
        ("das ist gultig", "gültig"),
        ("das ist gueltig", "gültig"),
        ("令牌token已过期", "令牌 ~ 过期"),
        ("", None),
    ],
)
def test_the_first_way_that_stands_in_a_sentence(text: str, pattern: str | None) -> None:
    found = automaton().first(text)
    assert (PATTERNS[min(found, len(PATTERNS) - 1)] if found != NEVER_HELD else None) == pattern


def test_it_finds_what_a_search_finds() -> None:
    chance = random.Random(7)
    spelled = ["a b", "c ~ d", "(a|d) c", "b b b", "a ~ b c ~ d"]
    searches = [re.compile(r"\ba b\b"), re.compile(r"\bc .{0,30}\bd\b|c d"), re.compile(r"\b[ad] c\b")]
    searches += [re.compile(r"\bb b b\b"), re.compile(r"\ba (?:\w ){0,9}?b c (?:\w ){0,9}?d\b")]
    small = Automaton([way for pattern in spelled for way in ways(pattern, {})], frozenset())
    for _ in range(2000):
        text = " ".join(chance.choices("abcd", k=chance.randrange(1, 9)))
        expected = next((at for at, search in enumerate(searches) if search.search(text)), NEVER_HELD)
        assert small.first(text) == expected, text


def test_what_was_kept_never_changes_an_answer() -> None:
    texts = [words(template(one.message)) for reason in CATALOGUE.reasons for one in reason.positive]
    warm = [MATCHER.automaton.first(text) for text in texts]
    cold = []
    for text in texts:
        MATCHER.automaton._forget()
        MATCHER.automaton._known.clear()
        cold.append(MATCHER.automaton.first(text))
    assert warm == cold


def test_what_is_kept_stays_within_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.classify.automaton._MOST_STEPS", 50)
    chance, small = random.Random(3), automaton()
    vocabulary = ["not", "found", "never", "record", "locked", "in", "use", "required", "missing", "name"]
    for _ in range(500):
        small.first(" ".join(chance.choices(vocabulary, k=12)))
    assert 0 < sum(map(len, small._states.values())) <= 50
