"""Around every request: it is counted by its route's template, its answer gets the security headers.

Plain ASGI. It is also where what nothing else handled ends: a request that failed before its answer began is told so,
later its connection is cut, because returning without the last piece makes the server close it.
"""

import time

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams import metrics
from streams.logs import log
from streams.web.downloads import BrokenOff
from streams.web.problems import unexpected

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Wraps the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        started_answer = False

        async def observed_send(message: Message) -> None:
            nonlocal status, started_answer
            if message["type"] == "http.response.start":
                started_answer = True
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "private, no-store")
                metrics.REQUEST_SECONDS.labels(_route(scope)).observe(time.perf_counter() - started)
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except ClientDisconnect:
            log("web").info("reader_went_away", route=_route(scope))
        except BrokenOff as error:
            status = 500
            log("web").error("download_broken_off", route=_route(scope), error=str(error))
        except Exception:
            log("web").error("request_failed", route=_route(scope), exc_info=True)
            if not started_answer:
                await unexpected(Request(scope))(scope, receive, observed_send)
            status = 500
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.REQUESTS.labels(_route(scope), method, str(status)).inc()


def _route(scope: Scope) -> str:
    """The template of the route, never the address: addresses hold the IDs of syncs."""
    return str(getattr(scope.get("route"), "path", "unmatched"))
