"""`make bench`: the product beside the yardstick, in one run, on real Kafka and the real engine."""

import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from streams import logs
from tests.bench.classify import classification
from tests.bench.drain import drain
from tests.bench.restore import restore
from tests.bench.servers import servers
from tests.bench.steady import steady

OUT = Path("build/bench.json")
PARTS = ("classify", "drain", "steady", "restore")
WANTED_AT_LEAST = {
    "classify_other_numbers_per_s": 1_000_000, "classify_same_per_s": 1_000_000, "classify_never_seen_per_s": 60_000,
    "classify_labelled_per_s": 60_000,
}  # fmt: skip
WANTED = {
    "count_ratio": 0.5, "store_ratio": 0.85, "count_steady_us": 18, "store_steady_us": 25, "count_visible_p99_s": 2,
    "store_visible_p99_s": 2, "restore_100k_s": 10, "count_memory_mib": 400, "store_memory_mib": 400,
    "count_memory_spread": 0.1, "store_memory_spread": 0.1, "count_drain_mib": 400, "store_drain_mib": 400,
    "classify_worst_ms": 1,
}  # fmt: skip


@click.command()
@click.option("--events", default=500_000, show_default=True, help="Backlog to drain.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--rate", default=5_000, show_default=True, help="Events a second of the steady part.")
@click.option("--seconds", default=30.0, show_default=True, help="Its length; memory needs 300.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Not the other parts.")
def main(events: int, rounds: int, rate: int, seconds: float, only: tuple[str, ...]) -> None:
    """Medians go to the terminal and to build/bench.json."""
    logs.configure("critical")
    figures = asyncio.run(_run(events, rounds, rate, seconds, only or PARTS))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n")
    _print(figures)


async def _run(events: int, rounds: int, rate: int, seconds: float, parts: tuple[str, ...]) -> dict[str, Any]:
    figures: dict[str, Any] = {"events": events, "rounds": rounds}
    if "classify" in parts:
        figures |= classification(rounds, click.echo)
    if parts == ("classify",):
        return figures
    async with servers() as base:
        if "drain" in parts:
            found = await drain(base, events, rounds, click.echo)
            figures |= {name: statistics.median(values) for name, values in found.items()}
            for role in ("count", "store"):
                pairs = zip(found[f"{role}_us"], found["yardstick_us"], strict=True)
                figures[f"{role}_ratio"] = statistics.median(mine / its for mine, its in pairs)
        if "steady" in parts:
            figures |= await steady(base, rate, seconds, click.echo)
        if "restore" in parts:
            figures |= await restore(base, 100_000, click.echo)
    return figures


def _print(figures: dict[str, Any]) -> None:
    table = Table("figure", "measured", "wanted: at most, at least if per_s")
    for name, value in figures.items():
        wanted = WANTED.get(name, WANTED_AT_LEAST.get(name, ""))
        table.add_row(
            name, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}", f"{wanted:,}" if wanted else ""
        )
    Console().print(table)
    Console().print(f"in {OUT}; CPU microseconds (user + system) of the process an event, the engine's own not counted")


main()
