"""The processes of a dev stack: command, environment, addresses and log of each; and the description `stack.json`."""

import asyncio
import datetime as dt
import os
import sys
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from streams import auth, config
from streams.config import Settings
from streams.devstack import servers
from streams.devstack.orphan import bound_to_parent
from streams.devstack.processes import Running, Spec
from streams.devstack.stackdir import StackDir
from streams.errors import StackError

HOST = servers.HOST
PORT = 8080
SESSION_SECONDS = 10
TOKEN_LIFE = dt.timedelta(days=30)
BAD_SHARE = 0.002
"""Of the live traffic: so that dead letters can be seen where everything else goes well."""


class Parts:
    """Ports are chosen once, so that a process that is started again is found where it was."""

    def __init__(self, settings: Settings, folder: StackDir, port: int | None, tenant: str) -> None:
        given = settings.model_fields_set
        self.folder, self.tenant = folder, tenant
        self._own_kafka, self._own_clickhouse = "kafka" not in given, "clickhouse" not in given
        self._kafka_port, self._clickhouse_port = servers.free_port(), servers.free_port()
        self._metrics: dict[tuple[str, int], int] = {}
        changes: dict[str, Any] = {"secret": folder.secret(), "web_port": _web_port(port), "web_host": HOST}
        if self._own_kafka:
            changes["kafka"] = f"{HOST}:{self._kafka_port}"
        if self._own_clickhouse:
            changes["clickhouse"] = f"http://{HOST}:{self._clickhouse_port}"
        if "session_seconds" not in given:
            changes["session_seconds"] = SESSION_SECONDS
        self.settings = config.load(**changes)
        self._environment = {f"{config.PREFIX}{name.upper()}": str(value) for name, value in changes.items()}
        self.web = f"http://{HOST}:{self.settings.web_port}"
        self.token = self.token_of(tenant)
        self.sign_in = f"{self.web}/sign-in?token={self.token}"

    def token_of(self, tenant: str) -> str:
        return auth.make_token(self.settings, tenant, [auth.VIEW_SYNC_LOGS], TOKEN_LIFE)

    def servers(self) -> list[Spec]:
        path, found = self.folder.path, []
        if self._own_kafka:
            found.append(servers.kafka_spec(path / "kafka", self.folder.log("kafka"), self._kafka_port))
        if self._own_clickhouse:
            log = self.folder.log("clickhouse")
            found.append(servers.clickhouse_spec(path / "clickhouse", log, self._clickhouse_port))
        return found

    def workers(self, count: int, store: int) -> list[Spec]:
        """Both kinds of workers and the page, which needs nothing but ClickHouse."""
        numbered = [("store", n + 1) for n in range(store)] + [("count", n + 1) for n in range(count)]
        return [self._spec(role, number, role) for role, number in numbered] + [self._web()]

    def publisher(self) -> Spec:
        return self._spec("publish", 1, "publish", "--serve")

    def simulator(self, rate: float, seed: int, tenants: int) -> Spec:
        options = ("--rate", str(rate), "--seed", str(seed), "--tenants", str(tenants), "--bad", str(BAD_SHARE))
        return Spec("simulate", 1, _command("simulate", *options), self.folder.log("simulate"), self._environment)

    def _web(self) -> Spec:
        return Spec("web", 1, _command("web"), self.folder.log("web"), self._environment, f"{self.web}/metrics")

    def _spec(self, role: str, number: int, *command: str) -> Spec:
        port = self._metrics.setdefault((role, number), servers.free_port())
        environment = {**self._environment, "SYNCLOGS_METRICS_PORT": str(port)}
        log = self.folder.log(f"{role}-{number}" if role in ("count", "store") else role)
        return Spec(role, number, _command(*command), log, environment, f"http://{HOST}:{port}/metrics")

    def description(self, running: Sequence[Running]) -> dict[str, Any]:
        """`stack.json`: where everything is, and the processes that live at this moment."""
        settings = self.settings
        return {
            "kafka": settings.kafka,
            "clickhouse": settings.clickhouse,
            "database": settings.database,
            "web": self.web,
            "sign_in": self.sign_in,
            "token": self.token,
            "tenant": self.tenant,
            "topics": {"records": settings.records_topic, "dead_letters": settings.dead_letters_topic},
            "groups": {"count": settings.count_group, "store": settings.store_group},
            "processes": [
                {"role": r.spec.role, "number": r.spec.number, "pid": r.pid, "metrics": r.spec.metrics,
                 "log": str(self.folder.log("kafka") if r.spec.role == "kafka" else r.spec.log)}
                for r in running
            ],
        }  # fmt: skip

    async def web_answers(self, seconds: float = 60) -> None:
        """Return once the page is served. StackError after `seconds`."""
        for _ in range(int(seconds * 5)):
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"{self.web}/healthz", None, 5)
                return
            except OSError:
                await asyncio.sleep(0.2)
        raise StackError(f"the page at {self.web} does not answer after {seconds:.0f} s: see {self.folder.log('web')}")

    async def run(self, command: Sequence[str], say: Callable[[str], None]) -> int:
        """A command of the stack to its end: its exit code; `say` is told each line as it comes."""
        process = await asyncio.create_subprocess_exec(
            *bound_to_parent(command), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, env={**os.environ, **self._environment}, start_new_session=True,
        )  # fmt: skip
        assert process.stdout
        try:
            async for line in process.stdout:
                say(line.decode(errors="replace").rstrip())
            return await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streams.cli", *arguments]


def _web_port(port: int | None) -> int:
    """The port asked for, else 8080, else a free one. StackError if the one asked for is taken."""
    try:
        return servers.free_port(PORT if port is None else port)
    except OSError as error:
        if port is None:
            return servers.free_port()
        raise StackError(f"--port {port}: can't listen on {HOST}:{port} ({error.strerror}); choose another") from None
