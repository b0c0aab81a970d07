"""The classifier alone, on one core: errors a second by how much of a text was seen before; the slowest hostile text.

No server is needed. Comes out: figures in errors a second of CPU time, the median of the rounds, and milliseconds.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterable

from schemas.reasons import CATALOGUE
from streams import memory
from streams.classify import classify, decide, prepare
from tests.classify.cold import forget
from tests.learn.labelled import labelled

_ERRORS = 200_000
_UNSEEN = 20_000
_LARGEST = 8192
_NUMBERED = [
    "Contact {} with this email-id is already associated with this company",
    "Invoice {} does not exist.",
    "The following mandatory field(s) were left empty: Last Name (row {})",
    "unable to obtain exclusive access to this record or 1 records: 00{}",
    '{{"code":"INVALID_DATA","details":{{"expected_data_type":"email","id":"{}"}},"message":"invalid data"}}',
]
_NAMED = [
    'The customer "{}" already exists. Please specify a different name.',
    "Contact {}@example.com was not found",
    "No such column '{}' on entity 'Deal'",
]
# fmt: off
_HOSTILE = [
    "a", "aA", "1", "a1", "'", '"', "{", "[", "<", "<a ", "<script>", "\\", "@", "a@", "a.b@c.", "http://", "&lt;",
    "&#1;", '{"a":', '{"message":"', '{"message":"{\\"', "{'a", "{a=", '\\"', "not ", "must be ", "invalid data ",
    "is not valid ", "limit exceed plan ", "can't be null or empty ", "code: 1", "é", "値", "認証", " | ",
]
# fmt: on


def classification(rounds: int, tell: Callable[[str], None]) -> dict[str, float]:
    """The figures, each with what it means in its name."""
    chance = random.Random(1)
    words = ["".join(chance.choices("bdklmnrst", k=2) + chance.choices("aeiou", k=2)).title() for _ in range(5000)]
    known = [one.message for reason in CATALOGUE.reasons for one in reason.positive if one.message]
    kinds: dict[str, Callable[[], Iterable[str]]] = {
        # str() of a slice: equal texts, but other objects, as they come from a decoder.
        "same": lambda: [(text + " ")[:-1] for text in chance.choices(known, k=_ERRORS)],
        "other_numbers": lambda: [chance.choice(_NUMBERED).format(chance.randrange(10**12)) for _ in range(_ERRORS)],
        "other_names": lambda: [
            chance.choice(_NAMED).format("".join(chance.choices(words, k=3))) for _ in range(_UNSEEN)
        ],
        "never_seen": lambda: [
            f"{' '.join(chance.choices(words, k=2))}: {chance.choice(known)} {chance.choice(words)}"
            for _ in range(_UNSEEN)
        ],
        "labelled": lambda: [one.message for one in labelled(CATALOGUE)],
    }
    prepare()
    memory.settle()  # as in a worker
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for kind, texts in kinds.items():
            forget()
            rate = _rate(texts())
            figures.setdefault(f"classify_{kind}_per_s", []).append(rate)
            tell(f"classify, {kind.replace('_', ' ')}: {rate:,.0f} errors/s")
        figures.setdefault("classify_worst_ms", []).append(_worst())
    return {name: statistics.median(values) for name, values in figures.items()}


def _rate(texts: Iterable[str]) -> float:
    errors = [[("", text, "")] for text in texts]
    begun = time.process_time()
    for one in errors:
        classify("books_to_fsm", one)
    return len(errors) / (time.process_time() - begun)


def _worst() -> float:
    """Milliseconds of the slowest hostile text, nothing kept; of three tries the best, which no neighbour slowed."""
    slowest = 0.0
    chance = random.Random(1)
    known = [stem for stem in decide.likeness()._stems if stem.isalnum()]
    apart = [stem for stem in known if len(stem) == 1]  # letters of scripts without spaces
    letters = chance.sample(apart, 500)
    for unit in [*_HOSTILE, " ".join(chance.sample(known, 2000)), "".join(letters), "aaa".join(letters)]:
        for start in ("", "{", '{"message":"'):
            message = (start + unit * _LARGEST)[:_LARGEST]
            tries = []
            for _ in range(3):
                forget()
                begun = time.process_time()
                decide.verdict_of("", message)
                tries.append(time.process_time() - begun)
            slowest = max(slowest, min(tries))
    return slowest * 1000
