"""Kafka and the ClickHouse front for a benchmark, with data of their own that goes with them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streams.config import load
from streams.devstack.processes import Supervisor
from streams.devstack.servers import HOST, clickhouse_answers, clickhouse_spec, free_port, kafka_answers, kafka_spec


@asynccontextmanager
async def servers() -> AsyncIterator[dict[str, object]]:
    """The settings that name both servers."""
    supervisor = Supervisor(lambda change: None)
    with tempfile.TemporaryDirectory(prefix="synclogs-bench-") as folder:
        kafka, clickhouse = free_port(), free_port()
        path = Path(folder)
        await supervisor.start(kafka_spec(path / "kafka", path / "kafka.log", kafka))
        await supervisor.start(clickhouse_spec(path / "clickhouse", path / "clickhouse.log", clickhouse))
        base: dict[str, object] = {"kafka": f"{HOST}:{kafka}", "clickhouse": f"http://{HOST}:{clickhouse}"}
        try:
            settings = load(**base)
            await asyncio.gather(kafka_answers(settings), asyncio.to_thread(clickhouse_answers, settings))
            yield base
        finally:
            await supervisor.stop(grace=15)
