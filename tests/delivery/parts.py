"""The real parts that faults happen to: Kafka, the ClickHouse front and our workers, each with ways that can fail.

Clients of `Kafka.ways[n].address` stay on that way: the broker has a listener for each, and tells them to come back
through the proxy.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

from streams.config import PREFIX, Settings
from streams.devstack import kafka_node
from tests.conftest import free_port
from tests.delivery.broker_log import BrokerLog
from tests.delivery.processes import Child, until
from tests.delivery.proxy import FaultProxy

HOST = "127.0.0.1"
START_SECONDS = 120.0
SHIFTED = Path(__file__).parent / "shifted"


class Server(Child):
    """A part that others connect to, at the same port through all its lives."""

    def __init__(self, name: str, command: Sequence[str], port: int, ways: Sequence[FaultProxy], log: Path) -> None:
        super().__init__(name, command, {}, log)
        self.port = port
        self.ways = list(ways)
        """Proxies before it."""

    async def up(self) -> None:
        """Return when it listens."""
        await until(f"{self.name} listens", lambda: _listens(self.port), START_SECONDS)

    async def restored(self) -> None:
        """Make it whole: not supervised, thawed, running, every way healed."""
        await self.unsupervised()
        self.thaw()
        if self.pid is None:
            self.start()
        for way in self.ways:
            way.heal()
        await self.up()

    def finish(self) -> None:
        """End it, without a loop."""
        self.kill_now()
        for way in self.ways:
            way.close()


class Kafka(Server):
    """One broker. `address` is the direct way to it; `ways` are proxies before it."""

    def __init__(self, folder: Path, ways: int = 3) -> None:
        port, *listeners = (free_port() for _ in range(1 + ways))
        self.address = f"{HOST}:{port}"
        proxies = [FaultProxy(f"{HOST}:{listener}") for listener in listeners]
        told = {listener: proxy.port for listener, proxy in zip(listeners, proxies, strict=True)}
        command = kafka_node.command(folder / "data", port, folder / "kafka.log", ways=told)
        super().__init__("kafka", command, port, proxies, folder / "kafka.out")
        self.coordinators = BrokerLog(folder / "kafka.log")
        self._seen_failed = 0

    def mend(self) -> bool:
        """End the broker if a coordinator of it has failed since the last call, as an operator must: a group has none
        until it is started again. Whether it was ended."""
        pid = self.pid
        self.coordinators.look()
        seen, self._seen_failed = self._seen_failed, self.coordinators.failed
        return self.coordinators.failed > seen and self.pid == pid and self.kill() is not None


class Front(Server):
    """The ClickHouse front."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        command = [sys.executable, "-m", "streams.devstack.front", "--data", str(folder / "data"), "--port", str(port)]
        super().__init__("clickhouse", command, port, [], folder / "front.log")

    def way(self, seed: int = 0) -> FaultProxy:
        """Another proxy before it, closed with it."""
        self.ways.append(FaultProxy(self.url, seed))
        return self.ways[-1]


class WorkerProcess(Child):
    """One of `synclogs store|count|web|publish --serve`, with settings and an environment of its own.

    `clock` shifts its wall clock (`+3h`, `-1d`) by libfaketime; clocks that only go forward are left alone, as when an
    operator sets the time.
    """

    def __init__(
        self, role: str, number: int, settings: Settings, folder: Path, *, clock: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        port = free_port()
        self._address = f"http://{HOST}:{port}"
        more = {f"{PREFIX}METRICS_PORT": str(port)} | (shifted(clock) if clock else {}) | dict(environment or {})
        command = [sys.executable, "-m", "streams.cli", role, *(["--serve"] if role == "publish" else [])]
        super().__init__(f"{role} {number}", command, environment_of(settings) | more, folder / f"{role}-{number}.log")

    @property
    def metrics_address(self) -> str | None:
        return self._address

    async def told_to_end(self, seconds: float = 20) -> int:
        """The exit code after SIGTERM."""
        self.terminate()
        return await self.ended(seconds)


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables from which a process loads these settings."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"{PREFIX}{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }


def fake_clock() -> Path | None:
    """libfaketime (package faketime), None where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def shifted(clock: str) -> dict[str, str]:
    """The environment of a process whose wall clock is shifted."""
    library = fake_clock()
    assert library is not None, "libfaketime is missing: install the package faketime"
    return {
        "LD_PRELOAD": str(library), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SHIFTED), os.environ.get("PYTHONPATH")])),
    }  # fmt: skip


async def _listens(port: int) -> bool:
    def connect() -> bool:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            return False
        return True

    return await asyncio.to_thread(connect)
