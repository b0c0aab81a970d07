"""One partition on its way into ClickHouse: open, read its state, then run after run announce, insert, settle.

`Lane.run` is the map: each step is a function of its own. Whatever goes wrong with Kafka, the lane forgets everything,
opens the partition anew and reads what the broker knows; nothing is ever repaired in place. What must be exact changes
only in transactions of the owned partition; what is inserted carries a token of the announced run, so any part of a
run may be done again by anybody.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ConsumerStoppedError, KafkaError

from streams import metrics
from streams.clickhouse.native import native_block
from streams.clickhouse.writer import FIRST_DELAY, LONGEST_DELAY, Writer, in_thread
from streams.clock import now_ms
from streams.config import Settings
from streams.errors import KafkaUnavailable, PartitionLost, PositionOutOfRange, StoreUnavailable, TooManyDeadLetters
from streams.failpoints import Step, reach
from streams.kafka.partition import Outgoing, OwnedPartition, committed, until_seen
from streams.logs import log
from streams.store import state
from streams.store.columns import Insert, Rows, week_name
from streams.store.intake import Intake, Run, out_of_range
from streams.store.letters import letter
from streams.store.state import State

SUB_BATCH = 500
"""Messages parsed at once: they and what becomes of them stay in the processor's cache."""
PROOF_SECONDS = 10.0
"""An insert that begins later than this after the last transaction first proves that the partition is still ours."""
RANGE_TRIES = 5

_log = log("store")


