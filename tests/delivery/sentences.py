"""How a problem is worded: places in one way, and not ten thousand sentences where a partition is missing."""

from collections.abc import Sequence

from tests.delivery.facts import Place

MOST = 20


def at(where: Place) -> str:
    return f"[{where[0]}]@{where[1]}"


def shortened(problems: Sequence[str]) -> list[str]:
    """The first problems of one kind, and how many more there are."""
    more = len(problems) - MOST
    return [*problems[:MOST], *([f"... and {more} more"] if more > 0 else [])]
