"""Each fault of the proxy does what it says, and counts that it did."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.delivery.processes import until
from tests.delivery.proxy import Direction, Fault, FaultProxy


class Echo:
    """A server that answers each byte with itself, and knows what came."""

    def __init__(self) -> None:
        self.got = b""
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                self.got += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            self.ended += 1
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    yield echo, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
def proxy(echo: tuple[Echo, str]) -> Iterator[FaultProxy]:
    with FaultProxy(echo[1], seed=1) as proxy:
        yield proxy


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes, seconds: float = 5) -> bytes:
        """The answer; b'' where the connection ended, ConnectionResetError where it was reset."""
        self.writer.write(data)
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.readexactly(len(data))
            except asyncio.IncompleteReadError as error:
                return error.partial

    async def silent(self, data: bytes) -> bool:
        """Whether nothing at all comes back."""
        try:
            await self.ask(data, 0.2)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def client(proxy: FaultProxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def closed(proxy: FaultProxy) -> None:
    async def none() -> bool:
        return proxy.connections == 0

    await until("no connection is left", none, 5, 0.01)


async def test_without_a_fault_bytes_pass_both_ways_and_so_does_the_end(
    proxy: FaultProxy, echo: tuple[Echo, str]
) -> None:
    data = bytes(range(256)) * 4000
    async with client(proxy) as each:
        assert await each.ask(data) == data
        each.writer.write_eof()
        assert await each.reader.read() == b""
    await closed(proxy)  # the proxy counts after it has written: the last bytes may be here before they are counted
    assert proxy.passed == {Direction.REQUESTS: len(data), Direction.ANSWERS: len(data)}
    assert echo[0].ended == 1
    assert not proxy.happened


async def test_cut_ends_every_connection_and_later_ones_pass(proxy: FaultProxy, echo: tuple[Echo, str]) -> None:
    async with client(proxy) as one, client(proxy) as other:
        await one.ask(b"1")
        await other.ask(b"2")
        assert proxy.cut() == 2
        assert await one.reader.read() == await other.reader.read() == b""
    await closed(proxy)
    async with client(proxy) as third:
        assert await third.ask(b"3") == b"3"
    assert proxy.happened == {Fault.CUT: 2}


async def test_reset_is_an_error_on_both_sides(proxy: FaultProxy, echo: tuple[Echo, str]) -> None:
    async with client(proxy) as each:
        await each.ask(b"1")
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            await each.reader.read()
    await closed(proxy)
    assert proxy.happened == {Fault.RESET: 1}


async def test_refuse_turns_away_new_connections_and_leaves_the_others(proxy: FaultProxy) -> None:
    async with client(proxy) as there:
        await there.ask(b"1")
        proxy.refuse()
        with pytest.raises(OSError):
            async with client(proxy) as new:
                assert await new.ask(b"2") == b""
                raise ConnectionResetError
        assert await there.ask(b"3") == b"3"
    assert proxy.happened == {Fault.REFUSE: 1}
    proxy.heal()
    async with client(proxy) as new:
        assert await new.ask(b"4") == b"4"


async def test_down_resets_what_is_there_and_what_comes(proxy: FaultProxy) -> None:
    async with client(proxy) as there:
        await there.ask(b"1")
        proxy.down()
        with pytest.raises(ConnectionResetError):
            await there.reader.read()
    assert proxy.happened == {Fault.DOWN: 1}
    with pytest.raises(OSError):
        async with client(proxy) as new:
            assert await new.ask(b"2") == b""
            raise ConnectionResetError
    assert proxy.happened == {Fault.DOWN: 2}


async def test_flap_is_down_and_up_in_turns(proxy: FaultProxy) -> None:
    proxy.flap(down=0.05, up=0.05)
    seen = set()

    async def both() -> bool:
        try:
            async with client(proxy) as each:
                seen.add(await each.ask(b"1") == b"1")
        except OSError:
            seen.add(False)
        return seen == {True, False}

    await until("it was seen up and down", both, 5, 0.01)
    assert proxy.happened[Fault.FLAP] > 0
    proxy.heal()
    async with client(proxy) as each:
        assert await each.ask(b"2") == b"2"


async def test_mute_lets_the_request_through_and_closes_instead_of_the_answer(
    proxy: FaultProxy, echo: tuple[Echo, str]
) -> None:
    proxy.mute(only=b"INSERT", times=1)
    async with client(proxy) as each:
        assert await each.ask(b"SELECT") == b"SELECT"
        assert await each.ask(b"INSERT 1") == b""
    assert echo[0].got == b"SELECTINSERT 1"
    async with client(proxy) as each:
        assert await each.ask(b"INSERT 2") == b"INSERT 2"
    assert proxy.happened == {Fault.MUTE: 1}


@pytest.mark.parametrize("direction", [Direction.REQUESTS, Direction.ANSWERS])
async def test_hang_swallows_one_direction_and_keeps_the_connection(
    proxy: FaultProxy, echo: tuple[Echo, str], direction: Direction
) -> None:
    async with client(proxy) as each:
        await each.ask(b"1")
        proxy.hang(direction)
        assert await each.silent(b"2")
        assert proxy.connections == 1
        assert echo[0].got == (b"1" if direction is Direction.REQUESTS else b"12")
        proxy.heal()
        with pytest.raises(ConnectionResetError):  # what was swallowed is lost, so the stream is of no use
            await each.reader.read()
    assert proxy.happened == {Fault.HANG: 1}


async def test_hang_hides_the_end_of_the_client_from_the_server(proxy: FaultProxy, echo: tuple[Echo, str]) -> None:
    async with client(proxy) as each:
        await each.ask(b"1")
        proxy.hang()
    await asyncio.sleep(0.1)
    assert echo[0].ended == 0
    proxy.heal()
    await closed(proxy)


async def test_hold_keeps_what_was_sent_and_delivers_it_later_though_the_sender_is_gone(
    proxy: FaultProxy, echo: tuple[Echo, str]
) -> None:
    async with client(proxy) as each:
        await each.ask(b"1")
        proxy.hold(Direction.REQUESTS)
        assert await each.silent(b"late")
    assert echo[0].got == b"1"
    proxy.heal()

    async def arrived() -> bool:
        return echo[0].got == b"1late"

    await until("what was held arrives", arrived, 5, 0.01)
    assert proxy.happened[Fault.HOLD] >= 1


async def test_latency_delays_each_way(proxy: FaultProxy) -> None:
    proxy.latency(0.1, jitter=0.02)
    async with client(proxy) as each:
        started = time.monotonic()
        assert await each.ask(b"1") == b"1"
        assert time.monotonic() - started >= 0.16
    assert proxy.happened == {Fault.LATENCY: 2}


async def test_bandwidth_bounds_the_bytes_a_second(proxy: FaultProxy) -> None:
    proxy.bandwidth(100_000, Direction.ANSWERS)
    async with client(proxy) as each:
        started = time.monotonic()
        assert len(await each.ask(b"x" * 30_000)) == 30_000
        assert time.monotonic() - started >= 0.28
    assert proxy.happened[Fault.BANDWIDTH] >= 1


async def test_slice_delivers_all_in_pieces_and_its_end_lets_the_rest_through(proxy: FaultProxy) -> None:
    proxy.slice(size=3, pause=0.001)
    async with client(proxy) as each:
        assert await each.ask(b"0123456789") == b"0123456789"
        assert proxy.happened[Fault.SLICE] >= 2
        proxy.slice(size=1, pause=1)
        each.writer.write(b"x" * 1000)
        assert await each.reader.read(1)
        proxy.heal()
        async with asyncio.timeout(5):
            assert len(await each.reader.readexactly(999)) == 999


async def test_a_scheduled_fault_ends_by_itself(proxy: FaultProxy) -> None:
    async with client(proxy) as each:
        await each.ask(b"1")
        holding = asyncio.create_task(proxy.inject("hold", seconds=0.2, direction="requests"))
        await asyncio.sleep(0.05)
        assert await each.silent(b"2") is False or proxy.happened[Fault.HOLD]
        await holding
        await proxy.inject("reset")
    assert proxy.happened[Fault.RESET] == 1
    with pytest.raises(ValueError):
        await proxy.inject("earthquake")


async def test_a_server_that_is_away_is_away_through_the_proxy(proxy: FaultProxy) -> None:
    with FaultProxy("127.0.0.1:1") as nowhere, pytest.raises(OSError):
        async with client(nowhere) as each:
            assert await each.ask(b"1") == b""
            raise ConnectionResetError


def test_it_works_for_code_that_blocks(proxy: FaultProxy) -> None:
    """The server is in the test's loop, which stands still here: only the proxy must answer."""
    proxy.refuse()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", proxy.port), 5) as each:
        if each.recv(1) == b"":
            raise ConnectionResetError
    assert proxy.happened == {Fault.REFUSE: 1}
