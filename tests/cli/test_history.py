"""What an operator does to the published history, through the command."""

import asyncio

import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from tests.publish.world import World, results, world

pytestmark = pytest.mark.stack
EMPTY = "The following mandatory field(s) were left empty: Last Name"


async def run(stage: World, *arguments: str) -> Result:
    names = ("kafka", "clickhouse", "database", "records_topic", "store_group")
    env = {f"SYNCLOGS_{name.upper()}": str(getattr(stage.settings, name)) for name in names}
    return await asyncio.to_thread(lambda: CliRunner().invoke(main, ["reclassify", *arguments], env=env))


async def test_reclassify_shows_counts_before_and_after_and_says_what_it_did(
    kafka: str, clickhouse: str, database: str
) -> None:
    async with world(kafka, clickhouse, database) as stage:
        early = await run(stage)
        assert early.exit_code == 2 and "nothing is published yet" in early.output
        await stage.arrive(*results(1_200, status="failed", message=EMPTY), *results(3, status="failed"))
        await stage.publish()
        dry = await run(stage, "--dry-run")
        assert dry.exit_code == 0, dry.output
        lines = [line.split() for line in dry.output.splitlines()]
        assert ["mandatory_field_missing", "0", "1,200", "+1,200"] in lines
        assert ["unclassified", "1,203", "3", "-1,200"] in lines
        assert ["all", "1,203", "1,203", "="] in lines
        assert dry.output.endswith("1200 failures would change; nothing was written\n")
        done = await run(stage, "--since", "2020-01-01")
        assert done.output.endswith("snapshot 2 is published: 1200 failures have other reasons\n")
        again = await run(stage)
        assert again.exit_code == 0 and "nothing to do" in again.output
        wrong = await run(stage, "--since", "yesterday")
        assert wrong.exit_code == 2 and "'yesterday'" in wrong.output
