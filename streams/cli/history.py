"""What an operator does to the history that is published: classify it anew."""

import datetime as dt
from collections import Counter

import click

from streams import config, failpoints, logs
from streams.cli.progress import bar
from streams.clock import UTC


@click.command(short_help="Publish stored failures under the present catalogue's reasons.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="2026-11-23",
              help="Classify only what occurred on this UTC day or later; the rest keeps its reasons.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the counts by reason before and after; write nothing.")
def reclassify(since: dt.datetime | None, dry_run: bool) -> None:
    """Classify the published failures of 26 weeks anew, and publish them as the next snapshot.

    Records, syncs and totals stay the same; only reasons change. Safe to stop and to start again at any moment; a
    second run finds nothing to change. Links to the snapshot before are honoured for another day.
    """
    from streams.publish.reclassify import reclassify as run

    settings = config.load()
    logs.configure("critical")
    failpoints.arm(settings.failpoints)
    with bar() as shown:
        task = shown.add_task("reading")
        found = run(
            settings,
            since=since.replace(tzinfo=UTC) if since else None,
            dry_run=dry_run,
            say=lambda sentence: shown.console.print(sentence, markup=False, highlight=False),
            advance=lambda what, done, total: shown.update(task, description=what, completed=done, total=total),
        )
    _print_table(found.before, found.after)
    if dry_run:
        click.echo(f"{found.changed} failures would change; nothing was written")
    elif found.snapshot is None:
        click.echo("nothing to do: every failure has the reasons of the present catalogue already")
    else:
        click.echo(f"snapshot {found.snapshot.number} is published: {found.changed} failures have other reasons")


def _print_table(before: Counter[str], after: Counter[str]) -> None:
    click.echo(f"{'reason':28} {'before':>12} {'after':>12} {'difference':>12}")
    for reason in sorted(before.keys() | after.keys(), key=lambda code: (-after[code], code)):
        apart = after[reason] - before[reason]
        click.echo(f"{reason:28} {before[reason]:12,} {after[reason]:12,} {f'{apart:+,}' if apart else '=':>12}")
    click.echo(f"{'all':28} {before.total():12,} {after.total():12,} {'=':>12}")


COMMANDS = (reclassify,)
