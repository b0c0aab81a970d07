"""The emitter: hands events to Kafka in whole batches, and tells of each batch whether Kafka has it.

Idempotent and acknowledged by all replicas: within one emitter nothing is lost or doubled by a retry. A caller that
sends again after a crash sends the same `event_id`, and so the same event.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.event import MAX_MESSAGE
from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.kafka import clients

IN_FLIGHT = 64
"""Batches handed over and not acknowledged: bounds memory where Kafka is slower than the caller."""
LARGEST = MAX_MESSAGE + 1024
"""Bytes of key and value: an event of the largest size with the longest key is below, the topic's limit above."""
SILENCE_SECONDS = 15.0
"""Kafka acknowledges within milliseconds; without a word for so long, somebody who waits is told why."""
STOP_SECONDS = 10.0


def like_java(key: bytes) -> int:
    """Kafka's own hash of a key: the partition that any other client would choose."""
    return int(murmur2(key)) & 0x7FFFFFFF


class Emitter:
    """`async with Emitter(settings) as emitter: await emitter.send(key, value)`.

    `accepted` and `refused` count messages; `errors` counts why Kafka refused. What was sent is on its way after at
    most `linger` seconds, or at `flush`. KafkaUnavailable if Kafka does not answer at the start or after a batch that
    failed; a `patient` emitter waits then. A batch that is on its way when Kafka goes silent is waited for as long as
    it takes, since its fate is not known; `tell` gets a sentence about that.
    """

    def __init__(self, settings: Settings, linger: float = 0.1, spread: Callable[[bytes], int] = like_java,
                 patient: bool = False, tell: Callable[[str], None] = lambda text: None) -> None:  # fmt: skip
        self._settings = settings
        self._linger = linger
        self._spread = spread
        self._patient = patient
        self._tell = tell
        self._open: dict[int, BatchBuilder] = {}
        self._in_flight: set[asyncio.Task[None]] = set()
        self._producer: AIOKafkaProducer
        self._partitions: list[int] = []
        self._timer: asyncio.Task[None] | None = None
        self._failed = False
        self._told = -1
        self._renewing = asyncio.Lock()
        self.sent = self.accepted = self.refused = 0
        self.errors: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._producer = await clients.started(partial(clients.idempotent_producer, self._settings), self._settings)
        try:
            found = await asyncio.wait_for(self._producer.partitions_for(self._settings.records_topic), 10)
        except (KafkaError, TimeoutError) as error:
            await self._producer.stop()
            raise KafkaUnavailable(
                f"topic {self._settings.records_topic} is not there: run `synclogs migrate`, or set "
                "SYNCLOGS_RECORDS_TOPIC to yours"
            ) from error
        self._partitions = sorted(found)
        self._timer = asyncio.create_task(self._send_what_lingers())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._timer:
            self._timer.cancel()
        try:
            if kind is None:
                await self.flush()
        finally:
            await self._stop()

    async def send(self, key: bytes | None, value: bytes) -> None:
        """Put one message into its partition's batch; waits only where Kafka lags behind.

        One that no records topic takes for its size is counted as refused here: after a batch that the broker refused
        aiokafka's numbering has a gap, and every later batch of that partition would be refused with it.
        """
        self.sent += 1
        if len(key or b"") + len(value) > LARGEST:
            self.refused += 1
            self.errors["MessageSizeTooLargeError"] += 1
            return
        spread = self._spread(key) if key is not None else random.getrandbits(31)
        partition = self._partitions[spread % len(self._partitions)]
        while True:
            batch = self._open.get(partition)
            if batch is None:
                batch = self._open[partition] = self._producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None) is not None:
                return
            await self._hand_over(partition)  # full; somebody else may open the next one meanwhile

    async def flush(self) -> None:
        """Return when Kafka has answered for everything sent so far."""
        for partition in list(self._open):
            await self._hand_over(partition)
        while self._in_flight:
            await self._one_answer()

    async def _hand_over(self, partition: int) -> None:
        if self._failed:
            await self._renew()
        batch = self._open.pop(partition, None)
        if batch is None:
            return
        task = asyncio.create_task(self._deliver(batch, partition))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        while len(self._in_flight) > IN_FLIGHT:
            await self._one_answer()

    async def _one_answer(self) -> None:
        """Wait until Kafka has answered for one batch more."""
        flying = set(self._in_flight)
        done, _ = await asyncio.wait(flying, timeout=SILENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not done and self._told != self.accepted:  # once in each stretch of silence, whoever waits
            self._told = self.accepted
            self._tell(
                f"Kafka at {self._settings.kafka} has not answered for {SILENCE_SECONDS:.0f} s: {self.accepted} events "
                "are accepted, the rest waits until it does. To give up press Ctrl-C, and send the file again later: "
                "the same event_id counts once"
            )
        if not done:
            await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)

    async def _stop(self) -> None:
        """Where Kafka is silent aiokafka would wait for ever, even for whoever gives up."""
        await asyncio.wait([asyncio.create_task(self._producer.stop())], timeout=STOP_SECONDS)

    async def _deliver(self, batch: BatchBuilder, partition: int) -> None:
        records = batch.record_count()
        try:
            sent = await self._producer.send_batch(batch, self._settings.records_topic, partition=partition)
            await sent
            self.accepted += records
        except KafkaError as error:
            self.refused += records
            self.errors[type(error).__name__] += records
            self._failed = True

    async def _renew(self) -> None:
        """A new producer after a batch that failed: the old one's numbering has a gap, which refuses all that follows
        in that partition. KafkaUnavailable if Kafka is away, unless the emitter is patient."""
        async with self._renewing:
            if not self._failed:
                return
            while self._in_flight:
                await self._one_answer()
            await self._stop()
            make = partial(clients.idempotent_producer, self._settings)
            self._producer = await clients.started(make, self._settings, self._patient)
            self._failed = False

    async def _send_what_lingers(self) -> None:
        while True:
            await asyncio.sleep(self._linger)
            with contextlib.suppress(KafkaUnavailable):  # the sender meets it at the next batch
                for partition in list(self._open):
                    await self._hand_over(partition)
