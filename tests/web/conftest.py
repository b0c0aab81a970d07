"""A web process of the tests: real uvicorn, real ClickHouse engine, a seeded database, one for all tests of a run."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from streams.auth import VIEW_SYNC_LOGS, make_token
from streams.clickhouse.client import Database, connect
from streams.clickhouse.migrate import migrate
from streams.config import Settings, load
from streams.web.app import create_app
from tests.web import seeded
from tests.web.seeded import Seed

SECRET = "s" * 40


@dataclass(frozen=True)
class Web:
    """A running web process and what its database was given."""

    url: str
    settings: Settings
    seed: Seed

    def client(self, tenant: str = seeded.TENANT, permissions: tuple[str, ...] = (VIEW_SYNC_LOGS,)) -> httpx.Client:
        token = make_token(self.settings, tenant, permissions)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The address at which uvicorn serves `app`."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the web did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def database_of(clickhouse: str) -> Iterator[Settings]:
    """Settings of a database with all tables and nothing in them, dropped behind."""
    settings = load(clickhouse=clickhouse, database=f"test_{uuid.uuid4().hex[:12]}", secret=SECRET)
    migrate(settings)
    try:
        yield settings
    finally:
        connect(settings, database="default").command(f"DROP DATABASE {settings.database} SYNC")


@pytest.fixture(scope="session")
def web(clickhouse: str) -> Iterator[Web]:
    """The published view of `seeded`."""
    with database_of(clickhouse) as settings:
        seed = seeded.make()
        seeded.write(Database(settings), seed)
        with running(create_app(settings)) as url:
            yield Web(url, settings, seed)


@pytest.fixture
def client(web: Web) -> Iterator[httpx.Client]:
    """Signed in as the seeded tenant."""
    with web.client() as client:
        yield client


@pytest.fixture
def empty(clickhouse: str) -> Iterator[tuple[Database, Callable[[], httpx.Client]]]:
    """A web process before the first publication: its database, and a maker of clients."""
    with database_of(clickhouse) as settings, running(create_app(settings)) as url:
        yield Database(settings), lambda: Web(url, settings, Seed()).client()
