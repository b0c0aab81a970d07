"""What an operator does to the history that is published: classify it anew, erase a tenant from it."""

import asyncio
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


@click.command(short_help="Delete everything of one tenant, for good.")
@click.option("--tenant", required=True, metavar="NAME", help="The tenant, exactly as it stands in its events.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(tenant: str, yes: bool) -> None:
    """Delete everything of one tenant: rows in every table, live counts, what is published.

    Shows first what there is, and asks. What was received before the command began is erased, what comes later is new
    data. Other tenants, counting and storing go on; count begins again at the partitions that the tenant was in.
    What remains is published at once as the next snapshot, and links to earlier ones answer 410. Safe to stop and to
    start again at any moment: only then is all of it done when the command says so.

    Kafka is not changed: the events stay readable there for 7 days, dead letters for 30 (or what the topics say), the
    old entries of count's changelog until it is compacted. Nothing reads them again, unless somebody counts or stores
    anew, under another group or from an earlier offset: erase the tenant again after that.
    """
    from streams.count.erase import erase_entries
    from streams.publish.erase import Overtaken, TenantRows

    settings = config.load()
    logs.configure("critical")
    failpoints.arm(settings.failpoints)
    rows = TenantRows(settings, tenant, click.echo)
    _print_held(rows.held())
    if not yes:
        click.confirm(f"Delete everything of tenant {tenant!r}? It can't be undone", abort=True)

    async def run() -> int | None:
        while True:
            positions = await erase_entries(settings, tenant)
            click.echo("live counts are without it")
            try:
                return await rows.erase(positions)
            except Overtaken:
                click.echo("the tenant sent more, and somebody published it meanwhile; beginning again")

    rows.begin()
    snapshot = asyncio.run(run())
    rows.close()
    click.echo(f"tenant {tenant!r} is erased" + (f"; snapshot {snapshot} shows the others" if snapshot else ""))
    click.echo(_LEFT_IN_KAFKA.format(**{name: getattr(settings, name) for name in ("records_topic",
               "dead_letters_topic", "count_group", "store_group")}))  # fmt: skip


_LEFT_IN_KAFKA = """What stays, and for how long: Kafka keeps the events in {records_topic} for 7 days and dead letters
in {dead_letters_topic} for 30 (or what the topics' retention.ms says), and old entries in count's changelog until it
is compacted. The groups {count_group} and {store_group} are past them and never read them again. If you count or store
anew within that time, under another group or from an earlier offset, erase the tenant again after it. Stop whoever
sends for this tenant first: what arrives from now on is new data."""


def _print_held(held: dict[str, int]) -> None:
    if not any(held.values()):
        click.echo("an erasure that was begun is finished now")
    for table, rows in held.items():
        if rows:
            click.echo(f"{table:28} {rows:12,} rows")


COMMANDS = (reclassify, erase)
