"""What a process tells about itself over HTTP: /metrics for Prometheus, /healthz (it runs), /readyz (it does its job).

One small thread, so that a worker whose loop is stuck still answers, and says so.
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from streams import metrics
from streams.errors import SettingsError


class Telemetry:
    """Serves until `close`. `ready` is asked at each /readyz: '' when ready, else why not (one line)."""

    def __init__(self, host: str, port: int, ready: Callable[[], str]) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise SettingsError(
                f"SYNCLOGS_METRICS_PORT is {port} and SYNCLOGS_METRICS_HOST {host}: can't listen on {host}:{port} "
                f"({error.strerror}); end what listens there, choose another port, or 0 for a free one, or a host "
                "that is this machine's"
            ) from None
        self._server.ready = ready
        self.address = f"http://{host}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="telemetry").start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    ready: Callable[[], str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, *metrics.exposition())
        elif self.path == "/healthz":
            self._answer(200, b"ok\n")
        elif self.path == "/readyz":
            why_not = self.server.ready()
            self._answer(503 if why_not else 200, (why_not or "ready").encode() + b"\n")
        else:
            self._answer(404, b"there is /metrics, /healthz and /readyz\n")

    def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape a second is not worth a line."""
