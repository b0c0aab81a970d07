"""`synclogs dev`: everything on this machine."""

import asyncio
import sys
from pathlib import Path

import click

from streams import config, logs


@click.command(short_help="Everything on this machine, with simulated traffic.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path),
              help="Where Kafka, ClickHouse and logs live. [default: data; with --once nothing stays]")  # fmt: skip
@click.option("--once", is_flag=True, help="Feed, publish, compare page, CSV, API and SQL, print the summary, end.")
@click.option("--rate", type=click.FloatRange(min=0.1), default=50, show_default=True, help="Live events a second.")
@click.option("--history", type=click.IntRange(min=0), default=None, help="Results of the six months before.")
@click.option("--no-traffic", is_flag=True, help="Neither history nor live traffic.")
@click.option("--count-workers", type=click.IntRange(1, 16), default=1, show_default=True)
@click.option("--store-workers", type=click.IntRange(1, 16), default=1, show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=None, help="The page's port. [default: 8080 or free]")
def dev(
    data: Path | None, once: bool, rate: float, history: int | None, no_traffic: bool, count_workers: int,
    store_workers: int, port: int | None,
) -> None:  # fmt: skip
    """Start Kafka, ClickHouse, both workers, publisher and page here, with simulated traffic, until Ctrl-C.

    SYNCLOGS_KAFKA or SYNCLOGS_CLICKHOUSE in the environment replaces either part by a real server.
    """
    from streams.devstack.stack import Plan, run

    logs.configure("critical")
    plan = Plan(data, once, rate, history, not no_traffic, count_workers, store_workers, port)
    sys.exit(asyncio.run(run(config.load(), plan)))


COMMANDS = (dev,)
