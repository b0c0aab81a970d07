"""From labelled texts to the weights of traits: a linear support vector machine for each reason, against all others.

In come (reason, code, template); out goes the text of likeness.tsv. Texts are vectors of the traits that they have,
each as long as it is rare (tf-idf, of length 1); scikit-learn does the work, `make learn` calls it.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final

from schemas.reasons import CATALOGUE, UNCLASSIFIED
from streams.classify.likeness import UNIT
from streams.classify.templates import template_of
from streams.classify.traits import BAR, STEM, words_of
from tests.learn.labelled import known, labelled

Text = tuple[str, str, str]
"""Reason, code, template."""
_SOFTNESS: Final = 1.0
"""How much a text on the wrong side costs; found, as what follows, by trying it on messages that were not learned."""
_FEWEST_PAIRS: Final = 2
"""A pair of words that one text alone has says little of another, and there are endless ones."""
# fmt: off
_BARE: Final = frozenset((
    "|", "#", "a", "api", "call", "client", "code", "error", "errors", "exception", "failed", "for", "from", "got",
    "http", "https", "in", "is", "message", "of", "on", "received", "remote", "reply", "reported", "request",
    "response", "result", "returned", "server", "status", "the", "to", "unexpected", "url", "was", "with",
))
# fmt: on
_SURE: Final = 5.0
"""How many texts one that must have its reason counts for."""
_UNKNOWN: Final = 0.1
"""How much farther another reason must be ahead of `unclassified`: a wrong reason is worse than none."""


def texts() -> list[Text]:
    """The labelled messages, and those that must have their reason."""
    return [_text(one.reason, "", one.message) for one in labelled(CATALOGUE)] + sure()


def sure() -> list[Text]:
    """The catalogue's examples and the known messages of the tests."""
    found = [_text(one.code, each.code, each.message) for one in CATALOGUE.reasons for each in one.positive]
    return found + [_text(reason, code, message) for reason, code, message in known()]


def _text(reason: str, code: str, message: str) -> Text:
    """Of "HTTP status 429" the number alone tells, which no template holds: by its words it is unclassified."""
    template = template_of(message)
    told_by_number = "#" in template and not code and set(words_of("", template)) <= _BARE
    return (UNCLASSIFIED if told_by_number else reason), code, template


def digest(learned: Sequence[Text]) -> str:
    """Changes with the texts, their order, how they are masked and parted, and with how it is learned."""
    how = f"{UNIT} {_SOFTNESS} {_FEWEST_PAIRS} {_SURE} {_UNKNOWN}"
    traits = ("\t".join([reason, *traits_of(code, template)]) for reason, code, template in learned)
    return sha256("\n".join([how, *traits]).encode("utf-8", "surrogatepass")).hexdigest()


def learn(learned: Sequence[Text]) -> str:
    """The file that `Likeness` reads. The seed is fixed: the same texts give the same weights."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    seen = [traits_of(code, template) for _, code, template in learned]
    times = Counter(trait for traits in seen for trait in traits)
    known = [[trait for trait in traits if " " not in trait or times[trait] >= _FEWEST_PAIRS] for traits in seen]
    vectors = TfidfVectorizer(analyzer=list, binary=True)
    rows = vectors.fit_transform(known)
    certain = set(sure())
    weights = [_SURE if text in certain else 1.0 for text in learned]
    machine = LinearSVC(C=_SOFTNESS, random_state=0).fit(rows, [reason for reason, _, _ in learned], weights)
    return "\n".join(_lines(vectors, machine, digest(learned))) + "\n"


def traits_of(code: str, template: str) -> list[str]:
    """The stems of a text's words, and the pairs of those that are neighbours, each once."""
    stems = [BAR, *(word[:STEM] for word in words_of(code, template)), BAR]
    return sorted({*stems, *map(" ".join, pairwise(stems))})


def _lines(vectors: Any, machine: Any, learned_from: str) -> list[str]:
    places = {code: place for place, code in enumerate(machine.classes_)}
    order = [places[reason.code] for reason in CATALOGUE.reasons]
    lift = [_UNKNOWN if reason.code == UNCLASSIFIED else 0 for reason in CATALOGUE.reasons]
    lines = [
        "# Weights of traits for each reason, in hundredths, written by `make learn`: not to be changed by hand.",
        f"# Learned from {learned_from}",
        "\t".join(["trait", "square", *(reason.code for reason in CATALOGUE.reasons)]),
        _line("", max(vectors.idf_) ** 2, machine.intercept_[order] + lift),
    ]
    for trait, column in sorted(vectors.vocabulary_.items()):
        rare = vectors.idf_[column]
        lines.append(_line(trait, rare * rare, machine.coef_[order, column] * rare))
    return lines


def _line(trait: str, square: float, weights: Sequence[float]) -> str:
    return "\t".join([trait, *(str(round(number * UNIT)) for number in (square, *weights))])
