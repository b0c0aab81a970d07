"""Processes that faults happen to: our own children, and those of a stack that is already up.

`Process` sends the signals and counts them; `Child` is started, waited for and started again by the test; `Found` is
looked up in a `stack.json` each time, since its supervisor starts it again under another pid.
"""

import asyncio
import http.client
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from streams.devstack.orphan import bound_to_parent

AGAIN_SECONDS = 0.3


class Blow(StrEnum):
    """What happens to a process."""

    KILL = "kill"
    FREEZE = "freeze"
    TERMINATE = "terminate"


_SIGNALS = {Blow.KILL: signal.SIGKILL, Blow.FREEZE: signal.SIGSTOP, Blow.TERMINATE: signal.SIGTERM}


class Process(ABC):
    """One process, whatever its pid is at the moment."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.happened: Counter[str] = Counter()

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """None while it does not run."""

    @property
    @abstractmethod
    def metrics_address(self) -> str | None:
        """Where it tells about itself, without a path."""

    def strike(self, blow: Blow) -> int | None:
        """Its pid if it was alive to get the signal. Counts those."""
        pid = self.pid
        if pid is None or not _alive(pid):
            return None
        os.kill(pid, _SIGNALS[blow])
        self.happened[blow] += 1
        return pid

    def kill(self) -> int | None:
        return self.strike(Blow.KILL)

    def freeze(self) -> int | None:
        """SIGSTOP; returns when the process has stopped, which the kernel does a moment later."""
        pid = self.strike(Blow.FREEZE)
        deadline = time.monotonic() + 5
        while pid is not None and _state(pid) not in "TtZX" and time.monotonic() < deadline:
            time.sleep(0.005)
        return pid

    def thaw(self) -> None:
        if (pid := self.pid) is not None and _alive(pid):
            os.kill(pid, signal.SIGCONT)

    def terminate(self) -> int | None:
        return self.strike(Blow.TERMINATE)

    async def inject(self, fault: str, seconds: float = 0, **arguments: Any) -> None:
        """A blow by its name, as a schedule writes it; a freeze is ended after `seconds`."""
        blows = {Blow.KILL: self.kill, Blow.TERMINATE: self.terminate}
        if Blow(fault) in blows:
            blows[Blow(fault)]()
            return
        pid = self.freeze()
        try:
            await asyncio.sleep(seconds)
        finally:  # the one that was frozen, not one that was started since
            if pid is not None and _alive(pid):
                os.kill(pid, signal.SIGCONT)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of an address of its own; (0, '') while nothing answers."""

        def ask() -> tuple[int, str]:
            try:
                try:
                    with urllib.request.urlopen(f"{self.metrics_address}{path}", timeout=2) as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as refused:
                    with refused:
                        return refused.code, refused.read().decode()
            except (OSError, ValueError, http.client.HTTPException):  # the last: killed in the middle of its answer
                return 0, ""

        return await asyncio.to_thread(ask) if self.metrics_address else (0, "")

    async def metric(self, name: str, **labels: str) -> float:
        """The sum over all samples of this name with these labels; 0 where there is none."""
        _, text = await self.get("/metrics")
        total = 0.0
        for line in text.splitlines():
            head, _, value = line.rpartition(" ")
            wanted = head == name or head.startswith(name + "{")
            if wanted and all(f'{label}="{text}"' in head for label, text in labels.items()):
                total += float(value)
        return total

    async def ready(self, seconds: float = 60) -> None:
        """Return when /readyz says so."""

        async def is_ready() -> bool:
            return (await self.get("/readyz"))[0] == 200

        await until(f"{self.name} is ready", is_ready, seconds)


class Child(Process):
    """A process of this test; it ends with the test run, however that ends. Start it from the main thread."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        super().__init__(name)
        self.command = list(command)
        self.environment = dict(environment)
        """For the next start."""
        self.log = log
        self.exit_codes: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def metrics_address(self) -> str | None:
        return None

    def start(self) -> None:
        """Start it; what the environment has of our settings comes from `environment` alone."""
        assert self.pid is None, f"{self.name} runs already"
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("SYNCLOGS_")}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                bound_to_parent(self.command), env={**inherited, **self.environment}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )  # fmt: skip

    def kill(self) -> int | None:
        """SIGKILL; returns when it is gone."""
        process, pid = self._process, super().kill()
        if pid is not None and process is not None:
            process.wait()
        return pid

    async def ended(self, seconds: float = 30) -> int:
        """Its exit code, negative for a signal. TimeoutError after `seconds`."""
        process = self._process
        assert process is not None

        async def gone() -> bool:
            return process.poll() is not None

        await until(f"{self.name} has ended", gone, seconds)
        return int(process.returncode)

    def supervise(self) -> None:
        """From now on start it again whenever it ends, as a supervisor does in production."""
        self._keeper = self._keeper or asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            if self._process and self._process.poll() is not None:
                self.exit_codes.append(self._process.returncode)
                await asyncio.sleep(AGAIN_SECONDS)
                self.start()
            await asyncio.sleep(0.02)

    async def end(self, grace: float = 0) -> None:
        """Not supervised any more; SIGTERM, and SIGKILL after `grace` seconds."""
        await self.unsupervised()
        if self._process is None:
            return
        self.thaw()
        if grace and self._process.poll() is None:
            self._process.terminate()
            deadline = time.monotonic() + grace
            while self._process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        self.kill_now()

    async def unsupervised(self) -> None:
        """If it ends from now on, it stays so."""
        keeper, self._keeper = self._keeper, None
        if keeper:
            keeper.cancel()
            await asyncio.wait({keeper})

    def kill_now(self) -> None:
        """SIGKILL at the end of a test: no fault, not counted."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, as far as it is JSON."""
        text = self.log.read_bytes() if self.log.exists() else b""
        return [json.loads(line) for line in text.splitlines() if line[:1] == b"{" and line[-1:] == b"}"]

    def logged(self, event: str) -> int:
        """How often it has logged this event."""
        return sum(line.get("event") == event for line in self.lines())


class Found(Process):
    """A process of a stack that is up: whichever has this role and number when it is looked for."""

    def __init__(self, file: Path, role: str, number: int) -> None:
        super().__init__(f"{role} {number}")
        self._file, self._role, self._number = file, role, number

    def _entry(self) -> dict[str, Any]:
        entries: list[dict[str, Any]] = json.loads(self._file.read_text())["processes"]
        return next((e for e in entries if (e["role"], e["number"]) == (self._role, self._number)), {})

    @property
    def pid(self) -> int | None:
        return self._entry().get("pid")

    @property
    def metrics_address(self) -> str | None:
        metrics = self._entry().get("metrics")
        return metrics.removesuffix("/metrics") if metrics else None


def _state(pid: int) -> str:
    """The kernel's letter; X once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _alive(pid: int) -> bool:
    return _state(pid) not in "ZX"


async def until(what: str, met: Callable[[], Awaitable[bool]], seconds: float = 40, every: float = 0.1) -> None:
    """Wait for a condition; TimeoutError names it."""
    deadline = time.monotonic() + seconds
    while not await met():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(every)
