"""The loop as a process of its own: it publishes what is due, tells about itself, and ends by SIGTERM with 0."""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request

import pytest

from streams.config import PREFIX
from tests.publish.world import World, results

pytestmark = pytest.mark.stack
RUN = """import asyncio, sys
from streams import config, logs
from streams.publish.serve import serve
settings = config.load()
logs.configure("info")
sys.exit(asyncio.run(serve(settings)))"""


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Served:
    """The process, and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.address = ""

    async def until(self, event: str) -> dict[str, str]:
        assert self.process.stderr is not None
        while line := await asyncio.wait_for(self.process.stderr.readline(), 60):
            entry: dict[str, str] = json.loads(line)
            if entry["event"] == event:
                self.address = entry.get("metrics", self.address)
                return entry
        raise AssertionError(f"ended before {event}")

    async def ask(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(get, self.address + path)

    async def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)


async def start(stage: World, **settings: str) -> Served:
    names = ("kafka", "clickhouse", "database", "records_topic", "store_group")
    chosen = {name: str(getattr(stage.settings, name)) for name in names} | settings
    environment = os.environ | {PREFIX + name.upper(): value for name, value in chosen.items()}
    served = Served(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RUN,
            env=environment,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
    )
    await served.until("serving")
    return served


async def test_it_publishes_what_is_due_and_shows_the_snapshot_after_a_restart(stage: World) -> None:
    await stage.arrive(*results(4), *results(3, status="failed"))
    served = await start(stage)
    while (await served.ask("/readyz"))[0] != 200:
        await asyncio.sleep(0.05)
    assert [row["number"] for row in stage.snapshots()] == [1]
    assert await served.end() == 0
    again = await start(stage)
    while (await again.ask("/readyz"))[0] != 200:
        await asyncio.sleep(0.05)
    _, metrics = await again.ask("/metrics")
    for line in (
        "synclogs_snapshot_number 1.0",
        'synclogs_snapshot_results{status="failed"} 3.0',
        "synclogs_reconciliation_difference 0.0",
        'synclogs_publications_total{outcome="published"} 0.0',
    ):
        assert line in metrics.splitlines()
    assert await again.end() == 0
    assert len(stage.snapshots()) == 1


async def test_it_goes_on_while_clickhouse_is_away_and_says_why_it_is_not_ready(stage: World) -> None:
    served = await start(stage, clickhouse="http://127.0.0.1:9")
    for _ in range(2):
        assert "does not answer" in (await served.until("publication_failed"))["error"]
    status, text = await served.ask("/readyz")
    assert (status, "127.0.0.1:9 does not answer" in text) == (503, True)
    assert (await served.ask("/healthz"))[0] == 200
    assert await served.end() == 0


async def test_sigterm_ends_it_while_it_waits_for_store(stage: World) -> None:
    await stage.send(*results(2))
    served = await start(stage)
    while "covers" not in (await served.until("step"))["what"]:
        pass
    assert await served.end() == 0
    assert stage.snapshots() == []
