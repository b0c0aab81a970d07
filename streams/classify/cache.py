"""A dict that stays small: bounded by entries and by the bytes of what it keeps.

The hot path reads it as a plain dict; only a miss pays for the bounds.
"""

from collections.abc import Hashable
from typing import TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class BoundedCache(dict[_K, _V]):
    """Emptied as a whole when full: hot keys are back within one message each, and no hit pays for an order of use."""

    def __init__(self, entries: int, weight: int) -> None:
        super().__init__()
        self._most_entries = entries
        self._most_weight = weight
        self._weight = 0

    def keep(self, key: _K, value: _V, weight: int) -> None:
        """Keeps a value; `weight` is the bytes of its key's texts."""
        if len(self) >= self._most_entries or self._weight + weight > self._most_weight:
            self.clear()
            self._weight = 0
        self._weight += weight
        self[key] = value
