"""One connection through a fault proxy: two streams of bytes, each of which suffers what the proxy's rules say.

Comes in: a client that connected, and the address of what it wanted. Which faults are on is in `Rules`; here is what
they do to bytes.
"""

import asyncio
import socket
import struct

from tests.delivery.faults import Direction, Fault, Rules

CHUNK = 1 << 16
SLOTS_A_SECOND = 50
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Connection:
    """`serve` returns when both sides have ended it, or the proxy has."""

    def __init__(self, rules: Rules, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.robbed = False
        """Bytes of it were swallowed: whatever came after them would be nonsense."""
        self._rules = rules
        self._client = (reader, writer)
        self._writers = [writer]
        self._request = b""
        self._answered = True

    async def serve(self, host: str, port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:  # what is behind the proxy is away by itself
            self.reset()
            return
        self._writers.append(writer)
        await asyncio.gather(
            self._pass(self._client[0], writer, Direction.REQUESTS),
            self._pass(reader, self._client[1], Direction.ANSWERS),
        )
        self.close()

    def close(self) -> None:
        """In order: what was passed on arrives, then the end."""
        for writer in self._writers:
            writer.close()

    def reset(self) -> None:
        for writer in self._writers:
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        try:
            while data := await reader.read(CHUNK):
                self._note(data, direction)
                if not await self._swallowed(data, direction):
                    await self._deliver(data, writer, direction)
            if not await self._swallowed(b"", direction):
                writer.write_eof()
        except (OSError, RuntimeError):  # RuntimeError: the other side's transport is closed
            self.reset()

    def _note(self, data: bytes, direction: Direction) -> None:
        """Keep the beginning of the request that is under way, by which MUTE knows it."""
        if direction is Direction.ANSWERS:
            self._answered = True
            return
        if self._answered:
            self._answered, self._request = False, b""
        if len(self._request) < CHUNK:
            self._request += data

    async def _swallowed(self, data: bytes, direction: Direction) -> bool:
        """Whether these bytes (none: the end of the stream) get no further. Waits while they are held."""
        rules = self._rules
        if rules.rule(Fault.HOLD, direction):
            rules.happens(Fault.HOLD)
            while rules.rule(Fault.HOLD, direction):
                await rules.turn()
        if rules.rule(Fault.HANG, direction):
            rules.happens(Fault.HANG)
            self.robbed = True
            return True
        mute = rules.rule(Fault.MUTE, direction)
        if mute and data and mute.only in self._request:
            rules.happens(Fault.MUTE)
            self.close()
            return True
        return False

    async def _deliver(self, data: bytes, writer: asyncio.StreamWriter, direction: Direction) -> None:
        rules = self._rules
        if late := rules.rule(Fault.LATENCY, direction):
            rules.happens(Fault.LATENCY)
            await asyncio.sleep(max(0.0, late.delay + rules.chance.uniform(-late.jitter, late.jitter)))
        for fault in (Fault.BANDWIDTH, Fault.SLICE):
            if rules.rule(fault, direction):
                rules.happens(fault)
                data = await self._in_pieces(data, writer, fault, direction)
        writer.write(data)
        await writer.drain()
        rules.passed[direction] += len(data)

    async def _in_pieces(self, data: bytes, writer: asyncio.StreamWriter, fault: Fault, direction: Direction) -> bytes:
        """What is left when the fault ends: it may take a minute for one chunk."""
        while data and (rule := self._rules.rule(fault, direction)):
            writer.write(data[: rule.size])
            await writer.drain()
            self._rules.passed[direction] += len(data[: rule.size])
            data = data[rule.size :]
            await asyncio.sleep(rule.delay)
        return data
