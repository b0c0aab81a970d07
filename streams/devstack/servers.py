"""Kafka and the ClickHouse front as supervised processes: their addresses, and waiting until they answer."""

import asyncio
import socket
import sys
from pathlib import Path

from streams.clickhouse.client import wait_for
from streams.config import Settings
from streams.devstack import kafka_node
from streams.devstack.processes import Spec
from streams.errors import KafkaUnavailable, StackError, StoreUnavailable
from streams.kafka.topics import create_missing

HOST = "127.0.0.1"
START_SECONDS = 60


def free_port(wanted: int = 0) -> int:
    """A port that nothing listens on: `wanted`, or any for 0. OSError if that one is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, wanted))
        return int(probe.getsockname()[1])


def kafka_spec(data: Path, log: Path, port: int) -> Spec:
    return Spec("kafka", 1, kafka_node.command(data, port, log), log.with_suffix(".out"))


def clickhouse_spec(data: Path, log: Path, port: int) -> Spec:
    module = [sys.executable, "-m", "streams.devstack.front"]
    return Spec("clickhouse", 1, [*module, "--data", str(data), "--host", HOST, "--port", str(port)], log)


async def kafka_answers(settings: Settings, seconds: float = START_SECONDS) -> None:
    """Return once Kafka answers and the topics are there, made where missing. StackError after `seconds`."""
    async def connect() -> None:
        while True:
            await _listens(settings.kafka)
            try:
                await create_missing(settings)
                return
            except KafkaUnavailable:
                await asyncio.sleep(0.5)  # not ready yet; or killed in between, and being started again

    try:
        await asyncio.wait_for(connect(), seconds)
    except TimeoutError:
        raise StackError(f"Kafka at {settings.kafka} does not answer after {seconds} s: see its log") from None


async def _listens(address: str) -> None:
    """Return once something listens there: a client's own tries are seconds apart."""
    host, _, port = address.split(",")[0].rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def clickhouse_answers(settings: Settings, seconds: float = START_SECONDS) -> None:
    """Return once ClickHouse answers. StackError after `seconds`."""
    try:
        wait_for(settings, seconds)
    except StoreUnavailable:
        where = settings.clickhouse
        raise StackError(f"ClickHouse at {where} does not answer after {seconds} s: see its log") from None
