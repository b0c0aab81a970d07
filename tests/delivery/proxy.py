"""A TCP way from one part to another that fails when it is told to, and counts each time it really did.

It runs on an event loop in a thread of its own, so that plain and async tests drive it alike, and a test that blocks
stops no traffic. In go bytes of any protocol; out go the same bytes, later, in pieces, or not at all.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests.delivery.connection import SLOTS_A_SECOND, Connection
from tests.delivery.faults import Direction, Fault, Rule, Rules

__all__ = ["Direction", "Fault", "FaultProxy"]

T = TypeVar("T")
HOST = "127.0.0.1"
AT_ONCE = (Fault.CUT, Fault.RESET)


class FaultProxy:
    """`with FaultProxy("127.0.0.1:9092") as proxy`: clients connect to `proxy.address` (host:port) or `proxy.url`.

    Faults last until `heal`; several may be on at once. Nothing here waits for a fault to have happened: look at
    `happened`.
    """

    def __init__(self, target: str, seed: int = 0, port: int = 0) -> None:
        address = urlsplit(target if "//" in target else f"//{target}")
        self.target = (address.hostname or HOST, address.port or 0)
        self._rules = Rules(seed)
        self._flapping: asyncio.Task[None] | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._loop = asyncio.SelectorEventLoop()  # whatever loop the test's policy makes
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="fault proxy")
        self._thread.start()
        self._server: asyncio.Server = asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.address = f"{HOST}:{self.port}"
        self.url = f"http://{self.address}"

    async def _listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._accept, HOST, port)

    @property
    def happened(self) -> Counter[str]:
        """How often each fault really happened, in the units that `Fault` gives."""
        return self._rules.happened

    @property
    def passed(self) -> Counter[Direction]:
        """Bytes that got through."""
        return self._rules.passed

    @property
    def connections(self) -> int:
        """How many there are at this moment."""
        return len(self._connections)

    def cut(self) -> int:
        """How many connections were closed."""
        return self._do(lambda: self._end_all(Fault.CUT))

    def reset(self) -> int:
        """How many connections were reset."""
        return self._do(lambda: self._end_all(Fault.RESET))

    def refuse(self) -> None:
        self._begin(Fault.REFUSE, Rule())

    def down(self) -> None:
        self._do(self._fall)

    def flap(self, down: float = 0.3, up: float = 0.3) -> None:
        """Seconds."""

        def begin() -> None:
            self._end(Fault.FLAP)
            self._rules.change(Fault.FLAP, Rule())
            self._flapping = self._loop.create_task(self._flap(down, up))

        self._do(begin)

    def mute(self, only: bytes = b"", times: int | None = None) -> None:
        """`only`: answers to requests in which these bytes are. `times`: so many answers and no more."""
        self._begin(Fault.MUTE, Rule(Direction.ANSWERS, only=only, times=times))

    def hang(self, direction: Direction = Direction.BOTH) -> None:
        self._begin(Fault.HANG, Rule(direction))

    def hold(self, direction: Direction = Direction.BOTH) -> None:
        self._begin(Fault.HOLD, Rule(direction))

    def latency(self, delay: float, jitter: float = 0, direction: Direction = Direction.BOTH) -> None:
        """Seconds for each chunk of at most 64 KiB, give or take `jitter`; so it bounds the throughput, too."""
        self._begin(Fault.LATENCY, Rule(direction, delay=delay, jitter=jitter))

    def bandwidth(self, bytes_per_second: float, direction: Direction = Direction.BOTH) -> None:
        size = max(1, round(bytes_per_second / SLOTS_A_SECOND))
        self._begin(Fault.BANDWIDTH, Rule(direction, delay=1 / SLOTS_A_SECOND, size=size))

    def slice(self, size: int = 7, pause: float = 0.001, direction: Direction = Direction.BOTH) -> None:
        """Pieces of `size` bytes, `pause` seconds between two."""
        self._begin(Fault.SLICE, Rule(direction, delay=pause, size=size))

    def heal(self, fault: Fault | None = None) -> None:
        """End one fault or all. A connection of which bytes were swallowed is reset: it can't be healed."""

        def end() -> None:
            for ended in [fault] if fault else list(self._rules.on):
                self._end(ended)

        self._do(end)

    async def inject(self, fault: str, seconds: float = 0, **arguments: Any) -> None:
        """A fault by its name, as a schedule writes it; one that lasts is healed after `seconds`."""
        if "direction" in arguments:
            arguments["direction"] = Direction(arguments["direction"])
        getattr(self, Fault(fault).value)(**arguments)
        if fault not in AT_ONCE:
            try:
                await asyncio.sleep(seconds)
            finally:
                self.heal(Fault(fault))

    def close(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises in the proxy's own thread."""

        async def call() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    # From here on in the proxy's own thread

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self._rules, reader, writer)
        refused = next((fault for fault in (Fault.FLAP, Fault.DOWN, Fault.REFUSE) if self._refuses(fault)), None)
        if refused:
            self._rules.happens(refused)
            connection.reset()
            return
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.serve(*self.target)
        finally:
            del self._connections[connection]

    def _refuses(self, fault: Fault) -> bool:
        return fault in self._rules.on and (fault is not Fault.FLAP or Fault.DOWN in self._rules.on)

    def _begin(self, fault: Fault, rule: Rule) -> None:
        self._do(lambda: self._rules.change(fault, rule))

    def _fall(self, fault: Fault = Fault.DOWN) -> None:
        self._rules.change(Fault.DOWN, Rule())
        self._end_all(fault)

    def _end(self, fault: Fault) -> None:
        self._rules.change(fault, None)
        if fault is Fault.FLAP and self._flapping:
            self._flapping.cancel()
            self._flapping = None
            self._rules.change(Fault.DOWN, None)
        if fault is Fault.HANG:
            for connection in [each for each in self._connections if each.robbed]:
                connection.reset()

    def _end_all(self, fault: Fault) -> int:
        connections = list(self._connections)
        for connection in connections:
            if fault is Fault.CUT:
                connection.close()
            else:
                connection.reset()
        self._rules.happened[fault] += len(connections)
        return len(connections)

    async def _flap(self, down: float, up: float) -> None:
        while True:
            self._fall(Fault.FLAP)
            await asyncio.sleep(down)
            self._rules.change(Fault.DOWN, None)
            await asyncio.sleep(up)

    async def _close(self) -> None:
        for fault in list(self._rules.on):
            self._end(fault)
        self._server.close()
        tasks = list(self._connections.values())
        for connection in list(self._connections):
            connection.reset()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=2)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.sleep(0)  # transports say good-bye in the next turn of the loop
