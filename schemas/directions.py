"""The directions in which records are synced, read once from `directions.toml`.

A direction belongs to a pair of systems; the page shows one tab per direction of a pair. An event that names another
direction is refused with the code `unknown_value`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Direction:
    """One way between two systems; `modules` are the usual ones, events may name others."""

    code: str
    source: str
    target: str
    modules: tuple[str, ...]
    pair: int

    @property
    def title(self) -> str:
        return f"{self.source} to {self.target}"


def _load() -> dict[str, Direction]:
    pairs = tomllib.loads(Path(__file__).with_name("directions.toml").read_text())["pair"]
    return {
        entry["code"]: Direction(entry["code"], entry["from"], entry["to"], tuple(entry["modules"]), number)
        for number, pair in enumerate(pairs)
        for entry in pair["directions"]
    }


DIRECTIONS: dict[str, Direction] = _load()
CODES: frozenset[str] = frozenset(DIRECTIONS)


def tabs(code: str) -> list[Direction]:
    """The directions of the pair that `code` belongs to, in the order of the file. KeyError for an unknown code."""
    return [d for d in DIRECTIONS.values() if d.pair == DIRECTIONS[code].pair]
