"""The long-running parts, one process each: count, store, publish, web."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click

from streams import config, failpoints, logs
from streams.config import Settings


def _serve(run: Callable[[Settings], Coroutine[Any, Any, int]]) -> None:
    settings = config.load()
    logs.configure(settings.log_level)
    sys.exit(asyncio.run(run(settings)))


@click.command(short_help="The count worker: live counts.")
def count() -> None:
    """Count: windowed counts per direction, reason and sync; needs Kafka, outlives ClickHouse's absence."""
    from streams.count.agents import run

    settings = config.load()
    logs.configure(settings.log_level)
    sys.exit(run(settings))


@click.command(short_help="The store worker: exact rows, dead letters.")
def store() -> None:
    """Store: every event as one row in ClickHouse, exactly; what is no event as one dead letter."""
    from streams.store.worker import run

    _serve(run)


@click.command(short_help="Publish the weekly snapshot.")
@click.option("--week", metavar="2026-W47", help="Publish up to the end of this ISO week; says so if that is done.")
@click.option("--now", is_flag=True, help="Cut at this moment instead of at the end of the last week.")
@click.option("--serve", is_flag=True, help="Go on: publish each week as it ends, until SIGTERM.")
def publish(week: str | None, now: bool, serve: bool) -> None:
    """Publish the weekly snapshot. Repeatable; catches up what was missed."""
    if sum((bool(week), now, serve)) > 1:
        raise click.UsageError("--week, --now and --serve exclude each other: give one of them")
    if serve:
        from streams.publish.serve import serve as run

        _serve(run)
    from streams.publish.weekly import publish as once

    settings = config.load()
    logs.configure("critical")
    failpoints.arm(settings.failpoints)
    asyncio.run(once(settings, week=week, now=now, say=click.echo))


@click.command(short_help="Serve the page, the API and CSV files.")
def web() -> None:
    """Serve the page, the API and the CSV files."""
    from streams.web.app import serve

    settings = config.load()
    logs.configure(settings.log_level)
    sys.exit(serve(settings))


COMMANDS = (count, store, publish, web)
