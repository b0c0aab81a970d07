"""A proxy before ClickHouse that can swallow an answer after the server has done its work, or hold requests back."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Lossy:
    """`lose_next` answers to INSERTs are swallowed, `lost` counts them; requests wait while `open` is not set."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.lose_next = self.lost = 0
        self.open = threading.Event()
        self.open.set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.lossy = self
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    lossy: Lossy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        lossy = self.server.lossy
        body = self._body()
        lossy.open.wait(60)
        target = http.client.HTTPConnection(lossy.target.hostname or "", lossy.target.port, timeout=60)
        target.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k != "Transfer-Encoding"})
        answer = target.getresponse()
        content = answer.read()
        target.close()
        if lossy.lose_next and (b"INSERT" in body[:200] or "INSERT" in self.path):
            lossy.lose_next -= 1
            lossy.lost += 1
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST

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
        pass
