"""What a person sees of a dev stack: steps, progress, changes, and where everything is. No log flood."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from streams.devstack.parts import Parts

SHOWN_TENANTS = 5


class Screen:
    """One line a step on a terminal as in a file; spinners and bars on a terminal only."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self.console.print(text, markup=False)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        if sys.stdout.isatty():
            with self.console.status(f"{name} ..."):
                yield
        else:
            yield
        self.say(f"{name}: done in {time.monotonic() - started:.1f} s")

    @contextmanager
    def progress(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        started = time.monotonic()
        bar = Progress(
            TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=self.console, transient=True, disable=not sys.stdout.isatty(),
        )  # fmt: skip
        with bar:
            task = bar.add_task(name, total=total)
            yield lambda done: bar.advance(task, done)
        self.say(f"{name}: {total:,} results in {time.monotonic() - started:.1f} s")

    def welcome(self, parts: "Parts", tenants: Sequence[str], rate: float | None) -> None:
        others = [tenant for tenant in tenants if tenant != parts.tenant][:SHOWN_TENANTS]
        live = f"live traffic, {rate:g} events a second" if rate else "no simulated traffic"
        self.say(
            f"\nThe page     {parts.sign_in}\n"
            f"             signs you in as {parts.tenant}; others: {', '.join(others)} ...\n"
            f"             (synclogs token --tenant NAME prints a token for one)\n"
            f"Events       {live}; send your own: see the README\n"
            f"SQL          {parts.settings.clickhouse}/?database={parts.settings.database}&query=SELECT+count()"
            "+FROM+sync_records\n"
            f"Everything   {parts.folder.path / 'stack.json'}, logs in {parts.folder.path / 'logs'}\n"
            "Ctrl-C ends it; the data stays for the next start.\n"
        )
