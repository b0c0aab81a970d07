"""How far each owned partition is behind, as metrics; and whether the worker does its job, for /readyz.

Asks Kafka once a second for the ends of all owned partitions, and lets a ledger catch up that Faust does not serve.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from aiokafka.errors import KafkaError

from streams import clock, metrics
from streams.count.ledger import QUIET_SECONDS, Ledger
from streams.count.reading import LogReader
from streams.logs import log

SECONDS = QUIET_SECONDS
STUCK_SECONDS = 15.0
DEAF_SECONDS = 60.0
"""A client that gets no answer for so long may never get one again, while Kafka is there: begin anew."""


class Watch:
    """Looks after the ledgers that `ledgers` names at each round."""

    def __init__(self, reader: LogReader, ledgers: Callable[[], Collection[Ledger]]) -> None:
        self._reader = reader
        self._ledgers = ledgers
        self._behind: dict[Ledger, tuple[int, int]] = {}
        self._shown: set[tuple[str, str]] = set()
        self._alive = time.monotonic()

    async def run(self) -> None:
        """Until cancelled, or until Kafka has not answered for DEAF_SECONDS: its error, which ends the worker."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.look()
            except (KafkaError, OSError) as error:
                log("count").warning("ends_unknown", error=repr(error))
                if time.monotonic() - self._alive > DEAF_SECONDS:
                    raise

    async def look(self) -> None:
        """One round: catch up, then say how far behind each ledger is."""
        metrics.HALTED.labels("count").set(sum(bool(ledger.stopped) for ledger in self._ledgers()))
        ledgers = [ledger for ledger in self._ledgers() if ledger.ready.is_set()]
        ends = await self._reader.ends(ledger.source for ledger in ledgers) if ledgers else {}
        self._alive = time.monotonic()  # not before it has answered: a worker that is deaf to Kafka must not look ready
        for ledger in ledgers:
            await ledger.catch_up(ends[ledger.source])
        for ledger in ledgers:
            self._show(ledger, ends[ledger.source])
        self._forget(ledgers)

    def _show(self, ledger: Ledger, end: int) -> None:
        labels = ("count", ledger.source.topic, str(ledger.source.partition))
        metrics.POSITION.labels(*labels).set(ledger.committed)
        metrics.LAG_RECORDS.labels(*labels).set(max(0, end - ledger.committed))
        metrics.LAG_SECONDS.labels(*labels).set(self._age(ledger, end))

    def _age(self, ledger: Ledger, end: int) -> float:
        """Seconds since the oldest record not committed was received. Before it has been read, what is known of it: it
        came after the last one counted, if there is a backlog; else it can't be older than the lag itself."""
        if ledger.committed >= end:
            self._behind.pop(ledger, None)
            return 0.0
        now = clock.now_ms()
        since, position = self._behind.get(ledger, (now, ledger.position))
        if ledger.position > position:
            since = ledger.latest
        self._behind[ledger] = (since, ledger.position)
        return max(0.0, now - (ledger.oldest_uncommitted or since)) / 1000

    def _forget(self, ledgers: Collection[Ledger]) -> None:
        """Partitions that went to another worker leave the metrics: their last values would stand there for ever."""
        shown = {(ledger.source.topic, str(ledger.source.partition)) for ledger in ledgers}
        for topic, partition in self._shown - shown:
            for metric in (metrics.POSITION, metrics.LAG_RECORDS, metrics.LAG_SECONDS):
                metric.remove("count", topic, partition)
        self._shown = shown
        self._behind = {ledger: behind for ledger, behind in self._behind.items() if ledger in set(ledgers)}
        metrics.PARTITIONS.labels("count").set(len(self._ledgers()))
        metrics.ENTRIES.set(sum(len(ledger.table.data) for ledger in ledgers))

    def why_not_ready(self) -> str:
        """'' if all is well, else one line with every cause. Called from another thread."""
        if time.monotonic() - self._alive > STUCK_SECONDS:
            return f"nothing has moved for {STUCK_SECONDS:.0f} s: Kafka does not answer, or the process is stuck"
        ledgers = list(self._ledgers())
        causes = [f"stopped: {ledger.stopped}" for ledger in ledgers if ledger.stopped]
        causes += [
            f"{ledger.source.topic}[{ledger.source.partition}] is being restored"
            for ledger in ledgers
            if not ledger.ready.is_set()
        ]
        return "; ".join(causes)
