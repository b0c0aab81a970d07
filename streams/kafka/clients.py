"""Kafka clients with the settings that this project's promises need, and plain words when Kafka does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.logs import log

REQUEST_MS = 10_000
METADATA_MS = 5_000
"""How often a group member looks at the topic. A leader that joined while the broker came up saw a topic without
partitions, and gives out none until it looks again: for five minutes by default."""
HEARTBEAT_SECONDS = 0.5
"""A member learns of a rebalance by its next heartbeat, and all of the group wait for the last one. With Kafka's 3 s a
restart holds partitions up for as long, for nothing; a small message twice a second costs next to nothing."""
LAST_SECONDS = 1.0
"""How long a start that is not wanted any more may take; with a broker that answers it takes milliseconds."""
FETCH_BYTES = 4 << 20
FETCH_WAIT_MS = 250
"""Longer waits would let an idle partition of the same broker hold up a busy one; shorter ones cost CPU."""


class Startable(Protocol):
    async def start(self) -> None: ...


Client = TypeVar("Client", bound=Startable)


def idempotent_producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """acks=all and no doubles or gaps within a session; not started."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        enable_idempotence=True,
        **{"linger_ms": 20, "max_batch_size": 1 << 17, "max_request_size": (1 << 20) + 4096,
           "compression_type": "lz4", "request_timeout_ms": 40_000, **options},
    )  # fmt: skip


def transactional_producer(settings: Settings, transactional_id: str) -> AIOKafkaProducer:
    """Not started. Starting it fences every earlier producer with this id at the broker.

    `retry_backoff_ms` is what a transaction waits while the one before is still completing: 9 ms a transaction
    instead of 112 with the default.
    """
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        transactional_id=transactional_id,
        transaction_timeout_ms=10_000,
        request_timeout_ms=REQUEST_MS,
        retry_backoff_ms=5,
        linger_ms=0,
        max_batch_size=1 << 18,
        max_request_size=2 << 20,
    )


def reader(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """Reads committed records of partitions that are assigned by hand; no group, commits nothing. Not started."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        request_timeout_ms=REQUEST_MS,
        **{"max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_wait_ms": FETCH_WAIT_MS, **options},
    )


def member(settings: Settings, group: str, listener: ConsumerRebalanceListener, **options: Any) -> AIOKafkaConsumer:
    """A member of a consumer group on the records topic; positions and commits are the caller's. Not started.

    The poll interval is very long, so that an outage of ClickHouse does not expel a worker that waits for it.
    """
    session_ms = int(settings.session_seconds * 1000)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        session_timeout_ms=session_ms,
        metadata_max_age_ms=METADATA_MS,
        heartbeat_interval_ms=int(HEARTBEAT_SECONDS * 1000),
        max_poll_interval_ms=86_400_000,
        **{"max_partition_fetch_bytes": FETCH_BYTES, "fetch_max_wait_ms": FETCH_WAIT_MS, **options},
    )
    consumer.subscribe([settings.records_topic], listener=listener)
    return consumer


def admin(settings: Settings) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=REQUEST_MS)


async def start(client: Startable) -> None:
    """Start a client; who is cancelled meanwhile first lets it come to an end, but not for longer than a second.

    aiokafka forgets a connection on which it asks for the cluster when it is cancelled: it would stay open until the
    garbage collector comes by. Behind a broker that is silent for longer than that second it still does.
    """
    starting = asyncio.ensure_future(client.start())
    starting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody else may look at it
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([starting], timeout=LAST_SECONDS)
        finally:
            # Also where it is cancelled again: left to itself it would go on, and fence the partition's next owner.
            starting.cancel()
        await asyncio.wait([starting])
        raise


async def stop(client: AIOKafkaConsumer) -> None:
    """Stop a consumer. In a task of its own: without a group `stop()` may raise CancelledError into its caller."""
    await asyncio.wait([asyncio.create_task(client.stop())])


async def started(make: Callable[[], Client], settings: Settings, patient: bool = False) -> Client:
    """A started client. KafkaUnavailable says which address did not answer; a patient caller waits with back-off.

    Made anew for each try, since a client whose start failed is of no further use.
    """
    delay = 0.5
    while True:
        client = make()
        try:
            await start(client)
            return client
        except (KafkaError, OSError) as error:
            await _discard(client)
            if not patient:
                raise unavailable(settings, error) from error
            log("kafka").warning("waiting", kafka=settings.kafka, error=type(error).__name__, again_in_seconds=delay)
        except asyncio.CancelledError:
            await _discard(client)
            raise
        await asyncio.sleep(delay)
        delay = min(delay * 2, 10)


async def _discard(client: Startable) -> None:
    close: Callable[[], Awaitable[None]] = getattr(client, "stop", None) or getattr(client, "close")  # noqa: B009
    await asyncio.wait([asyncio.ensure_future(close())], timeout=5)


def unavailable(settings: Settings, error: BaseException) -> KafkaUnavailable:
    return KafkaUnavailable(
        f"Kafka at {settings.kafka} does not answer ({type(error).__name__}). Start it, or set SYNCLOGS_KAFKA to "
        "the address of yours; that of a running `synclogs dev` is in its stack.json."
    )
