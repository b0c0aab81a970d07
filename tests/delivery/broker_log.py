"""What Kafka's log admits of its group coordinators, and which answers of theirs are no evidence therefore.

Kafka 4.3 that is fenced while it loads a coordinator unloads it and loads it again at once, and what it then has in
memory is not what its log says: until somebody writes it answers with offsets of minutes ago. It says so when it finds
out, and begins anew. If that fails too, the group has no coordinator until the broker is started again.
"""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

from tests.delivery.sampler import Sample

_OUT_OF_STEP = re.compile(
    rb"^(\S+) ERROR \[GroupCoordinator id=\d+\] The state machine of the coordinator __consumer_offsets-(\d+) is out ",
    re.MULTILINE,
)
_FAILED = re.compile(
    rb"^\S+ ERROR \[GroupCoordinator id=\d+\] Failed to load metadata from \S+ with epoch \d+ due to New last ",
    re.MULTILINE,
)
COORDINATORS = 4
"""Partitions of __consumer_offsets that the embedded broker has."""
WITHIN = 30.0
"""Seconds between such an answer, the broker's own word of it, and the right answer."""


class BrokerLog:
    """Reads what came since the last look. `out_of_step` are coordinators by their partition, with the moments of
    `time.time` in which they found out; `failed` counts those that have ended."""

    def __init__(self, path: Path) -> None:
        self.out_of_step: list[tuple[int, float]] = []
        self.failed = 0
        self._path = path
        self._at = 0

    def look(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(self._at)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        self.out_of_step += [(int(found[2]), _moment(found[1])) for found in _OUT_OF_STEP.finditer(whole)]
        self.failed += len(_FAILED.findall(whole))

    def moments(self, group: str) -> list[float]:
        """When the coordinator of a group was out of step."""
        return [moment for coordinator, moment in self.out_of_step if coordinator == coordinator_of(group)]


def coordinator_of(group: str) -> int:
    """By Java's hash of a string, as Kafka finds it (`GroupCoordinatorService.partitionFor`)."""
    value = 0
    for unit in group.encode("ascii"):
        value = (31 * value + unit) & 0xFFFF_FFFF
    return abs(value - (1 << 32) if value >> 31 else value) % COORDINATORS


def believed(samples: Sequence[Sample], out_of_step: Sequence[float]) -> list[Sample]:
    """Without the answers of a coordinator that was out of step: those before an offset that had been seen, which the
    broker itself and a later look both take back."""
    return [
        sample
        for at, sample in enumerate(samples)
        if sample.committed >= sample.before or not _taken_back(sample, samples[at + 1 :], out_of_step)
    ]


def _taken_back(sample: Sample, later: Sequence[Sample], out_of_step: Sequence[float]) -> bool:
    return any(abs(moment - sample.at) <= WITHIN for moment in out_of_step) and any(
        other.partition == sample.partition and other.committed >= sample.before and other.at - sample.at <= WITHIN
        for other in later
    )


def _moment(stamp: bytes) -> float:
    return dt.datetime.fromisoformat(stamp.decode().replace(",", ".")).timestamp()
