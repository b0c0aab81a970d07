"""The web process: `create_app` puts the application together from its routes, `serve` runs it until SIGTERM.

One process, one event loop; handlers that ask ClickHouse run in threads. FastAPI's own documentation pages are off.
"""

import asyncio
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from streams.config import PREFIX, Settings
from streams.errors import SettingsError
from streams.logs import log
from streams.web import problems
from streams.web.access import action
from streams.web.observe import Observed
from streams.web.routes import ROUTES
from streams.web.site import make_site


def create_app(settings: Settings) -> FastAPI:
    """The application. SettingsError for a secret that is too short; ClickHouse need not be there yet."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.site = make_site(settings)
    for route in ROUTES:
        app.add_api_route(
            route.path,
            route.handler,
            methods=[route.method],
            dependencies=action(route.permission),
            response_model=None,
        )
    problems.install(app)
    app.add_middleware(Observed)
    return app


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 0 then. SettingsError for a port that is taken or a secret that is too short."""
    app = create_app(settings)
    with _listen(settings) as listening:
        port = listening.getsockname()[1]
        log("web").info("web_listens", address=f"http://{settings.web_host}:{port}")
        asyncio.run(_run(app, settings, listening))
    return 0


def _listen(settings: Settings) -> socket.socket:
    """Bound here and not by uvicorn, which ends the process with a log line when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.web_host, settings.web_port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"the page can't listen on {settings.web_host}:{settings.web_port} ({error.strerror}): set "
            f"{PREFIX}WEB_HOST and {PREFIX}WEB_PORT to an address of this machine that is free, or the port to 0"
        ) from None
    return listening


async def _run(app: FastAPI, settings: Settings, listening: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # addresses hold IDs of syncs; requests are counted by route instead
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        server_header=False,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends quietly at a signal. uvicorn would raise it again after its shutdown, and end as if it had been killed."""

    def stop(self) -> None:
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
