"""The catalogue of reasons, loaded once from reasons.toml: why a record did not sync, in words and as patterns.

Comes in: the TOML beside this module. Goes out: `CATALOGUE`, whose order is the order of precedence among the errors of
one record. A malformed catalogue is refused when it is loaded, with the entry named.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from schemas.phrases import PhraseError, Way, ways

UNCLASSIFIED: Final = "unclassified"


class CatalogueError(ValueError):
    """reasons.toml can't be used; the text names the entry and what to change."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One family of words, in the language of `schemas.phrases`. A lower priority number wins."""

    match: str
    priority: int
    ways: tuple[Way, ...] = field(repr=False)


class _PatternEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    match: str
    priority: int


class _ReasonEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    title: str
    meaning: str
    owner: str
    remedy: str
    retry: str
    retryable: bool
    words: int
    codes: list[str]
    numbers: list[str]
    patterns: list[str | _PatternEntry]
    positive: list[str]
    negative: list[str]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    reason: list[_ReasonEntry]
    terms: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Example:
    """A message, with the code that the other side gave apart ('' if none)."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry of the catalogue. `retry` says in words what `retryable` says as a fact: would a retry alone help?"""

    code: str
    title: str
    meaning: str
    owner: str
    remedy: str
    retry: str
    retryable: bool
    codes: tuple[str, ...]
    numbers: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    positive: tuple[Example, ...] = field(repr=False)
    negative: tuple[Example, ...] = field(repr=False)


@dataclass(frozen=True)
class Catalogue:
    """All reasons in order of precedence, `unclassified` last, and the version that rows are stored with."""

    version: int
    reasons: tuple[Reason, ...]

    @cached_property
    def by_code(self) -> dict[str, Reason]:
        return {reason.code: reason for reason in self.reasons}

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {reason.code: rank for rank, reason in enumerate(self.reasons)}

    def rank(self, code: str) -> int:
        """The place of a reason, 0 first. A code of another catalogue version that is gone here ranks behind all."""
        return self._ranks.get(code, len(self.reasons))


def load(text: str) -> Catalogue:
    """The catalogue in a TOML text. Raises CatalogueError, which names the entry and what is wrong with it."""
    try:
        document = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"reasons.toml: {error}") from error
    reasons = tuple(_reason(entry, document.terms) for entry in document.reason)
    _check_together(reasons)
    return Catalogue(document.version, reasons)


def _reason(entry: _ReasonEntry, terms: Mapping[str, str]) -> Reason:
    for name in ("code", "title", "meaning", "owner", "remedy", "retry"):
        if not getattr(entry, name).strip():
            raise CatalogueError(f"reason {entry.code!r}: {name} is empty; every reason needs it on the page")
    if not re.fullmatch("[a-z]+(_[a-z]+){0,5}", entry.code):
        raise CatalogueError(f"reason {entry.code!r}: code must be lower-case words joined by underscores")
    return Reason(
        code=entry.code,
        title=entry.title,
        meaning=entry.meaning,
        owner=entry.owner,
        remedy=entry.remedy,
        retry=entry.retry,
        retryable=entry.retryable,
        codes=tuple(entry.codes),
        numbers=tuple(entry.numbers),
        patterns=tuple(_pattern(entry, pattern, terms) for pattern in entry.patterns),
        positive=tuple(_example(text) for text in entry.positive),
        negative=tuple(_example(text) for text in entry.negative),
    )


def _pattern(reason: _ReasonEntry, entry: str | _PatternEntry, terms: Mapping[str, str]) -> Pattern:
    match, priority = (entry, reason.words) if isinstance(entry, str) else (entry.match, entry.priority)
    try:
        return Pattern(match, priority, ways(match, terms))
    except PhraseError as error:
        raise CatalogueError(f"reason {reason.code!r}, pattern {match!r}: {error}") from error


def _example(text: str) -> Example:
    code, apart, message = text.partition(" :: ")
    return Example(code, message) if apart else Example("", text)


def _check_together(reasons: tuple[Reason, ...]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for reason in reasons:
        named = [("code", reason.code)]
        named += [("vendor code", code) for code in reason.codes] + [("number", number) for number in reason.numbers]
        named += [("pattern", pattern.match) for pattern in reason.patterns]
        for key in named:
            if key in owners:
                raise CatalogueError(f"reason {reason.code!r}: {key[0]} {key[1]!r} is also in {owners[key]!r}")
            owners[key] = reason.code
    if not reasons or reasons[-1].code != UNCLASSIFIED:
        raise CatalogueError(f"the last reason must be {UNCLASSIFIED!r}: it stands behind every reason that is known")


CATALOGUE: Final = load(Path(__file__).with_name("reasons.toml").read_text(encoding="utf-8"))
