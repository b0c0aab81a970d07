"""What has to be there before counting begins: Kafka, the records topic, and a changelog with as many partitions.

Count creates neither topic. A name that is misspelt would else become a topic, in which nothing ever arrives.
"""

import asyncio
from collections.abc import Callable

from aiokafka.errors import KafkaError

from streams.config import Settings
from streams.count.reading import LogReader
from streams.errors import KafkaUnavailable
from streams.kafka import clients
from streams.kafka.topics import changelog_name
from streams.logs import log

FIRST_DELAY = 0.5
LONGEST_DELAY = 5.0
"""Seconds before it looks again: they double from the first to the longest."""


async def until_kafka_is_ready(settings: Settings, reader: LogReader, tell: Callable[[str], None]) -> None:
    """Return with `reader` started when everything is there. Until then `tell` what is waited for, and the log, once
    for each cause. A broker that is lost meanwhile is waited for as well."""
    told, delay = "", FIRST_DELAY
    while True:
        try:
            waits_for = why = await _missing(settings)
            if not why:
                await reader.start()
                return
        except (KafkaUnavailable, KafkaError, OSError) as error:
            waits_for, why = "Kafka", str(error) or type(error).__name__
        tell(waits_for)
        if why != told:
            log("count").warning("waiting", why=why)
            told, delay = why, FIRST_DELAY
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)


async def _missing(settings: Settings) -> str:
    """The topics that are not there or too small, and what to do; '' if none."""
    records, changelog = settings.records_topic, changelog_name(settings)
    admin = await clients.started(lambda: clients.admin(settings), settings)
    try:
        # By the list of all topics: asking for one by name could make Kafka create it, with the wrong settings.
        there = set(await admin.list_topics())
        if missing := [name for name in (records, changelog) if name not in there]:
            return f"topic {', '.join(missing)}: run `synclogs migrate`, or correct the name"
        described = await admin.describe_topics([records, changelog])
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in described}
    finally:
        await admin.close()
    if partitions[changelog] < partitions[records]:
        return (
            f"topic {changelog}: it has {partitions[changelog]} partitions and {records} has {partitions[records]}, "
            f"give it as many (kafka-topics.sh --alter --topic {changelog} --partitions {partitions[records]})"
        )
    return ""
