"""What an operator does: migrate, check, make a token."""

import asyncio
import sys
from pathlib import Path

import click

from streams import config, logs
from streams.config import Settings
from streams.errors import SyncLogsError


@click.command(short_help="Create the topics and tables that are missing.")
@click.option("--topics/--no-topics", default=True, help="Create the Kafka topics too.")
@click.option("--tables/--no-tables", default=True, help="Apply the pending migrations of ClickHouse.")
def migrate(topics: bool, tables: bool) -> None:
    """Create the topics and tables that are missing. Forward only, checksummed, safe to repeat."""
    settings = config.load()
    logs.configure("critical")
    if topics:
        from streams.kafka.topics import create_missing

        created = asyncio.run(create_missing(settings))
        click.echo(f"topics created: {', '.join(created) or 'none, all are there'}")
    if tables:
        from streams.clickhouse.migrate import migrate as apply

        click.echo(f"migrations applied: {', '.join(apply(settings)) or 'none, all are there'}")


@click.command(short_help="Say what is wrong with settings and servers.")
def check() -> None:
    """Settings, connections, topics, tables: what is wrong, and what to do. Exits with 1 if anything is."""
    settings = config.load()
    logs.configure("critical")
    problems = [*config.unknown(), *asyncio.run(_check_kafka(settings)), *_check_clickhouse(settings)]
    if settings.secret and len(settings.secret.get_secret_value()) < 32:
        problems.append("SYNCLOGS_SECRET is shorter than 32 characters: the web does not start with it")
    for problem in problems:
        click.echo(f"- {problem}")
    click.echo("something is to be done" if problems else "all is well")
    sys.exit(1 if problems else 0)


async def _check_kafka(settings: Settings) -> list[str]:
    from streams.kafka import clients
    from streams.kafka import topics as kafka_topics

    try:
        admin = await clients.started(lambda: clients.admin(settings), settings)
    except SyncLogsError as error:
        return [str(error)]
    try:
        found = await kafka_topics.differences(admin, kafka_topics.wanted(settings), settings.replication)
        return found + await kafka_topics.broker_differences(admin)
    finally:
        await admin.close()


def _check_clickhouse(settings: Settings) -> list[str]:
    from streams.clickhouse.check import problems

    try:
        return problems(settings)
    except SyncLogsError as error:
        return [str(error)]


@click.command(short_help="Print a token for the page and the API.")
@click.option("--tenant", required=True, help="Whose records the bearer may see.")
@click.option("--permission", multiple=True, help="Instead of the permission Two-way sync logs; may be repeated.")
@click.option("--hours", type=click.FloatRange(0.01, 24 * 365), default=12, show_default=True)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=Path("data"), show_default=True,
              help="The dev stack whose secret signs, where SYNCLOGS_SECRET is not set.")  # fmt: skip
def token(tenant: str, permission: tuple[str, ...], hours: float, data: Path) -> None:
    """Print a signed token for the page and the API."""
    import datetime as dt

    from streams.auth import VIEW_SYNC_LOGS, make_token
    from streams.devstack.stackdir import read_secret

    settings = config.load()
    if not settings.secret.get_secret_value():
        settings = config.load(secret=read_secret(data))
    click.echo(make_token(settings, tenant, list(permission) or [VIEW_SYNC_LOGS], dt.timedelta(hours=hours)))


COMMANDS = (migrate, check, token)
