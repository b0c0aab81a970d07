"""Which patterns are worth trying on a text: those of whose fixed words one stands in it.

In comes a pattern (its anchors are read off once) or a text; out goes a bit mask of patterns. Trying every pattern on
each new text would cost many times as much as finding the few that can match.
"""

from collections import defaultdict

from streams.classify.cache import BoundedCache

_KEPT_WORD = 40


class AnchorIndex:
    """Bit n of an answer stands for the n-th pattern given; each pattern must have an anchor."""

    def __init__(self, patterns: list[str]) -> None:
        pieces: dict[str, int] = defaultdict(int)
        self._count = len(patterns)
        self._without_second = 0
        for bit, pattern in enumerate(patterns):
            first, *others = anchor_sets(pattern)
            self._without_second |= 0 if others else 1 << bit
            # The lower half of a word's mask is for the first set of a pattern, the upper half for the second.
            for half, texts in enumerate((first, *others[:1])):
                for text in texts:
                    # Several words stand in a text only if the longest stands within a word of the text.
                    pieces[max(text.split(), key=weight_of)] |= 1 << bit + half * self._count
        self._by_trigram: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._short: list[tuple[str, int]] = []
        for piece, mask in pieces.items():
            if len(piece) >= 3:
                self._by_trigram[piece[:3]].append((piece, mask))
            else:
                self._short.append((piece, mask))
        self._words: BoundedCache[str, int] = BoundedCache(30_000, 4 << 20)

    def candidates(self, text: str) -> int:
        """The patterns that can match a text: never one too few."""
        mask, known = 0, self._words.get
        for word in text.split():
            bits = known(word)
            mask |= self._of_word(word) if bits is None else bits
        return mask & (mask >> self._count | self._without_second) & ((1 << self._count) - 1)

    def _of_word(self, word: str) -> int:
        mask, index = 0, self._by_trigram
        for at in range(len(word) - 2):
            trigram = word[at : at + 3]
            if trigram in index:
                for piece, bits in index[trigram]:
                    if word.startswith(piece, at):
                        mask |= bits
        if not word.isascii():
            for piece, bits in self._short:
                if piece in word:
                    mask |= bits
        if len(word) <= _KEPT_WORD:
            self._words.keep(word, mask, word.__sizeof__())
        return mask


def anchor_sets(pattern: str) -> list[tuple[str, ...]]:
    """Sets of fixed texts: of each set, one text stands in whatever the pattern matches. The most telling set first."""
    runs, groups = _outline(pattern)
    best = max(runs, key=weight_of, default="").strip()
    choices: list[tuple[str, ...]] = [(best,)] if weight_of(best) >= 3 else []
    for group in groups:
        parts = [anchor_sets(alternative) for alternative in _alternatives(group)]
        if all(parts):
            choices.append(tuple(dict.fromkeys(anchor for part in parts for anchor in part[0])))
    # Few and long anchors turn most texts away.
    return sorted(choices, key=lambda anchors: len(anchors) / min(map(weight_of, anchors)))


def weight_of(text: str) -> int:
    """How telling a fixed text is: a character of Chinese, Japanese or Korean says as much as three letters."""
    return max((len(word) if word.isascii() else 3 * len(word) for word in text.split()), default=0)


def _outline(pattern: str) -> tuple[list[str], list[str]]:
    """The literal runs outside of groups, and the contents of the groups that must match."""
    runs, groups, run, at = list[str](), list[str](), "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "(":
            end = _closing(pattern, at)
            if pattern[end + 1 : end + 2] not in ("?", "{") and pattern[at + 1] != "?":
                groups.append(pattern[at + 1 : end])
            run, at = "", end
        elif char == "[":
            run, at = "", pattern.index("]", at + 1)
        elif char == "\\":
            run, at = "", at + 1
        elif char == "{":
            run, at = "", pattern.index("}", at)
        elif char in "?~.^$|" or pattern[at + 1 : at + 2] in ("?", "{"):
            run = ""
        else:
            run += char
            runs.append(run)
        at += 1
    return runs, groups


def _closing(pattern: str, opening: int) -> int:
    depth, at = 0, opening
    while True:
        if pattern[at] == "\\":
            at += 1
        depth += (pattern[at] == "(") - (pattern[at] == ")")
        if depth == 0:
            return at
        at += 1


def _alternatives(group: str) -> list[str]:
    parts, depth, start = list[str](), 0, 0
    for at, char in enumerate(group):
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            parts.append(group[start:at])
            start = at + 1
    return [*parts, group[start:]]
