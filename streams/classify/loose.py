"""Reads what was meant as an object and can't be decoded: JSON that was cut off, a Python repr, a Java or Ruby map.

In comes a text and where the object begins; out come dicts, lists and texts as far as they can be told. Every character
is looked at once, and never does anything raise.
"""

import re

_MOST_TOKENS = 250
_DEEPEST = 24
# A text in quotes: no two pieces can take the same character, so there is one way only to read it.
_QUOTED = {
    '"': re.compile(r'"([^"\\]{0,8000}(?:\\.[^"\\]{0,8000}){0,400})"?', re.DOTALL),
    "'": re.compile(r"'([^'\\]{0,8000}(?:(?:\\.|(?<=\w)'(?=\w))[^'\\]{0,8000}){0,400})'?", re.DOTALL),
    '\\"': re.compile(r'\\"([^"\\]{0,8000}(?:\\[^"][^"\\]{0,8000}){0,400})(?:\\?")?', re.DOTALL),
    "\\'": re.compile(r"\\'([^'\\]{0,8000}(?:\\[^'][^'\\]{0,8000}){0,400})(?:\\?')?", re.DOTALL),
}
_BARE = re.compile(r"[^{}\[\],:=\"]{1,6000}|[\"]")
_SPACE = re.compile(r"(?:\s|\\(?![\"'])){0,200}")
_TYPED = re.compile(r"[bu](?=\\?[\"'])")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")

Value = dict[object, object] | list[object]


def read_loosely(text: str, start: int) -> Value:
    """The object that begins at `start`; what is missing at its end is taken as closed."""
    return _Reader(text, start).read()


class _Reader:
    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start
        self._open: list[tuple[Value, str]] = []
        self._key = ""

    def read(self) -> Value:
        top: Value = {} if self._text[self._at] == "{" else []
        self._open.append((top, ""))
        self._at += 1
        for _ in range(_MOST_TOKENS):
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if self._at >= len(self._text) or not self._open:
                break
            self._token(self._text[self._at])
        return top

    def _token(self, character: str) -> None:
        if character in "{[":
            self._at += 1
            if len(self._open) < _DEEPEST:
                inner: Value = {} if character == "{" else []
                self._put(inner)
                self._open.append((inner, self._key))
                self._key = ""
        elif character in "}]":
            self._at += 1
            _, self._key = self._open.pop()
            self._key = ""
        elif character in ",:=":
            self._at += 1
            if character == ",":
                self._key = ""
        else:
            self._scalar()

    def _scalar(self) -> None:
        if typed := _TYPED.match(self._text, self._at):
            self._at = typed.end()
        opening = self._text[self._at : self._at + 2]
        quoted = _QUOTED.get(opening) or _QUOTED.get(opening[:1])
        found = quoted.match(self._text, self._at) if quoted else None
        if found is not None:
            said = _unescaped(found[1])
        else:
            found = _BARE.match(self._text, self._at)
            if found is None:
                self._at += 1
                return
            said = found[0].strip()
        self._at = found.end()
        after = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        is_key = self._text[after : after + 1] in (":", "=") and isinstance(self._open[-1][0], dict) and not self._key
        if is_key:
            self._key = said
        elif said:
            self._put(said)

    def _put(self, value: object) -> None:
        holder = self._open[-1][0]
        if isinstance(holder, list):
            holder.append(value)
            return
        key = self._key or f"text {len(holder)}"
        present = holder.get(key)
        # An unquoted text goes on behind a colon or a comma of its own.
        holder[key] = f"{present} {value}" if isinstance(present, str) and isinstance(value, str) else value


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return text.replace("\\n", " ").replace('\\"', '"').replace("\\'", "'").replace("\\/", "/").replace("\\\\", "\\")
