"""A count worker in a process of its own, as it runs in production: its metrics, its readiness, its log, its end."""

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from streams.config import Settings
from streams.devstack.orphan import bound_to_parent
from tests.conftest import free_port


class Process:
    """Started at once; `end` it in any case."""

    def __init__(self, settings: Settings, log: Path) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._log = log
        values = {name: getattr(settings, name) for name in settings.model_fields_set} | {"metrics_port": port}
        environment = os.environ | {f"SYNCLOGS_{name.upper()}": str(value) for name, value in values.items()}
        with log.open("ab") as output:
            command = bound_to_parent([sys.executable, "-m", "streams.cli", "count"])
            self._process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of an address; (0, '') while nothing listens."""
        try:
            answer = await asyncio.to_thread(urllib.request.urlopen, self.address + path, None, 5)
            with answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    async def metric(self, name: str, label: str = "") -> float:
        """The sum over all lines that begin with `name` and hold `label`."""
        _, text = await self.get("/metrics")
        lines = [line for line in text.splitlines() if line.startswith(name) and label in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    async def until(self, met: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
        """Wait until `await met()` is true."""
        async with asyncio.timeout(seconds):
            while not await met():
                await asyncio.sleep(0.05)

    async def ready(self) -> None:
        async def is_ready() -> bool:
            return (await self.get("/readyz"))[0] == 200

        await self.until(is_ready)

    async def counted(self, number: float) -> None:
        """Wait until so many messages are settled."""

        async def enough() -> bool:
            return await self.metric("synclogs_records_consumed_total") >= number

        await self.until(enough)

    async def owns(self, partitions: int) -> None:
        """Wait until the worker tells that it has so many partitions, and shows the position of no other."""

        async def shown() -> bool:
            _, text = await self.get("/metrics")
            lines = [line for line in text.splitlines() if line.startswith("synclogs_position{")]
            return await self.metric("synclogs_partitions_assigned") == len(lines) == partitions

        await self.until(shown)

    def events(self) -> list[str]:
        """The names of what was logged."""
        return [orjson.loads(line)["event"] for line in self._log.read_bytes().splitlines() if line[:1] == b"{"]

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def wait(self, seconds: float = 30) -> int:
        """The exit code."""
        return await asyncio.to_thread(self._process.wait, seconds)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.running:
            self.send_signal(signal.SIGCONT)
            self.send_signal(number)
        return await self.wait()
