"""The traits of a template that likeness goes by: its words' stems, and which stands behind which.

In come a code and a template; out go stems and pairs of stems. Scripts without spaces are read letter by letter. A bar
stands for the beginning and the end of what was said, so a first and a last word are pairs of their own.
"""

import re
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Final, TypeVar

from streams.classify.mask import FIRST_UNSPACED, beside, plain

_Word = TypeVar("_Word", str, bytes)
BAR: Final = b"|"
STEM: Final = 6
_FIRST_WORDS: Final = 300
_LAST_WORDS: Final = 100
_CODE: Final = 80
_SPACED: Final = bytes(one if chr(one).isascii() and chr(one).isalnum() or one in b"|<#" else 32 for one in range(256))
_LETTER: Final = f"[^\\W_{FIRST_UNSPACED}-\U0010ffff]"
_WORD: Final = re.compile(f"[{FIRST_UNSPACED}-\U0010ffff]|{_LETTER}{{1,2000}}|<{_LETTER}{{0,2000}}|[|#]")


def traits_of(code: str, template: str) -> tuple[Collection[bytes], Iterable[tuple[bytes, bytes]]]:
    """The stems of a template and of the code beside it, and the pairs of those that are neighbours, each once."""
    text = _text(code, template)
    if text.isascii():  # bytes are parted three times as fast
        stems = [BAR, *[word[:STEM] for word in _some(_parted(text))], BAR]
    else:
        stems = [BAR, *[word[:STEM].encode("utf-8", "replace") for word in _some(_WORD.findall(text))], BAR]
    once = dict.fromkeys(stems)  # a dict is a set that is made faster
    some_come_again = len(once) < len(stems) - 1  # the bar always does
    return once, dict.fromkeys(pairwise(stems)) if some_come_again else pairwise(stems)


def words_of(code: str, template: str) -> list[str]:
    """The words whose beginnings are the stems, in their order."""
    text = _text(code, template)
    return _some([word.decode() for word in _parted(text)] if text.isascii() else _WORD.findall(text))


def _text(code: str, template: str) -> str:
    text = beside(code[:_CODE], template)
    return text if text.isascii() else plain(text)


def _parted(text: str) -> list[bytes]:
    """What _WORD finds, of a text in ASCII."""
    if "#" in text:
        text = text.replace("#", " # ")
    if "<" in text:
        text = text.replace("<", " <")
    if "|" in text:
        text = text.replace("|", " | ")
    return text.encode().translate(_SPACED).split()


def _some(words: list[_Word]) -> list[_Word]:
    """The first and the last of very many, as a long text's head and tail are kept: the cause stands at either end."""
    if len(words) <= _FIRST_WORDS + _LAST_WORDS:
        return words
    return words[:_FIRST_WORDS] + words[-_LAST_WORDS:]
