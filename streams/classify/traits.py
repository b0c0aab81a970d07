"""The traits of a template that likeness goes by: its words' stems, and which stands behind which.

In come a code and a template; out go stems and pairs of stems. Scripts without spaces are read letter by letter. A bar
stands for the beginning and the end of what was said, so a first and a last word are pairs of their own.
"""

import re
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Final

from streams.classify.mask import FIRST_UNSPACED, parted, plain

BAR: Final = b"|"
STEM: Final = 6
_MOST_WORDS: Final = 400
_CODE: Final = 80
_KEPT: Final = b"|<#"
_SPACED: Final = bytes(one if bytes([one]).isalnum() or one in _KEPT or one > 127 else 32 for one in range(256))
_WORD: Final = re.compile(
    f"[{FIRST_UNSPACED}-\U0010ffff]|[^\\W_{FIRST_UNSPACED}-\U0010ffff]{{1,80}}|<\\w{{1,20}}|[|#]"
)


def traits_of(code: str, template: str) -> tuple[Collection[bytes], Iterable[tuple[bytes, bytes]]]:
    """The stems of a template and of the code beside it, and the pairs of those that are neighbours, each once."""
    text = _text(code, template)
    if text.isascii():  # bytes are parted three times as fast
        stems = [BAR, *[word[:STEM] for word in text.encode().translate(_SPACED).split()[:_MOST_WORDS]], BAR]
    else:
        stems = [BAR, *[word[:STEM].encode("utf-8", "replace") for word in _WORD.findall(text)[:_MOST_WORDS]], BAR]
    once = dict.fromkeys(stems)  # a dict is a set that is made faster
    some_come_again = len(once) < len(stems) - 1  # the bar always does
    return once, dict.fromkeys(pairwise(stems)) if some_come_again else pairwise(stems)


def words_of(code: str, template: str) -> list[str]:
    """The words whose beginnings are the stems, in their order."""
    text = _text(code, template)
    words = text.encode().translate(_SPACED).decode().split() if text.isascii() else _WORD.findall(text)
    return words[:_MOST_WORDS]


def _text(code: str, template: str) -> str:
    text = f"{parted(code[:_CODE]).lower()} | {template}" if code else template
    return text if text.isascii() else plain(text)
