"""The progress bar of commands that take their time."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def bar() -> Progress:
    """On standard error, and only where somebody looks."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"),
        TimeElapsedColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty(),
    )  # fmt: skip
