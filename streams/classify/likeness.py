"""What a message that no rule knows is most like: a reason, if its words speak for it far more than for any other.

In come texts with their reasons to learn from and, later, templates; out goes a verdict with the words that spoke
loudest, or none. Naive Bayes, from counts of whole numbers to weights of whole numbers: neither the order of words nor
the machine changes an answer, and a text costs one addition for each of its words.
"""

import math
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

from schemas.phrases import Way
from schemas.reasons import UNCLASSIFIED, Catalogue
from streams.classify.mask import parted, words
from streams.classify.match import NOTHING, Verdict
from streams.classify.vocabulary import FIRST_UNSPACED

SURE: Final = 0.85
"""The least chance at which it speaks. Lower, it recognises more, and guesses more of what nobody can know."""

_STEM: Final = 6
_MOST_STEMS: Final = 128
_FEWEST: Final = 3  # a word or two among unknown ones say what a message is about, not what went wrong
_TOLD: Final = 3
_SMOOTHING: Final = 0.2
_UNIT: Final = 1000  # weights are thousandths: whole numbers add up to the same in any order
_CODE: Final = 80
_WORD: Final = re.compile(f"[{FIRST_UNSPACED}-\U0010ffff]{{1,80}}|[^\\W\\d_{FIRST_UNSPACED}-\U0010ffff]{{1,80}}")
# fmt: off
_FAINT: Final = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "das", "de", "dei", "del", "den", "der", "des", "die",
    "du", "een", "ein", "eine", "el", "for", "from", "het", "i", "il", "in", "is", "it", "its", "la", "le", "les", "lo",
    "los", "o", "of", "on", "or", "os", "that", "the", "this", "to", "un", "una", "was", "were", "with",
))
# fmt: on
_TIMES: Final = {UNCLASSIFIED: 2}
"""How often a text counts. What says too little is of endless kinds, and a wrong reason is worse than none."""


class Likeness:
    """Weights of words, learned from labelled texts and from the words of a catalogue's patterns."""

    def __init__(self, catalogue: Catalogue, texts: Iterable[tuple[str, str, str]]) -> None:
        """`texts` are reason, code and template."""
        self._reasons = [reason.code for reason in catalogue.reasons]
        self._layout = struct.Struct(f"<{len(self._reasons)}I")
        counts = {code: Counter[str]() for code in self._reasons}
        told = Counter[str]()
        learned = [(reason, _said(code, template)) for reason, code, template in texts]
        learned += [(reason.code, _text(one.ways)) for reason in catalogue.reasons for one in reason.patterns]
        for reason, text in learned:
            told[reason] += _TIMES.get(reason, 1)
            for stem in _stems(text):
                counts[reason][stem] += _TIMES.get(reason, 1)
        stems = dict.fromkeys(stem for code in self._reasons for stem in counts[code])
        # The cost of a stem under a reason is how seldom that reason's texts have it. All reasons' costs are one whole
        # number, 32 bits each, so that all are summed at once; _MOST_STEMS keeps a sum out of the next one's bits.
        every = [(counts[code], counts[code].total() + _SMOOTHING * len(stems)) for code in self._reasons]
        self._costs = {stem: self._packed((n[stem] + _SMOOTHING) / total for n, total in every) for stem in stems}
        self._before = self._packed((told[code] + 1) / (told.total() + len(told)) for code in self._reasons)

    def verdict(self, code: str, template: str) -> Verdict:
        """The reason that the words speak for, by `likeness: word, word, word`, or NOTHING."""
        stems = _stems(_said(code, template))
        costs = self._costs
        known = [stem for stem in stems if stem in costs]
        if len(known) < _FEWEST:
            return NOTHING
        sums = self._unpacked(sum([costs[stem] for stem in known], self._before))
        least = min(sums)
        best = sums.index(least)
        chance = 1 / math.fsum(math.exp((least - one) / _UNIT) for one in sums)
        if self._reasons[best] == UNCLASSIFIED or chance < SURE:
            return NOTHING
        loud = sorted(known, key=lambda stem: self._against(stem, best))[:_TOLD]
        return Verdict(self._reasons[best], "likeness: " + ", ".join(stems[stem] for stem in loud))

    def _against(self, stem: str, best: int) -> int:
        """The lower, the more the stem speaks for that reason: its cost there beside its cost on the average."""
        costs = self._unpacked(self._costs[stem])
        return costs[best] * len(costs) - sum(costs)

    def _packed(self, chances: Iterable[float]) -> int:
        return int.from_bytes(self._layout.pack(*[round(-_UNIT * math.log(one)) for one in chances]), "little")

    def _unpacked(self, packed: int) -> tuple[int, ...]:
        return self._layout.unpack(packed.to_bytes(self._layout.size, "little"))


def _said(code: str, template: str) -> str:
    return words(f"{parted(code[:_CODE]).lower()} | {template}" if code else template)


def _text(ways: tuple[Way, ...]) -> str:
    """The words of a pattern, each once, whatever stands between them."""
    texts = (text.strip("*") for way in ways for place in way for phrase in place for word in phrase for text in word)
    return " ".join(dict.fromkeys(text for text in texts if len(text) > 1))


def _stems(text: str) -> dict[str, str]:
    """The stems of a text, each with the word that it first stands for; without spaces, every two letters."""
    found: dict[str, str] = {}
    for match in _WORD.finditer(text):
        word = match[0]
        if word >= FIRST_UNSPACED:
            found |= {(pair := word[at : at + 2]): pair for at in range(len(word) - 1)}
        elif word not in _FAINT:
            found.setdefault((word if word.isascii() else _plain(word))[:_STEM], word)
        if len(found) > _MOST_STEMS:
            break
    return found


def _plain(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
