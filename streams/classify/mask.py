"""Masks the variable parts of a message, so that a million messages become one template.

In comes unwrapped text; out goes its template: lower case, numbers as #, quoted values, e-mail addresses and URLs as
tags, CamelCase split into words. `blur` is its first step alone, a single pass in C: cheap enough for a cache's key.
"""

import re
import unicodedata
from typing import Final

HEAD: Final = 1024
TAIL: Final = 384

_DIGITS = str.maketrans(dict.fromkeys("0123456789", "#"))
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "`": "'", "\u00a0": " "})
_URL = re.compile(r"(?:https?://|www\.)[^\s\"'<>]{1,2000}")
_EMAIL = re.compile(r"(?<![\w.+#-])[\w.+#-]{1,64}@[\w#-]{1,63}(?:\.[\w#-]{1,63}){1,6}")
_QUOTED = re.compile(r"\"[^\"]{0,60}\"|(?<!\w)'[^']{0,60}'(?!\w)")
_NUMBER = re.compile(r"#(?:[\w#.,:/-]{0,64}#)?(?:\w{4,20})?")
_CAMEL = re.compile(r"[A-Z](?<=[a-z][A-Z])(?=[a-z])")
_WORDS_IN_A_VALUE = 4


def clip(text: str) -> str:
    """Head and tail of a long text: what it costs to classify then has a bound. The cause stands at either end."""
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} | {text[-TAIL:]}"


def blur(text: str) -> str:
    """The text with every digit as #."""
    return text.translate(_DIGITS)


def template(blurred: str) -> str:
    """The template of a text that was clipped and blurred."""
    text = blurred
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_QUOTES)).translate(_DIGITS)
    if "://" in text or "www." in text:
        text = _URL.sub("<url>", text)
    if "@" in text:
        text = _EMAIL.sub("<email>", text)
    if '"' in text or "'" in text:
        text = _QUOTED.sub(_value, text)
    if "#" in text:
        text = _NUMBER.sub("#", text)
    text = _CAMEL.sub(_split, text)
    # Tags can be longer than what they stand for; the rules count on the bound.
    return clip(" ".join(text.lower().split()))


def _value(quoted: re.Match[str]) -> str:
    """A quoted vendor code or a quoted sentence speaks; a quoted value does not."""
    inner = quoted[0][1:-1]
    if ("_" in inner and inner.isupper()) or inner.count(" ") >= _WORDS_IN_A_VALUE:
        return inner
    return "<value>"


def _split(capital: re.Match[str]) -> str:
    return f" {capital[0]}"
