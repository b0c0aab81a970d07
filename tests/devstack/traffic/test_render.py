"""Ids and times as they are written into events."""

import itertools
import random
import uuid

import pytest

from streams.devstack.traffic.render import event_ids, rfc3339


def test_event_ids_are_version_4_uuids() -> None:
    for text in itertools.islice(event_ids(random.Random(1)), 2_000):
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (4, uuid.RFC_4122, text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (1_763_683_200_001, "2025-11-21T00:00:00.001Z"),
    ],
)
def test_times_are_utc_with_milliseconds(ms: int, text: str) -> None:
    assert rfc3339(ms) == text
