"""Events on their way in: emit a file, or simulate traffic."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from streams import config, logs
from streams.cli.progress import bar


@click.command(short_help="Send the events of a file to Kafka.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--rejected", type=click.Path(dir_okay=False, path_type=Path),
              help="Where lines go that are no events; else FILE.rejected, or rejected.ndjson.")  # fmt: skip
def emit(file: Path, rejected: Path | None) -> None:
    """Send the events of FILE, one JSON object a line, to Kafka; `-` reads standard input.

    Prints how many were accepted and which lines were not, and why. Exits with 1 if there were any.
    """
    from streams.ingest.lines import emit as send

    settings = config.load()
    logs.configure("critical")
    piped = str(file) == "-"
    keep = rejected or (Path("rejected.ndjson") if piped else file.with_name(file.name + ".rejected"))
    size = None if piped else os.stat(file).st_size
    with bar() as shown, click.open_file(str(file), "rb") as source:
        task = shown.add_task("sending", total=size)
        progress, tell = partial(shown.advance, task), shown.console.print
        outcome = asyncio.run(send(settings, cast(BinaryIO, source), keep, progress, tell))
    for line, refusal in outcome.shown:
        click.echo(f"line {line}: {refusal}")
    if (more := outcome.rejected - len(outcome.shown)) > 0:
        click.echo(f"and {more} more lines")
    for error, messages in outcome.errors.items():
        click.echo(f"Kafka refused {messages} events: {error}; send them again, the same event_id counts once")
    click.echo(f"accepted {outcome.accepted}, rejected {outcome.rejected}" + (f" (in {keep})" * bool(outcome.rejected)))
    sys.exit(1 if outcome.rejected or outcome.refused else 0)


@click.command(short_help="Send realistic simulated traffic to Kafka.")
@click.option("--rate", type=click.FloatRange(min=0), default=0, help="Live messages a second; 0: as many as possible.")
@click.option("--events", type=click.IntRange(min=0), help="Stop after so many live messages. Without it: never.")
@click.option("--history", type=click.IntRange(min=0), default=0, help="First so many results of the past weeks.")
@click.option("--weeks", type=click.FloatRange(0.01, 25.7), default=25.7, show_default=True, help="... so many weeks.")
@click.option("--tenants", type=click.IntRange(1, 10_000), default=40, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same tenants and records.")
@click.option("--bad", type=click.FloatRange(0, 1), default=0, help="Share of messages that are no events.")
def simulate(rate: float, events: int | None, history: int, weeks: float, tenants: int, seed: int, bad: float) -> None:
    """Send realistic two-way traffic of Zoho Books/Invoice and Zoho FSM."""
    from schemas.event import WEEK_MS
    from streams.devstack.simulate import LONGEST_HISTORY_MS, Load
    from streams.devstack.simulate import simulate as send

    settings = config.load()
    logs.configure("critical")
    span = min(int(weeks * WEEK_MS), LONGEST_HISTORY_MS)
    load = Load(seed, tenants, history, span, rate, events, bad)

    async def run() -> Any:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with bar() as shown:
            tasks = {"history": shown.add_task("history", total=history or None, visible=bool(history)),
                     "live": shown.add_task("live", total=events)}  # fmt: skip
            return await send(settings, load, lambda kind, sent: shown.update(tasks[kind], completed=sent), stop)

    emitter = asyncio.run(run())
    click.echo(f"accepted {emitter.accepted} of {emitter.sent}")
    sys.exit(1 if emitter.refused else 0)


COMMANDS = (emit, simulate)
