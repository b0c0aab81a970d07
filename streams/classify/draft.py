"""Drafts a rule from the samples of one template, for a person to review: nothing is learned by itself.

In come a template's key and raw messages that have it; out goes a pattern of its stable words, checked against every
example of the catalogue, with a guess at the reason. `as_toml` writes it in the form of schemas/reasons.toml.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from schemas.reasons import CATALOGUE, UNCLASSIFIED, CatalogueError, Reason, load
from streams.classify.grouping import Group, Key, printable
from streams.classify.mask import SKIPPED, words
from streams.classify.match import Matcher
from streams.classify.templates import template_of

_GAP: Final = "~"
_BORDER: Final = "|"
_MOST_GAPS = 2
_SIZES = (4, 6, 8)  # words of a pattern: few at first, because a family says it in many ways
_PLAIN = re.compile(r"[^\W\d_]{1,40}")
_STEM = 5
# fmt: off
_FAINT = frozenset(
    (
        "and", "are", "as", "at", "be", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has", "have",
        "if", "in", "into", "is", "it", "its", "may", "must", "no", "not", "of", "on", "or", "our", "should", "than",
        "that", "their", "them", "then", "there", "these", "this", "to", "was", "we", "were", "will", "with", "would",
        "you", "your",
    )
)
# fmt: on


class DraftRefused(ValueError):
    """No rule can be drafted from the template; the text says why."""


class Guess(NamedTuple):
    """The reason whose examples have the most telling words of a template; `reason` is '' if none has any."""

    reason: str
    words: tuple[str, ...]


class Draft(NamedTuple):
    """A checked rule. `examples` are what it decides: (code, message)."""

    key: Key
    pattern: str
    guess: Guess
    chosen: str
    examples: tuple[tuple[str, str], ...]
    compared: int

    @property
    def reason(self) -> str:
        return self.chosen or self.guess.reason


def draft(key: Key, samples: Sequence[str], chosen: str = "") -> Draft:
    """A rule that decides all samples and no example of another reason than `chosen` or, without it, than the guess.

    DraftRefused where no pattern of the template's words does.
    """
    text = words(f"{key.code.lower()} | {key.template}" if key.code else key.template)
    guess = Guess(chosen, ()) if chosen else nearest(text)
    others = [
        (code, message)
        for reason in CATALOGUE.reasons
        for code, message in _forbidden(reason, chosen or guess.reason)
    ]  # fmt: skip
    mine = tuple((key.code, sample) for sample in samples)
    in_the_way: list[str] = []
    for pattern in dict.fromkeys(_patterns(text)):
        decides = _Rule(pattern)
        missed = [message for code, message in mine if not decides(code, message)]
        taken = [f"{code} :: {message}" if code else message for code, message in others if decides(code, message)]
        if not missed and not taken:
            return Draft(key, pattern, guess, chosen, mine, len(others))
        in_the_way = taken or in_the_way
    raise DraftRefused(
        f"every pattern of its words would also decide the catalogue's example {in_the_way[0]!r}: its words say too "
        f"little. Ask the sender for the message inside{_by_its_code(key)}"
        if in_the_way
        else "it has no words that a pattern could be made of: a rule for it needs a code, or a better message"
    )


def _by_its_code(key: Key) -> str:
    return f", or add {key.code} to the `codes` of the right reason" if key.code else ""


def nearest(text: str) -> Guess:
    """The reason whose positive examples share the rarest words with a template's words."""
    stems = {word[:_STEM]: word for word in _content(text)}
    known = _stems_by_reason()
    spread = Counter(stem for of_reason in known.values() for stem in of_reason)
    scores = {
        code: sum(math.log(len(known) / spread[stem]) for stem in stems.keys() & of_reason)
        for code, of_reason in known.items()
    }
    best, second = sorted(scores, key=lambda code: -scores[code])[:2]
    if scores[best] <= scores[second]:
        return Guess("", ())
    spoke = sorted(stems.keys() & known[best], key=lambda stem: (spread[stem], stem))
    return Guess(best, tuple(stems[stem] for stem in spoke[:4]))