class Lane:
    """One assigned partition. `trouble` says in a line why it does not store at the moment, '' while it does."""

    def __init__(
        self,
        settings: Settings,
        consumer: AIOKafkaConsumer,
        admin: AIOKafkaAdminClient,
        writer: Writer,
        tp: TopicPartition,
    ) -> None:
        self.tp = tp
        self.trouble = "is being opened"
        self.halted = False
        """It met what only an operator can decide, and does nothing more."""
        self.stopping = False
        """Set to end it after the run at hand."""
        self.busy = False
        """A run is announced and not settled. At any other time nothing is lost by cancelling."""
        self._settings = settings
        self._consumer = consumer
        self._admin = admin
        self._writer = writer
        self.intake = Intake(settings, consumer, tp)
        self._where = f"{tp.topic}[{tp.partition}]"
        self._owned: OwnedPartition | None = None
        self.proved = 0.0
        self._run: Run | None = None

    async def run(self) -> None:
        """Until cancelled, stopped, no longer assigned, or halted. Raises what must end the process."""
        while True:
            try:
                await self._own()
                return
            except PositionOutOfRange as error:
                self.halted, self.trouble = True, str(error)
                _log.error("partition_halted", partition=self.tp.partition, error=str(error))
                return
            except (PartitionLost, KafkaUnavailable, KafkaError, ConsumerStoppedError, OSError) as error:
                self.trouble = f"is being opened again after {type(error).__name__}"
                metrics.REOPENED.labels("store").inc()
                _log.warning("partition_dropped", partition=self.tp.partition, error=f"{type(error).__name__}: {error}")
            finally:
                await self.close()
            # Longer than a heartbeat: a worker that was frozen must learn that the partition is not its own any more
            # before it opens it again, or it would fence the rightful owner.
            await asyncio.sleep(self._settings.session_seconds / 2)
            if self.stopping or self.tp not in self._consumer.assignment():
                return

    async def close(self) -> None:
        """Let go of the partition. What is announced stays announced."""
        self.busy = False
        owned, self._owned = self._owned, None
        if owned is not None:
            await owned.close()

    async def _own(self) -> None:
        """One ownership, from opening to its end."""
        now = await self.open()
        if now.announced is not None:
            now = await self.store(now, await self.reform(now, now.announced))
        self.trouble = ""
        while not self.stopping:
            run = await self.intake.gather(now.position)
            if run.records:
                self.busy = True
                reach(Step.STORE_GATHERED)
                now = await self.store(await self.announce(now._replace(announced=run.end)), run)
            else:
                now = await self._commit(now._replace(position=run.end))

    async def open(self) -> State:
        """Fence every earlier owner, then read what it left: from here on nobody else can change it."""
        self._owned = OwnedPartition(self._settings, self._settings.store_group, self.tp)
        await self._owned.open()
        self.proved, self._run = time.monotonic(), None
        found = await committed(self._admin, self._settings.store_group, self.tp)
        beginning = (await self._consumer.beginning_offsets([self.tp]))[self.tp]
        now = state.first(beginning) if found is None else state.read(found, self._where)
        await self._check_range(now, beginning)
        self.intake.seek(now.position)
        reach(Step.STORE_OPENED)
        _log.info("partition_opened", partition=self.tp.partition, position=now.position, announced=now.announced)
        return now

    async def _check_range(self, now: State, beginning: int) -> None:
        """PositionOutOfRange unless the position and the announced run lie within the log."""
        if now.position < beginning:
            raise PositionOutOfRange(out_of_range(self.tp, now.position, f"which begins at {beginning}"))
        needed = now.announced or now.position
        for _ in range(RANGE_TRIES):
            end = (await self._consumer.end_offsets([self.tp]))[self.tp]
            if needed <= end:
                return
            # A leader that has just started may not know its end yet; a verdict that stops a partition can wait.
            await asyncio.sleep(0.5)
        raise PositionOutOfRange(out_of_range(self.tp, needed, f"which ends at {end}"))

    async def reform(self, now: State, end: int) -> Run:
        """The run that an earlier owner announced: the same offsets, which get the same tokens."""
        run = await self.intake.reform(now.position, end)
        metrics.REFORMED.inc()
        reach(Step.STORE_REFORMED)
        _log.info("run_reformed", partition=self.tp.partition, first=run.first, end=run.end, records=len(run.records))
        return run

    async def announce(self, now: State) -> State:
        """From here on the run may be stored, by us or by whoever owns the partition next.

        Not before Kafka shows it: if a run were stored whose announcement a killed broker then loses, the next owner
        would form another one, and its tokens would be others.
        """
        await self._commit(now)
        await until_seen(self._admin, self._settings.store_group, self.tp, now.committed())
        return now

    async def store(self, now: State, run: Run) -> State:
        """From an announced run to a settled one."""
        self.busy, self._run = True, run
        reach(Step.STORE_ANNOUNCED)
        rows = await self.parse(run)
        reach(Step.STORE_PARSED)
        bad_in_a_row = self._check_dead_letters(now, run, rows)
        taken: list[Insert] = []
        for insert in rows.inserts():
            await self.insert(now, insert)
            taken.append(insert)
            reach(Step.STORE_INSERTED)
        reach(Step.STORE_SETTLING)
        now = await self.settle(now._replace(bad_in_a_row=bad_in_a_row), rows)
        reach(Step.STORE_SETTLED)
        self._measure(run, rows, taken)
        self.busy, self._run = False, None
        return now

    async def parse(self, run: Run) -> Rows:
        rows = Rows(self.tp.topic, self.tp.partition, native_block)
        for begin in range(0, len(run.records), SUB_BATCH):
            rows.add(run.records[begin : begin + SUB_BATCH])
            await asyncio.sleep(0)  # heartbeats and the other lanes
        return rows

    def _check_dead_letters(self, now: State, run: Run, rows: Rows) -> int:
        """How many messages in a row are bad at the run's end. TooManyDeadLetters where the limit is reached."""
        if not rows.refused:
            return 0 if run.records else now.bad_in_a_row
        refused = {message.offset for message, _ in rows.refused}
        in_a_row, limit = now.bad_in_a_row, self._settings.dead_letters_in_a_row
        for record in run.records:
            in_a_row = in_a_row + 1 if record.offset in refused else 0
            if in_a_row >= limit:
                raise TooManyDeadLetters(
                    f"{self._where}: {in_a_row} messages in a row up to offset {record.offset} are no events (the last "
                    f"one: {rows.refused[-1][1].code}). That looks like a wrong deployment of a sender or of store, so "
                    "nothing of this batch was settled. Put it right and start store again; if the messages really are "
                    "bad, raise SYNCLOGS_DEAD_LETTERS_IN_A_ROW"
                )
        return in_a_row

    async def insert(self, now: State, insert: Insert) -> None:
        """Insert until ClickHouse has taken it, for as long as it takes."""
        token = now.token(insert.table.table, self.tp.topic, self.tp.partition, week_name(insert.week))
        delay = FIRST_DELAY
        while True:
            if time.monotonic() - self.proved > PROOF_SECONDS:
                # ClickHouse remembers only so many tokens: a lane that was frozen must learn here that it was fenced,
                # or it would write its rows a second time.
                await self.announce(now)
            reach(Step.STORE_INSERTING)
            try:
                # Cancelled it may still be taken, which the token makes safe.
                await in_thread(lambda: self._writer.insert_blocks(insert.table, insert.blocks, token))
                break
            except StoreUnavailable as error:
                self.trouble = str(error)
                metrics.INSERT_RETRIES.labels(insert.table.table, error.kind).inc()
                _log.warning("insert_retried", token=token, error=str(error), in_seconds=delay)
            self.busy = False  # whoever owns the partition next stores the announced run
            await asyncio.sleep(delay)
            self.busy = True
            delay = min(delay * 2, LONGEST_DELAY)
        self.trouble = ""

    async def settle(self, now: State, rows: Rows) -> State:
        """Settle the run: its dead letters and the new position, all or nothing."""
        assert now.announced is not None
        letters = [letter(message, refusal, self._settings.store_group) for message, refusal in rows.refused]
        return await self._commit(now._replace(position=now.announced, announced=None), letters)

    async def _commit(self, now: State, letters: Sequence[Outgoing] = ()) -> State:
        began = time.monotonic()
        assert self._owned is not None
        await self._owned.commit(now.committed(), self._settings.dead_letters_topic, letters)
        self.proved = time.monotonic()
        metrics.TRANSACTION.labels("store").observe(self.proved - began)
        metrics.POSITION.labels(*self._labels).set(now.position)
        return now

    def _measure(self, run: Run, rows: Rows, taken: Sequence[Insert]) -> None:
        # Nothing of a run is counted before all of it is settled: what another owner has to finish is counted by that
        # one, so what was consumed and what was stored agree whenever nothing is under way.
        metrics.CONSUMED.labels("store").inc(len(run.records))
        for insert in taken:
            metrics.STORED.labels(insert.table.table).inc(insert.rows)
        metrics.BATCH_RECORDS.labels("store").observe(len(run.records))
        metrics.TRUNCATED.inc(rows.truncated)
        for _, refusal in rows.refused:
            metrics.DEAD_LETTERED.labels(refusal.code.value).inc()
        metrics.LAST_SETTLED.labels("store").set_to_current_time()
        if run.records:
            metrics.DELAY.labels("store").observe(max(0, now_ms() - run.records[0].timestamp) / 1000)

    def report(self) -> None:
        """Set the gauges of this partition: how much is not settled yet, and how old the oldest of it is."""
        running = list(self._run.records) if self._run else []
        oldest = next(iter(running or self.intake.taken), None)
        age = max(0, now_ms() - oldest.timestamp) / 1000 if oldest else 0
        metrics.LAG_RECORDS.labels(*self._labels).set(len(running) + self.intake.lag())
        metrics.LAG_SECONDS.labels(*self._labels).set(age)

    def forget(self) -> None:
        """Remove the gauges: the partition is another worker's business now."""
        for gauge in (metrics.LAG_RECORDS, metrics.LAG_SECONDS, metrics.POSITION):
            with contextlib.suppress(KeyError):
                gauge.remove(*self._labels)

    @property
    def _labels(self) -> tuple[str, str, str]:
        return "store", self.tp.topic, str(self.tp.partition)
