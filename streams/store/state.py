"""The whole state of a partition: its committed offset, and the note beside it.

(n, `epoch`) says that all below n is stored; (n, `epoch:m`) that the run [n, m) is announced and may be stored. The
epoch is drawn at the first start and part of every token, so that tokens do not outlive a topic that was made anew.
Where the messages before n were bad the epoch is followed by how many in a row, as in `epoch/20:m`.
"""

import re
import secrets
from typing import NamedTuple

from streams.errors import PositionOutOfRange
from streams.kafka.partition import Position

_NOTE = re.compile(r"([0-9a-z]+)(?:/(\d+))?(?::(\d+))?")


class State(NamedTuple):
    """`position`: all below is stored. `announced`: the end of the run that may be stored, None if there is none.
    `bad_in_a_row`: dead letters directly before the position. It is kept here, because a worker that is started again
    and again after too many would else empty the topic into the dead letters bit by bit."""

    position: int
    epoch: str
    announced: int | None = None
    bad_in_a_row: int = 0

    def committed(self) -> Position:
        """How Kafka keeps it."""
        bad = f"/{self.bad_in_a_row}" if self.bad_in_a_row else ""
        return Position(self.position, self.epoch + bad + ("" if self.announced is None else f":{self.announced}"))

    def token(self, table: str, topic: str, partition: int, week: str) -> str:
        """What makes a repeated insert of a part of the announced run harmless."""
        return f"{table}:{topic}:{partition}:{self.epoch}:{self.position}-{self.announced}:{week}"


def first(position: int) -> State:
    """The state of a partition that nothing was ever committed for."""
    return State(position, secrets.token_hex(4))


def read(committed: Position, where: str) -> State:
    """The state that Kafka kept. An offset set by hand has no note and begins a new epoch.

    PositionOutOfRange for a note that is not ours: then somebody else commits for this group, and its offset says
    nothing about what is stored.
    """
    if not committed.note:
        return first(committed.offset)
    found = _NOTE.fullmatch(committed.note)
    end = int(found[3]) if found and found[3] else None
    if not found or (end is not None and end <= committed.offset):
        raise PositionOutOfRange(
            f"{where}: the committed offset {committed.offset} carries the note {committed.note[:40]!r}, which store "
            "did not write: find out who commits for this group, stop it, and set the offset by hand"
        )
    return State(committed.offset, found[1], end, int(found[2] or 0))