def as_toml(made: Draft, group: Group, seen: str) -> str:
    """The rule as a fragment to review; `seen` says in words when its errors were seen."""
    examples = "".join(f"  {_quoted(_as_example(code, message))},\n" for code, message in made.examples)
    head = [
        f"Draft of a rule, to be reviewed: {group.errors:,} errors of {group.tenants:,} tenants, {seen}:",
        f"  {printable(made.key.text)}",
        _about_the_reason(made),
        "To take it over: add pattern and examples to that reason in schemas/reasons.toml, raise its version, run",
        "`make learn` and the tests, deploy, and `synclogs reclassify`. The examples are customers' messages: replace",
        "names and numbers.",
        f"Checked: it matches its {len(made.examples)} examples and none of {made.compared} others of the catalogue.",
    ]
    comment = "".join(f"# {line}\n" for line in head)
    rule = f"[[reason]]\ncode = {_quoted(made.reason)}\npatterns = [\n  '{made.pattern}',\n]\n"
    return f"{comment}{rule}positive = [\n{examples}]\n"


def _about_the_reason(made: Draft) -> str:
    if made.chosen:
        return f"The reason {made.chosen} was given."
    if not made.guess.reason:
        return "NO REASON: no example in the catalogue has its words. Fill in the code of the right one."
    return f"THE REASON IS A GUESS, from the words: {', '.join(made.guess.words)}. Check it."


def _forbidden(reason: Reason, drafted: str) -> Iterator[tuple[str, str]]:
    """What a rule for `drafted` must not decide: the examples of other reasons, and what its own is not."""
    for example in reason.negative if reason.code == drafted else reason.positive:
        yield example.code, example.message


class _Rule:
    """The pattern alone, as the classifier would read it from a catalogue."""

    def __init__(self, pattern: str) -> None:
        try:
            self._matcher = Matcher(load(_ALONE.format(pattern=pattern)))
        except CatalogueError as error:
            raise DraftRefused(f"its words make no pattern of the catalogue: {error}") from error

    def __call__(self, code: str, message: str) -> bool:
        return self._matcher.words(code, template_of(message)).reason != UNCLASSIFIED


def _patterns(text: str) -> Iterator[str]:
    """Patterns of the most telling words of any sentence, from few words to many."""
    for size in _SIZES:
        sentences = [_stable(sentence) for sentence in text.split(f" {_BORDER} ")]
        windows = [window for sentence in sentences for window in _windows(sentence, size)]
        if windows:
            yield " ".join(sorted(windows, key=_telling)[-1])


def _stable(sentence: str) -> list[str]:
    """The words of a sentence without its variable parts, which are gaps."""
    tokens: list[str] = []
    for word in sentence.split():
        if word in SKIPPED:
            continue
        if _PLAIN.fullmatch(word):
            tokens.append(word)
        elif tokens and tokens[-1] != _GAP:
            tokens.append(_GAP)
    return tokens


def _windows(tokens: list[str], size: int) -> Iterator[list[str]]:
    """Every longest run of at most `size` words and two gaps that begins and ends with a word that says something."""
    for start, token in enumerate(tokens):
        if not _says_something(token):
            continue
        end = count = gaps = 0
        for at in range(start, len(tokens)):
            gaps += tokens[at] == _GAP
            count += tokens[at] != _GAP
            if gaps > _MOST_GAPS or count > size:
                break
            if _says_something(tokens[at]):
                end = at + 1
        yield tokens[start:end]


def _telling(window: list[str]) -> tuple[int, int]:
    return (sum(len(word) for word in window if _says_something(word)), -len(window))


def _says_something(token: str) -> bool:
    return token != _GAP and token not in _FAINT and (len(token) > 1 or not token.isascii())


def _content(text: str) -> Iterator[str]:
    return (word for word in text.split() if _PLAIN.fullmatch(word) and _says_something(word) and word not in SKIPPED)


def _stems_by_reason() -> dict[str, set[str]]:
    return {
        reason.code: {
            word[:_STEM] for example in reason.positive for word in _content(words(template_of(example.message)))
        }
        for reason in CATALOGUE.reasons
        if reason.code != UNCLASSIFIED
    }


def _as_example(code: str, message: str) -> str:
    """A message that has the separator in itself gets an empty code in front, or it would be read as one."""
    return f"{code} :: {message}" if code or " :: " in message else message


def _quoted(text: str) -> str:
    """A TOML string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


_ALONE = """version = 1
[[reason]]
code = "drafted"
title = "t"
meaning = "m"
owner = "o"
remedy = "r"
retry = "No"
retryable = false
words = 1
codes = []
numbers = []
patterns = ['{pattern}']
positive = []
negative = []
[[reason]]
code = "unclassified"
title = "t"
meaning = "m"
owner = "o"
remedy = "r"
retry = "No"
retryable = false
words = 2
codes = []
numbers = []
patterns = []
positive = []
negative = []
"""
