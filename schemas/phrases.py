"""The little language that the catalogue's patterns are written in, and how a pattern becomes plain phrases.

In comes a pattern such as `{not} found ~ (record*|other row)`; out go its ways: each a row of places, one behind the
other within a sentence, and for each place the phrases that may stand there. Nothing in the language repeats, so no
pattern can backtrack.
"""

import re
from collections.abc import Mapping
from itertools import permutations, product
from typing import Final

BORDER: Final = "|"
"""How a phrase writes `^` and `$`: the beginning or the end of a sentence."""
MOST_PHRASES: Final = 128
MOST_WORDS: Final = 10
MOST_PLACES: Final = 4
MOST_IN_ANY_ORDER: Final = 3
_TOKEN = re.compile(r"[()|\[\]~&^$]|\{\w+\}|\*?[^\W_]+\*?|<[a-z]+>|#")
_SHORTEST_PART = {True: 3, False: 2}  # of a word in ASCII, and of one in another script, that a star completes
_SHORTEST_STEM = {True: 5, False: 4}  # the same with a star on both sides: *abgeschlossen*

Phrase = tuple[tuple[str, ...], ...]
"""Words one right behind the other; each is any of some texts, with `*` for the rest of a word."""
Place = tuple[Phrase, ...]
Way = tuple[Place, ...]


class PhraseError(ValueError):
    """A pattern can't be read; the text says where and what to write."""


def ways(pattern: str, terms: Mapping[str, str]) -> tuple[Way, ...]:
    """What a pattern stands for. Raises PhraseError."""
    return _Reader(pattern, terms, 0).ways()


class _Reader:
    def __init__(self, pattern: str, terms: Mapping[str, str], depth: int) -> None:
        if depth > 4:
            raise PhraseError("uses terms within terms more than 4 deep")
        self._terms = terms
        self._depth = depth
        self._tokens = _TOKEN.findall(pattern)
        if "".join(self._tokens) != "".join(pattern.split()):
            wrong = _TOKEN.sub(" ", pattern).split()[0]
            raise PhraseError(f"{wrong!r} is not part of the language: words, word*, ( | ) [ ] {{term}} ~ & ^ $ only")
        self._at = 0

    def ways(self) -> tuple[Way, ...]:
        found = self._alternative_ways()
        while self._next() == "|":
            self._at += 1
            found += self._alternative_ways()
        self._end()
        return tuple(found)

    def phrases(self) -> list[Phrase]:
        found = self._alternatives("")
        self._end()
        return found

    def _alternative_ways(self) -> list[Way]:
        places, between = [self._place()], set[str]()
        while self._next() in ("~", "&"):
            between.add(self._next())
            self._at += 1
            places.append(self._place())
        if len(places) > (MOST_PLACES if between != {"&"} else MOST_IN_ANY_ORDER):
            raise PhraseError(
                f"has more than {MOST_PLACES - 1} gaps (~), or {MOST_IN_ANY_ORDER - 1} (&); they say little together"
            )
        if len(between) > 1:
            raise PhraseError("mixes ~ and &; make two patterns of it")
        if not any(all(map(_tells, place)) for place in places):
            raise PhraseError("can match without a word of its own; one place needs words that always stand there")
        return [tuple(way) for way in permutations(places)] if between == {"&"} else [tuple(places)]

    def _place(self) -> Place:
        found = self._concatenation()
        for phrase in found:
            if not phrase:
                raise PhraseError("has a place where nothing must stand; leave out the ~, the & or the [ ]")
            if len(phrase) > MOST_WORDS:
                raise PhraseError(f"has more than {MOST_WORDS} words one after the other; ~ stands for the middle")
        return tuple(found)

    def _alternatives(self, closing: str) -> list[Phrase]:
        """What stands between brackets, up to and without the closing one. Alternatives of one word become one."""
        found = self._concatenation()
        while self._next() == "|":
            self._at += 1
            found += self._concatenation()
        if self._next() != closing:
            raise PhraseError(f"a bracket is not closed, or holds a ~ or &: {closing!r} is missing")
        return _merged(found)

    def _concatenation(self) -> list[Phrase]:
        found: list[Phrase] = [()]
        while (token := self._next()) not in ("", "|", ")", "]", "~", "&"):
            self._at += 1
            found = [(*before, *one) for before, one in product(found, self._item(token))]
            if len(found) > MOST_PHRASES:
                raise PhraseError(f"stands for more than {MOST_PHRASES} phrases; make two patterns of it")
        return _merged(found)

    def _item(self, token: str) -> list[Phrase]:
        if token in ("(", "["):
            found = self._alternatives(")" if token == "(" else "]")
            self._at += 1
            return found if token == "(" else [*found, ()]
        if token[0] == "{":
            if token[1:-1] not in self._terms:
                raise PhraseError(f"{token} is not among the terms")
            return _Reader(self._terms[token[1:-1]], self._terms, self._depth + 1).phrases()
        if token in "^$":
            return [((BORDER,),)]
        part = token.strip("*")
        shortest = (_SHORTEST_STEM if token[:1] == token[-1:] == "*" else _SHORTEST_PART)[part.isascii()]
        if part != token and len(part) < shortest:
            raise PhraseError(f"{token!r} would match too many words; write more of it")
        if token != token.lower():
            raise PhraseError(f"{token!r} must be lower-case, as the texts are that it is compared with")
        return [((token,),)]

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _end(self) -> None:
        if self._at < len(self._tokens):
            raise PhraseError(f"{self._tokens[self._at]!r} closes what was not opened")


def _merged(phrases: list[Phrase]) -> list[Phrase]:
    """The same phrases, those of one word as one phrase whose word is any of theirs."""
    words = dict.fromkeys(text for phrase in phrases if len(phrase) == 1 for text in phrase[0])
    longer = [phrase for phrase in dict.fromkeys(phrases) if len(phrase) != 1]
    return [*longer, (tuple(words),)] if words else longer


def _tells(phrase: Phrase) -> bool:
    return any(all(text.strip("*")[:1].isalpha() for text in word) for word in phrase)
