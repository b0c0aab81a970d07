"""Labelled messages of failed records, each with its reason: what `streams.classify.likeness` learns from.

Comes in: examples/errors.tsv, a reason and a message a line. Goes out: `LABELLED`, in the file's order. They are
examples that this project wrote after the errors of real systems; no message of a customer is among them.
"""

from pathlib import Path
from typing import Final, NamedTuple

from schemas.reasons import CATALOGUE, Catalogue, CatalogueError


class Labelled(NamedTuple):
    """A message and its reason: `unclassified` where the message says too little."""

    reason: str
    message: str


def load(text: str, catalogue: Catalogue) -> tuple[Labelled, ...]:
    """The messages of a file; a line that begins with # is a note. Raises CatalogueError, which names the line."""
    found: list[Labelled] = []
    for number, line in enumerate(text.split("\n"), 1):
        reason, tab, message = line.partition("\t")
        if not line or line.startswith("#"):
            continue
        if not tab or not message.strip():
            raise CatalogueError(f"errors.tsv, line {number}: must be a reason, a tab and a message, is {line[:80]!r}")
        if reason not in catalogue.by_code:
            raise CatalogueError(f"errors.tsv, line {number}: {reason!r} is no reason of reasons.toml")
        found.append(Labelled(reason, message))
    return tuple(found)


_FILE = Path(__file__).parent / "examples" / "errors.tsv"
LABELLED: Final = load(_FILE.read_text(encoding="utf-8"), CATALOGUE)
