"""What an operator does to the published history, through the command."""

import asyncio

import pytest
from aiokafka import TopicPartition
from click.testing import CliRunner, Result

from streams.cli import main
from streams.kafka.partition import OwnedPartition, Position
from streams.kafka.topics import create_missing
from tests.publish.world import World, results, world

pytestmark = pytest.mark.stack
EMPTY = "The following mandatory field(s) were left empty: Last Name"


async def run(stage: World, *arguments: str, command: str = "reclassify", said: str = "") -> Result:
    names = ("kafka", "clickhouse", "database", "records_topic", "store_group", "count_group")
    env = {f"SYNCLOGS_{name.upper()}": str(getattr(stage.settings, name)) for name in names}
    return await asyncio.to_thread(lambda: CliRunner().invoke(main, [command, *arguments], env=env, input=said))


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


async def test_erase_shows_what_it_would_delete_asks_and_says_what_stays_in_kafka(
    kafka: str, clickhouse: str, database: str
) -> None:
    async with world(kafka, clickhouse, database, count_group=f"{database}-count") as stage:
        await stage.arrive(*results(1_200, tenant="T2"), *results(3))
        for partition, end in enumerate((602, 601)):  # count has come to the log's end, and its ledgers are empty
            owned = OwnedPartition(stage.settings, stage.settings.count_group, TopicPartition(
                stage.settings.records_topic, partition))  # fmt: skip
            await owned.open()
            await owned.commit(Position(end))
            await owned.close()
        await stage.publish()
        early = await run(stage, "--tenant", "T2", "--yes", command="erase")
        assert early.exit_code == 2 and "changelog does not exist" in early.output
        await create_missing(stage.settings)
        wrong = await run(stage, "--tenant", "t2", command="erase")
        assert wrong.exit_code == 2 and wrong.output.startswith("synclogs erase: there is no tenant 't2': ")
        for answer in ("n\n", ""):
            no = await run(stage, "--tenant", "T2", command="erase", said=answer)
            assert no.exit_code == 1 and "Aborted!" in no.output
            assert ["sync_records", "1,200", "rows"] in [line.split() for line in no.output.splitlines()]
        assert len(stage.snapshots()) == 1
        done = await run(stage, "--tenant", "T2", command="erase", said="y\n")
        assert done.exit_code == 0, done.output
        assert "sync_records: 1200 rows deleted\n" in done.output
        assert "tenant 'T2' is erased; snapshot 2 shows the others\n" in done.output
        told = done.output.replace("\n", " ")
        assert "for 7 days and dead letters" in told and "erase the tenant again after it" in told
        assert [row["tenant_id"] for row in stage.published()["syncs"]] == ["T1"]
