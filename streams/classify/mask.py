"""Masks the variable parts of a message, so that a million messages become one template, and reads a template's words.

In comes unwrapped text; out goes its template: lower case, numbers as #, quoted values, e-mail addresses and URLs as
tags, CamelCase split into words. `blur` is its first step alone, a single pass in C: cheap enough for a cache's key.
`words` is the last: what the catalogue's patterns are compared with.
"""

import re
import unicodedata
from typing import Final

HEAD: Final = 640
TAIL: Final = 320
FIRST_UNSPACED: Final = "\u2e80"
"""From here on are the scripts that write words without spaces."""
UNSPACED: Final = re.compile(f"[{FIRST_UNSPACED}-\U0010ffff]")
_UNSPACED_RUN = re.compile(f"[{FIRST_UNSPACED}-\U0010ffff]{{1,{HEAD + TAIL}}}")
SKIPPED: Final = frozenset(("a", "an", "the", "been", "being", "please"))
"""Words that say nothing wherever they stand between others: patterns are written without them."""

_DIGITS = bytes.maketrans(b"023456789", b"1" * 9)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "`": "'", "\u00a0": " "})
_QUOTE = re.compile(f"[{''.join(map(chr, _QUOTES))}]")
_URL = re.compile(r"(?:https?://|www\.)[^\s\"'<>]{1,2000}")
_EMAIL = re.compile(r"(?<![\w.+#-])[\w.+#-]{1,64}@[\w#-]{1,63}(?:\.[\w#-]{1,63}){1,6}")
_QUOTED = re.compile(r"\"[^\"]{0,60}\"|'(?<!\w')[^']{0,60}'(?!\w)")
_NUMBER = re.compile(r"1(?:[\w#.,:/-]{0,64}1)?(?:\w{4,20})?", re.ASCII)
_CAMEL = re.compile(r"[A-Z](?<=[a-z][A-Z])(?=[a-z])")
_CAMEL_CASE = "aAa"
_CONTROL = "\n"
_CASES = b"".join(
    b"a" if one.islower() else b"A" if one.isupper() else b" " if one >= " " else b"\n" for one in map(chr, range(128))
).ljust(256)
_WORDS_IN_A_VALUE = 4
_PUNCTUATION = bytes.maketrans(b"\"'()[]{},:=+*&%$\\/-.@^~_`", b" " * 25)
_ACCENTED = re.compile("[\u00c0-\u017f]")
# The letters that stay are listed, too: one that a table lacks costs half as much again.
_LATIN = {code: unicodedata.normalize("NFD", chr(code))[0] for code in range(0x180)} | {ord("ß"): "ss"}
# Of the first 256 each letter is one letter but ß, and this takes a tenth of the time.
_NARROW = bytes(ord(_LATIN[one]) if len(_LATIN[one]) == 1 else one for one in range(256))
_WIDE = _LATIN | str.maketrans(
    {"。": "|", "、": " ", "，": " ", "「": " ", "」": " ", "¡": " ", "¿": " ", "–": " ", "—": " "}
)


def clip(text: str) -> str:
    """Head and tail of a long text: what it costs to classify then has a bound. The cause stands at either end.

    Of a text with ends of which a third or more is in a script without spaces a third: a letter says there what takes
    three elsewhere, and costs as much.
    """
    if len(text) <= (HEAD + TAIL) // 3:
        return text
    part = 1
    if not text.isascii():
        looked_at = text if len(text) <= HEAD + TAIL else text[:HEAD] + text[-TAIL:]
        part = 3 if 3 * sum(map(len, _UNSPACED_RUN.findall(looked_at))) >= len(looked_at) else 1
    return text if len(text) <= (HEAD + TAIL) // part else f"{text[: HEAD // part]} | {text[-(TAIL // part) :]}"


def blur(text: str) -> bytes:
    """The text with every digit as 1: JSON stays JSON, and messages that differ in their numbers only are the same.

    As bytes, for these are translated ten times as fast; `sharp` makes text of them.
    """
    return text.encode("utf-8", "surrogatepass").translate(_DIGITS)


def sharp(blurred: bytes) -> str:
    """The text of what was blurred."""
    return blurred.decode("utf-8", "surrogatepass")


def template(blurred: str) -> str:
    """The template of a text that was clipped and blurred."""
    text = blurred
    if not text.isascii():
        quoted = text.translate(_QUOTES) if _QUOTE.search(text) else text
        text = sharp(blur(unicodedata.normalize("NFKC", quoted)))
    if "://" in text or "www." in text:
        text = _URL.sub("<url>", text)
    if "@" in text:
        text = _EMAIL.sub("<email>", text)
    if '"' in text or text.count("'") > 1:
        text = _QUOTED.sub(_value, text)
    if "1" in text:
        text = _NUMBER.sub("#", text)
    cases = _cases(text)
    text = (_CAMEL.sub(_split, text) if _CAMEL_CASE in cases else text).lower()
    controls = _CONTROL in cases if text.isascii() else not text.isprintable()
    if controls or "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    # Tags can be longer than what they stand for; the rules count on the bound.
    return clip(text)


def words(template: str) -> str:
    """The words of a template: no punctuation or accents, sentences parted by ` | `, contractions in full."""
    text = template
    if "'" in text:
        text = text.replace("can't", "can not").replace("won't", "will not").replace("n't", " not")
    if "cannot" in text:
        text = text.replace("cannot", "can not")
    if "e-mail" in text:
        text = text.replace("e-mail", "email")
    if "(" in text:
        text = text.replace("(s)", "s").replace("(es)", "es")
    if ". #" in text:
        text = text.replace(". #", " #")  # no. 12
    for end in (". ", "; ", "! ", "? "):
        if end in text:
            text = text.replace(end, " | ")
    if not text.isascii():
        text = text.translate(_WIDE).replace("|", " | ")
    return text.encode("utf-8", "surrogatepass").translate(_PUNCTUATION).decode("utf-8", "surrogatepass").rstrip("!?; ")


def parted(text: str) -> str:
    """The text with its CamelCase words split, as codes of many systems are written."""
    return _CAMEL.sub(_split, text) if _CAMEL_CASE in _cases(text) else text


def beside(code: str, template: str) -> str:
    """A template with the words of the code that came apart before it."""
    return f"{parted(code).lower()} | {template}" if code else template


def plain(text: str) -> str:
    """The text without accents: half of the systems that write in these languages leave them out."""
    if not _ACCENTED.search(text):
        return text
    try:
        narrow = text.encode("latin-1")
    except UnicodeEncodeError:
        return text.translate(_LATIN)
    return narrow.translate(_NARROW).decode("latin-1").replace("ß", "ss")


def _cases(text: str) -> str:
    """`a` for each small letter of ASCII, `A` for each large one, a line's end for each control: most texts have no
    CamelCase and no controls, which this tells sooner than looking for them."""
    return text.encode("utf-8", "surrogatepass").translate(_CASES).decode("latin-1")


def _value(quoted: re.Match[str]) -> str:
    """A quoted vendor code or a quoted sentence speaks; a quoted value does not."""
    inner = quoted[0][1:-1]
    if ("_" in inner and inner.isupper()) or inner.count(" ") >= _WORDS_IN_A_VALUE:
        return inner
    return "<value>"


def _split(capital: re.Match[str]) -> str:
    return f" {capital[0]}"
