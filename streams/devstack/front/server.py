"""The HTTP side: one thread a connection, keep-alive, bodies and answers by length or in chunks.

The front asks for no password, so it answers only requests that come to this machine by its local name and that no
web page sent: any page open in a browser here could otherwise write to the database.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from streams.devstack.front.answer import answer, failed
from streams.devstack.front.engine import Engine
from streams.devstack.front.request import Answer, Request
from streams.devstack.front.select import BrokenOff

_PIECE = 1 << 20


class Front(ThreadingMixIn, TCPServer):
    """Binds in the constructor, so that a taken port is known before the engine opens."""

    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError where the address cannot be had; port 0 takes a free one."""
        super().__init__((host, port), _Handler)
        self.host = host
        self.port = int(self.socket.getsockname()[1])
        self.engine: Engine | None = None
        self._running = 0
        self._changed = threading.Condition()

    def run(self, request: Request) -> Answer:
        """Answers one request; the engine must be set before `serve_forever`."""
        assert self.engine is not None
        return answer(self.engine, request)

    @contextmanager
    def request_running(self) -> Iterator[None]:
        """Counts a request for `wait_idle`."""
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def wait_idle(self, seconds: float) -> bool:
        """Waits until no request runs; False where one still does after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error; anything else is ours and goes to the log with its traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: workers send several requests a second."""

    def do_GET(self) -> None:
        self._handle(readonly=True)  # as ClickHouse does: a link must not change data

    def do_POST(self) -> None:
        self._handle(readonly=False)

    def _handle(self, readonly: bool) -> None:
        with self.server.request_running():
            body = self._body()
            url = urlsplit(self.path)
            if (refusal := self._refusal()) is not None:
                result = Answer(403, {}, iter((refusal,)))
            elif url.path == "/ping" or (readonly and not url.query):
                result = Answer(200, {}, iter((b"Ok.\n",)))
            else:
                params = dict(parse_qsl(url.query, keep_blank_values=True))
                headers = {key.lower(): value for key, value in self.headers.items()}
                result = self.server.run(Request(params, headers, body, readonly))
            # A client that still writes does not read: an early answer would reach it as a broken connection.
            for _ in body:
                pass
            self._send(result)

    def _refusal(self) -> bytes | None:
        name = self.headers.get("Host", "localhost").rsplit(":", 1)[0]
        if name not in {"localhost", "127.0.0.1", self.server.host}:
            return f"Host {name!r} is not this server\n".encode()
        if self.headers.get("Origin") is not None:
            return b"requests of web pages are refused\n"
        return None

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            yield from self._chunked_body()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, _PIECE))
            if not piece:
                raise ConnectionAbortedError("the body broke off")
            left -= len(piece)
            yield piece

    def _chunked_body(self) -> Iterator[bytes]:
        while True:
            line = self.rfile.readline(1024)
            try:
                size = int(line.split(b";")[0], 16) if line.endswith(b"\n") else -1
            except ValueError:
                size = -1
            if size < 0:
                raise ConnectionAbortedError("the body broke off")
            piece = self.rfile.read(size + 2)[:size]
            if len(piece) < size:
                raise ConnectionAbortedError("the body broke off")
            if size == 0:
                return
            yield piece

    def _send(self, result: Answer) -> None:
        """Looks one chunk ahead: an answer of one chunk has a length, and an error there still has a status."""
        chunks = result.chunks
        try:
            first = next(chunks, b"")
            try:
                second = next(chunks, None)
            except BrokenOff as error:
                self._send(failed(error.failure, result.headers))
                return
            self.send_response(result.status)
            for name, value in result.headers.items():
                self.send_header(name, value)
            if second is None:
                self.send_header("Content-Length", str(len(first)))
                self.end_headers()
                self.wfile.write(first)
            else:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self._send_chunks(first, second, chunks)
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()

    def _send_chunks(self, first: bytes, second: bytes, rest: Iterator[bytes]) -> None:
        try:
            self._send_chunk(first)
            self._send_chunk(second)
            for chunk in rest:
                self._send_chunk(chunk)
            self.wfile.write(b"0\r\n\r\n")
        except BrokenOff as error:
            # No closing chunk follows, so that even a client that knows no tags sees a broken download.
            self._send_chunk(error.block())
            self.close_connection = True

    def _send_chunk(self, chunk: bytes) -> None:
        if chunk:  # an empty chunk would be the closing one
            self.wfile.write(b"%x\r\n" % len(chunk))
            self.wfile.write(chunk)
            self.wfile.write(b"\r\n")
