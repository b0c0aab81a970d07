"""Labelled messages of failed records, each with its reason: what likeness learns from.

Comes in: messages/*.tsv, a reason and a message a line; known_messages.tsv of the classifier's tests, with codes. They
are examples that this project wrote after the errors of real systems, texts of such systems or like theirs; names and
ids are invented, no customer's message is among them.
"""

from pathlib import Path
from typing import NamedTuple

from schemas.reasons import Catalogue, CatalogueError

FOLDER = Path(__file__).parent / "messages"
KNOWN = Path(__file__).parents[1] / "classify" / "known_messages.tsv"


class Labelled(NamedTuple):
    """A message and its reason: `unclassified` where the message says too little."""

    reason: str
    message: str


def load(name: str, text: str, catalogue: Catalogue) -> list[Labelled]:
    """The messages of a file. CatalogueError names the line that is none."""
    found: list[Labelled] = []
    for number, line in enumerate(text.split("\n"), 1):
        reason, tab, message = line.partition("\t")
        if not line:
            continue
        if not tab or not message.strip():
            raise CatalogueError(f"{name}, line {number}: must be a reason, a tab and a message, is {line[:80]!r}")
        if reason not in catalogue.by_code:
            raise CatalogueError(f"{name}, line {number}: {reason!r} is no reason of reasons.toml")
        found.append(Labelled(reason, message))
    return found


def labelled(catalogue: Catalogue) -> list[Labelled]:
    """All of them, by file and line."""
    files = sorted(FOLDER.glob("*.tsv"))
    return [one for file in files for one in load(file.name, file.read_text(encoding="utf-8"), catalogue)]


def known() -> list[tuple[str, str, str]]:
    """The messages that must have their reason: (reason, code, message)."""
    lines = KNOWN.read_text(encoding="utf-8").splitlines()
    return [(reason, code, message) for reason, code, message in (one.split("\t") for one in lines if one[:1] != "#")]
