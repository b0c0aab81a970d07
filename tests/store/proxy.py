"""A way to ClickHouse that can be cut: refused, or with the answers withheld after the server has done its work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Passes everything to `target` while `mode` is "open". "away": connections break. "mute": requests get through,
    answers do not."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self._host, self._port = address.hostname or "", address.port
        self._tasks: set[asyncio.Task[None]] = set()
        self.mode = "open"
        self.address = ""
        self.withheld = 0
        """Answers that the server gave and nobody got."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "away":
            writer.close()
            return
        upstream, to_server = await asyncio.open_connection(self._host, self._port)
        up = asyncio.create_task(self._pass(reader, to_server, answers=False))
        down = asyncio.create_task(self._pass(upstream, writer, answers=True))
        self._tasks |= {up, down}
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for ended in (writer, to_server):
            ended.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, answers: bool) -> None:
        try:
            while data := await source.read(1 << 16):
                if self.mode == "away":
                    return
                if self.mode == "mute" and answers:
                    self.withheld += 1
                    continue
                target.write(data)
                await target.drain()
        except OSError:
            return

    async def cut(self) -> None:
        """Break every connection there is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    through = Proxy(target)
    server = await asyncio.start_server(through.serve, "127.0.0.1", 0)
    through.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield through
    finally:
        server.close()
        await through.cut()
