"""A way to ClickHouse that refuses inserts as the server would: with an error code, before or after doing the work.

Everything else passes. It counts each refusal by its code, so that a test sees that its fault really happened.
"""

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import unquote_plus, urlsplit

OURS = ("transfer-encoding", "content-length", "connection", "date", "server")
SECRET = "a row that the server quotes"
"""Stands in the text of every refusal, as rows stand in the server's."""


class Refusal(NamedTuple):
    """`times` None: until it heals. `after`: the server has taken the insert, and says no all the same."""

    code: int
    name: str
    times: int | None
    after: bool


class Refuser:
    """`with Refuser(front.url) as way: ...`; clients connect to `way.url`."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.happened: Counter[int] = Counter()
        self.slow = 0.0
        """Seconds for which each insert's answer is held back."""
        self.slowed = 0
        self._refusal: Refusal | None = None
        self._lock = threading.Lock()
        self._healed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.way = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def refuse(self, code: int, name: str, times: int | None = None, after: bool = False) -> None:
        """The next so many inserts."""
        with self._lock:
            self._refusal = Refusal(code, name, times, after)

    def heal(self) -> None:
        with self._lock:
            self._refusal = None
        self.slow = 0.0
        self._healed.set()
        self._healed = threading.Event()

    def wait_if_slow(self) -> None:
        if self.slow:
            self.slowed += 1
            self._healed.wait(self.slow)

    def next(self) -> Refusal | None:
        """What happens to the insert at hand."""
        with self._lock:
            refusal = self._refusal
            if refusal is None:
                return None
            self.happened[refusal.code] += 1
            if refusal.times is not None:
                self._refusal = refusal._replace(times=refusal.times - 1) if refusal.times > 1 else None
            return refusal

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.heal()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    way: Refuser

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed leaves its connection broken."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        insert = "INSERT INTO" in unquote_plus(self.path) or body[:200].lstrip().startswith(b"INSERT INTO")
        refusal = self.server.way.next() if insert else None
        if refusal and not refusal.after:
            self._refuse(refusal)
            return
        status, headers, content = self._passed_on(body)
        if insert:
            self.server.way.wait_if_slow()
        if refusal:
            self._refuse(refusal)
            return
        self._answer(status, headers, content)

    do_GET = do_POST

    def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        way = self.server.way
        target = http.client.HTTPConnection(way.target.hostname or "", way.target.port, timeout=60)
        try:
            target.request(
                self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Transfer-Encoding"}
            )
            answer = target.getresponse()
            return answer.status, list(answer.headers.items()), answer.read()
        finally:
            target.close()

    def _refuse(self, refusal: Refusal) -> None:
        text = f"Code: {refusal.code}. DB::Exception: {SECRET}. ({refusal.name}) (version 26.9.1.1)\n"
        self._answer(500, [("X-ClickHouse-Exception-Code", str(refusal.code))], text.encode())

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
