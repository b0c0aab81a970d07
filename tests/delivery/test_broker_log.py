"""Which answers of a broker are no evidence: only those that it has taken back itself."""

import datetime as dt
import sys
from pathlib import Path

import pytest

from streams.config import load
from tests.delivery.broker_log import BrokerLog, believed
from tests.delivery.parts import Kafka
from tests.delivery.sampler import Sample
from tests.delivery.stack import Stack

OUT_OF_STEP = (
    "2026-11-28T10:00:20,500 ERROR [GroupCoordinator id=1] The state machine of the coordinator __consumer_offsets-3 "
    "is out of sync with the underlying log. The last written offset returned is 16155 while the coordinator\n"
)
FAILED = (
    "2026-11-28T10:00:21,953 ERROR [GroupCoordinator id=1] Failed to load metadata from __consumer_offsets-1 with "
    "epoch 18 due to New last written offset 16383 of __consumer_offsets-1 must be greater\n"
    "java.lang.IllegalStateException: New last written offset 16383 of __consumer_offsets-1 must be greater\n"
)
SAID = dt.datetime(2026, 11, 28, 10, 0, 20, 500_000).timestamp()
STALE = Sample(0, 900, 300, frozenset(), SAID - 2)


def test_a_log_is_read_on_from_where_it_was_and_half_a_line_waits(tmp_path: Path) -> None:
    log = BrokerLog(tmp_path / "kafka.log")
    log.look()
    assert (log.out_of_step, log.failed) == ([], 0)
    with (tmp_path / "kafka.log").open("a") as out:
        out.write("2026-11-28T10:00:01,000 INFO  Started\n" + OUT_OF_STEP + FAILED[:60])
        out.flush()
        log.look()
        assert (log.out_of_step, log.failed) == ([(3, SAID)], 0)
        out.write(FAILED[60:])
    log.look()
    log.look()
    assert (log.out_of_step, log.failed) == ([(3, SAID)], 1)


@pytest.mark.parametrize(
    ("later", "said", "excused"),
    [
        (Sample(0, 300, 950, frozenset(), SAID), [SAID], True),
        (Sample(0, 300, 950, frozenset(), SAID), [], False),
        (Sample(0, 300, 950, frozenset(), SAID), [SAID + 100], False),
        (Sample(0, 300, 500, frozenset(), SAID), [SAID], False),
        (Sample(1, 300, 950, frozenset(), SAID), [SAID], False),
        (Sample(0, 300, 950, frozenset(), SAID + 100), [SAID], False),
    ],
    ids=["taken back", "no word of it", "no word of it then", "it goes on from there", "another partition", "too late"],
)
def test_an_offset_that_went_back_counts_unless_broker_and_a_later_look_take_it_back(
    later: Sample, said: list[float], excused: bool
) -> None:
    before = Sample(0, 0, 900, frozenset(), SAID - 5)
    assert believed([before, STALE, later], said) == ([before, later] if excused else [before, STALE, later])


@pytest.mark.parametrize(("group", "excused"), [("t23086e8edf-store", True), ("t23086e8edf-count", False)])
async def test_only_the_groups_own_coordinator_is_heard(tmp_path: Path, group: str, excused: bool) -> None:
    """Kafka 4.3.1 had the first on __consumer_offsets-3, the other on __consumer_offsets-1."""
    kafka = Kafka(tmp_path, ways=0)
    (tmp_path / "kafka.log").write_text(OUT_OF_STEP)
    stack = Stack(load(store_group=group), tmp_path, {"kafka": kafka})
    later = Sample(0, 300, 950, frozenset(), SAID)
    assert stack.believed([STALE, later]) == ([later] if excused else [STALE, later])
    await stack.close()


def test_a_broker_whose_coordinator_failed_is_ended_once(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path, ways=0)
    kafka.command = [sys.executable, "-c", "import time; time.sleep(60)"]
    kafka.start()
    try:
        assert not kafka.mend()
        (tmp_path / "kafka.log").write_text(OUT_OF_STEP + FAILED)
        assert kafka.mend() and kafka.pid is None
        kafka.start()
        assert not kafka.mend() and kafka.pid is not None
    finally:
        kafka.finish()


def test_a_broker_that_is_down_already_is_not_ended_again(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text(FAILED)
    assert not Kafka(tmp_path, ways=0).mend()
