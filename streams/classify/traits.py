"""The traits of a template that likeness goes by: its words' stems, and which stands behind which.

In come a code and a template; out go stems and pairs of stems, each once. Scripts without spaces are read letter by
letter. A bar stands for the beginning and the end of what was said, so a first and a last word are pairs of their own.
"""

import re
from typing import Final, NamedTuple

from streams.classify.mask import parted, plain
from streams.classify.vocabulary import FIRST_UNSPACED

BAR: Final = "|"
STEM: Final = 6
_MOST_WORDS: Final = 400
_CODE: Final = 80
_KEPT: Final = "|<#"
_SPACED: Final = str.maketrans({one: " " for one in map(chr, range(128)) if not one.isalnum() and one not in _KEPT})
_LETTER: Final = re.compile(
    f"[{FIRST_UNSPACED}-\U0010ffff]|[^\\W_{FIRST_UNSPACED}-\U0010ffff]{{1,80}}|<\\w{{1,20}}|[|#]"
)


class Traits(NamedTuple):
    """What a text has, in no order."""

    stems: frozenset[str]
    pairs: frozenset[tuple[str, str]]


def traits_of(code: str, template: str) -> Traits:
    """The traits of a template and of the code beside it."""
    stems = [BAR, *[word[:STEM] for word in words_of(code, template)], BAR]
    return Traits(frozenset(stems), frozenset(zip(stems, stems[1:], strict=False)))


def words_of(code: str, template: str) -> list[str]:
    """The words whose beginnings are the stems, in their order."""
    text = f"{parted(code[:_CODE]).lower()} | {template}" if code else template
    if text.isascii():
        return text.translate(_SPACED).split()[:_MOST_WORDS]
    return _LETTER.findall(plain(text))[:_MOST_WORDS]
