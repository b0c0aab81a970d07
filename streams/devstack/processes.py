"""Supervises the stack's child processes: starts them, starts again whatever ends, and stops all in order.

Comes in: a Spec for each process. Goes out: a Change to the caller at each start and end, and the list of what runs.
Children have sessions of their own, so that Ctrl-C in the terminal reaches the supervisor alone, and end with it even
at kill -9 (`orphan`).
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streams.devstack.orphan import bound_to_parent


@dataclass(frozen=True, slots=True)
class Spec:
    """One process to keep running: its role and number in it, its command, what its environment has beside ours,
    the file that its output is appended to, and the address of its metrics."""

    role: str
    number: int
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    metrics: str | None = None

    @property
    def name(self) -> str:
        return f"{self.role} {self.number}"


@dataclass(frozen=True, slots=True)
class Running:
    """A live process of the stack."""

    spec: Spec
    pid: int


@dataclass(frozen=True, slots=True)
class Change:
    """A process started (`exit_code` is None), ended, or could not be started (127, pid 0); `again_in` are the seconds
    to its next start, None if never."""

    spec: Spec
    pid: int
    exit_code: int | None = None
    again_in: float | None = None
    starts: int = 1

    def __str__(self) -> str:
        """One line for the terminal."""
        if self.exit_code is None:
            return f"{self.spec.name} started{' again' if self.starts > 1 else ''} (pid {self.pid})"
        how = f"exit code {self.exit_code}" if self.exit_code >= 0 else signal.Signals(-self.exit_code).name
        again = "" if self.again_in is None else f", starting again in {self.again_in:.1f} s; log: {self.spec.log}"
        return f"{self.spec.name} (pid {self.pid}) ended: {how}{again}"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between an end and the next start: from `first`, doubling to `most`, anew after `steady` seconds up."""

    first: float = 0.3
    most: float = 4.0
    steady: float = 30.0

    def after(self, previous: float | None, up: float) -> float:
        """The next pause, given the one before and how long the process was up."""
        return self.first if previous is None or up >= self.steady else min(previous * 2, self.most)


class Supervisor:
    """Keeps processes running until `stop`. Use it in the event loop of the main thread."""

    def __init__(self, on_change: Callable[[Change], None], backoff: Backoff | None = None) -> None:
        """`on_change` is called in the event loop after every start and end; it must neither block nor raise."""
        self._on_change = on_change
        self._backoff = backoff or Backoff()
        self._children: dict[tuple[str, int], _Child] = {}

    async def start(self, spec: Spec) -> int:
        """Starts the process and watches it from now on; returns its first pid. Each role and number only once."""
        key = (spec.role, spec.number)
        if key in self._children:
            raise ValueError(f"{spec.name} is already supervised")
        child = self._children[key] = _Child(spec, self._backoff, self._on_change)
        pid = await child.launch()
        child.keeper = asyncio.create_task(child.keep(), name=spec.name)
        return pid

    def running(self) -> list[Running]:
        """What is alive at this moment, in the order of the first starts."""
        return [Running(c.spec, c.process.pid) for c in self._children.values() if c.alive and c.process]

    async def stop(self, order: Sequence[str] = (), grace: float = 10.0) -> None:
        """Ends every process with SIGTERM, after `grace` seconds with SIGKILL, and forgets it.

        Roles end one after the other as in `order`, roles not named there before all others. Repeatable.
        """
        for child in self._children.values():
            child.stopping = True
        named = [[c for c in self._children.values() if c.spec.role == role] for role in order]
        others = [c for c in self._children.values() if c.spec.role not in order]
        for group in (others, *named):
            await asyncio.gather(*(child.end(grace) for child in group))
        self._children.clear()


class _Child:
    """One supervised process through all its starts."""

    def __init__(self, spec: Spec, backoff: Backoff, on_change: Callable[[Change], None]) -> None:
        self.spec = spec
        self.process: asyncio.subprocess.Process | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.alive = False
        self.stopping = False
        self._starts = 0
        self._started_at = 0.0
        self._backoff = backoff
        self._on_change = on_change

    async def launch(self) -> int:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        with self.spec.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *bound_to_parent(self.spec.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **self.spec.env},
                start_new_session=True,
            )
        self._starts += 1
        self._started_at = asyncio.get_running_loop().time()
        self.alive = True
        self._on_change(Change(self.spec, self.process.pid, starts=self._starts))
        return self.process.pid

    async def keep(self) -> None:
        """Waits for the process's end and starts it again, until the child is stopping."""
        pause: float | None = None
        while True:
            assert self.process is not None
            code = await self.process.wait()
            self.alive = False
            pause = self._backoff.after(pause, asyncio.get_running_loop().time() - self._started_at)
            again_in = None if self.stopping else pause
            self._on_change(Change(self.spec, self.process.pid, code, again_in, self._starts))
            if self.stopping:
                return
            pause = await self._launch_again(pause)

    async def _launch_again(self, pause: float) -> float:
        """Starts the process after `pause` seconds, and tries on where the machine refuses; returns the last pause."""
        while True:
            await asyncio.sleep(pause)
            try:
                await self.launch()
            except OSError:  # no memory, no file handles, no disk for the log: all of it may pass
                pause = self._backoff.after(pause, up=0)
                self._on_change(Change(self.spec, 0, 127, pause, self._starts))
            else:
                return pause

    async def end(self, grace: float) -> None:
        """Ends the process and the watching of it; one that waits for its next start is not started any more."""
        if self.keeper is None or self.process is None:
            return
        if self.alive:
            self._signal(signal.SIGTERM)
            done, _ = await asyncio.wait({self.keeper}, timeout=grace)
            if not done:
                self._signal(signal.SIGKILL)
                await self.process.wait()
        else:
            self.keeper.cancel()
        await asyncio.gather(self.keeper, return_exceptions=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
