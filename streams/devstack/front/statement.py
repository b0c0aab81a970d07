"""Reads just enough SQL to route a request: where an INSERT's head ends and its data begins, which FORMAT an answer
has, and whether the engine can stream it. Statement text comes in, small values go out; nothing is executed.
"""

import re
from dataclasses import dataclass

# A statement longer than this is no statement: ClickHouse itself stops at 256 KiB unless told otherwise.
MAX_HEAD = 256 * 1024

_TOKEN = re.compile(
    rb"""(?P<blank>\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)
    |(?P<quoted>'(?:\\.|''|[^'\\])*'|`(?:\\.|``|[^`\\])*`|"(?:\\.|""|[^"\\])*")
    |(?P<word>[A-Za-z_]\w*)
    |(?P<other>.)""",
    re.S | re.X,
)
# ClickHouse drops blanks and at most one line end after the format's name; all that follows is data, also blanks.
_FORMAT_NAME = re.compile(rb"\s+(\w+)(?=[\s;])[ \t\f]*;?[ \t\f]*(?:\r?\n)?")
_OUTPUT_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.I)


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An `INSERT INTO ... FORMAT name`, without its data, which begins at `data_start` of the scanned text."""

    text: bytes
    format: str
    data_start: int


def first_word(text: bytes) -> str:
    """The statement's first keyword in upper case, past comments and opening brackets; '' where there is none yet."""
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "word":
            return token.group().upper().decode()
        if token.lastgroup != "blank" and token.group() != b"(":
            return ""
    return ""


def insert_head(text: bytes) -> InsertHead | None:
    """The head of an INSERT whose data follows it, or None: too little text yet, or an INSERT without such data.

    Names in brackets, quotes and comments are passed over, so a column called `format` or `values` does no harm.
    """
    depth = 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "word" and depth == 0:
            word = token.group().upper()
            if word in (b"SELECT", b"WITH", b"VALUES", b"EXPLAIN"):
                return None
            if word == b"FORMAT" and (name := _FORMAT_NAME.match(text, token.end())):
                return InsertHead(text[: token.start()], name[1].decode(), name.end())
        elif token.group() == b"(":
            depth += 1
        elif token.group() == b")":
            depth -= 1
    return None


def output_format(text: bytes) -> str | None:
    """The format that the statement itself asks for, or None."""
    found = _OUTPUT_FORMAT.search(text)
    return found[1].decode() if found else None


def without_format(text: bytes) -> bytes:
    """The statement without its FORMAT clause and closing semicolon, fit to stand in brackets."""
    return _OUTPUT_FORMAT.sub(b"", text).rstrip().rstrip(b";")
