"""Which of the catalogue's patterns a text holds: all of them at once, one step a word.

In come the ways of the patterns in order of priority and, later, texts; out goes the number of the first way that a
text holds. What has been read of all phrases is one whole number, a bit a word, and what has been found of all ways is
another. So a text costs the same whatever it says, a few operations for each of its words, and nothing is tried twice.
"""

from collections import defaultdict
from collections.abc import Sequence

from schemas.phrases import BORDER, MOST_WORDS, Phrase, Way
from streams.classify.cache import BoundedCache
from streams.classify.vocabulary import Vocabulary

NEVER_HELD = -1
_KEPT_WORD = 40
_REACH = 12  # after 12 to 24 words a gap has been left: two ends of a long list have nothing to do with each other
_BEFORE_ALL = MOST_WORDS + 1  # a phrase may have begun with the border
_MOST_STEPS = 60_000
_MOST_SORTS = 8_000
_PASSED = -1
_UNKNOWN = (0, 0, 0)


_Ended = tuple[tuple[int, int], ...]
"""The phrases that end at a word: how many words they have, and the places that they fill."""
_Known = tuple[int, int, int]
"""A word: the places that it fills alone, the number of its sort, and the words of phrases that it can be. Words of one
sort can be the same words of the same phrases."""


class _State(dict[int, "tuple[_Ended, _State]"]):
    """What has been read of all phrases, and what follows on a word of each sort that has come so far."""

    __slots__ = ("read",)

    def __init__(self, read: int) -> None:
        self.read = read


class Automaton:
    """`ways` are in order of priority. Words in `skipped` are passed over wherever they stand."""

    def __init__(self, ways: Sequence[Way], skipped: frozenset[str]) -> None:
        self._skipped = skipped
        self._first = self._last = 0  # the places that open a way, and that end one
        self._owner: dict[int, int] = {}
        self._opens = self._ends = 0  # the words that open a phrase, and that end one
        self._ended: dict[int, tuple[int, int]] = {}
        alone, in_phrases = defaultdict[str, int](int), defaultdict[str, int](int)  # bits by text
        self._add_phrases(self._add_ways(ways, alone), in_phrases)
        self._vocabulary = Vocabulary()
        for text in {*skipped, *alone, *in_phrases}:
            self._vocabulary.add(text, in_phrases[text], alone[text])
        self._sorts: dict[int, tuple[int, int]] = {}
        self._known: BoundedCache[str, _Known] = BoundedCache(30_000, 8 << 20)
        self._nothing_read = _State(0)
        self._states = {0: self._nothing_read}
        self._steps_kept = 0

    def _add_ways(self, ways: Sequence[Way], alone: dict[str, int]) -> dict[Phrase, int]:
        places_of: dict[Phrase, int] = defaultdict(int)
        bit = 1
        for number, way in enumerate(ways):
            self._first |= bit
            for place in way:
                for phrase in place:
                    if len(phrase) > 1:
                        places_of[phrase] |= bit
                    for text in phrase[0] if len(phrase) == 1 else ():
                        alone[text] |= bit
                bit <<= 1
            self._last |= bit >> 1
            self._owner[bit.bit_length() - 1] = number
        return places_of

    def _add_phrases(self, places_of: dict[Phrase, int], in_phrases: dict[str, int]) -> None:
        bit = 1
        for phrase, places in places_of.items():
            self._opens |= bit
            for texts in phrase:
                for text in texts:
                    in_phrases[text] |= bit
                bit <<= 1
            self._ends |= bit >> 1
            self._ended[bit.bit_length() - 1] = (len(phrase), places)

    def first(self, text: str) -> int:
        """The first way that stands within a sentence of the text, or NEVER_HELD. Sentences are parted by ` | `."""
        known, first, nothing_read = self._known.get, self._first, self._nothing_read
        held = found = since = 0
        state = nothing_read
        allowed = first  # the places that the next word may fill
        before = _BEFORE_ALL * [first]  # the same, before each of the words so far
        for word in [BORDER, *self._vocabulary.parted(text), BORDER]:
            new, sort, in_phrases = known(word) or self._of_word(word)
            if new:
                new &= allowed
            if sort or state is not nothing_read:
                if sort < 0:
                    continue
                ended, state = state.get(sort) or self._step(state, sort, in_phrases)
                for length, places in ended:
                    new |= before[-length] & places
                if word == BORDER:
                    held |= found | new
                    found = since = 0
                    allowed = first
                    before = _BEFORE_ALL * [first]
                    continue
            if new:
                found |= new
                allowed |= new << 1
            since += 1
            if since == _REACH:
                held |= found
                allowed = found << 1 | first
                found = since = 0
            before.append(allowed)
        held &= self._last
        return self._owner[(held & -held).bit_length()] if held else NEVER_HELD

    def _step(self, state: "_State", sort: int, in_phrases: int) -> "tuple[_Ended, _State]":
        """What ends at a word of that sort, and the state after it: computed once, few of all states are ever seen."""
        read = (state.read << 1 | self._opens) & in_phrases
        if self._steps_kept >= _MOST_STEPS:
            self._forget()
        then = self._states.get(read)
        if then is None:
            then = self._states[read] = _State(read)
        self._steps_kept += 1
        state[sort] = step = (self._ends_of(read & self._ends), then)
        return step

    def _forget(self) -> None:
        for state in self._states.values():
            state.clear()
        self._nothing_read.clear()
        self._states = {0: self._nothing_read}
        self._steps_kept = 0

    def _ends_of(self, ended: int) -> _Ended:
        by_length: dict[int, int] = defaultdict(int)
        while ended:
            lowest = ended & -ended
            length, places = self._ended[lowest.bit_length()]
            by_length[length] |= places
            ended ^= lowest
        return tuple(by_length.items())

    def _of_word(self, word: str) -> _Known:
        if not self._vocabulary.may_have(word) and word != BORDER:
            if len(word) <= _KEPT_WORD:
                self._known.keep(word, _UNKNOWN, _KEPT_WORD)
            return _UNKNOWN
        in_phrases, alone = self._vocabulary.of(word)
        if len(self._sorts) >= _MOST_SORTS:
            self._sorts = {}
            self._known.clear()
            self._forget()
        # The border is of a sort of its own, also where no phrase has it. Words of one sort share one number.
        sort, in_phrases = self._sorts.setdefault(in_phrases or -(word == BORDER), (len(self._sorts) + 1, in_phrases))
        if word in self._skipped:
            known = (0, _PASSED, 0)
        else:
            known = (alone, sort, in_phrases) if in_phrases or word == BORDER else (alone, 0, 0)
        if len(word) <= _KEPT_WORD:
            self._known.keep(word, known, word.__sizeof__() + alone.__sizeof__())
        return known
