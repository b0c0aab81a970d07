"""Bad values are bad for the reason that they are named after."""

import itertools

from schemas.decode import decode
from schemas.refusal import Code
from streams.devstack.traffic import bad_values
from tests.devstack.traffic.history import Arrived

NOW_MS = 1_763_683_200_000


def test_each_value_is_refused_with_the_code_it_is_named_after() -> None:
    for number, (kind, value) in enumerate(itertools.islice(bad_values(5), 3_000)):
        # The valid part of every bad event is from the start of 2025: time alone must not be what refuses it.
        at_ms = NOW_MS if kind == Code.TIME_OUT_OF_RANGE else 1_736_000_000_000
        decoded = decode([Arrived(value, number, at_ms)])
        assert (decoded.events, decoded.marks) == ([], [])
        assert [refusal.code for _, refusal in decoded.refused] == [kind], value


def test_every_code_is_there_but_the_one_that_kafka_keeps_out() -> None:
    kinds = {kind for kind, _ in itertools.islice(bad_values(1), 1_000)}
    assert kinds == set(Code) - {Code.TOO_LARGE}


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = (list(itertools.islice(bad_values(seed), 200)) for seed in (4, 4, 5))
    assert first == again != other
