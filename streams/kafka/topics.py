"""Creating the topics, and telling how those that exist differ from what this project needs."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from schemas import topics
from schemas.topics import TopicSpec
from streams.config import Settings
from streams.errors import KafkaUnavailable
from streams.kafka import clients

TOPIC_EXISTS = 36
_BROKER_SETTINGS = {
    "offsets.retention.minutes": (7 * 24 * 60, "a worker that stands still for longer would forget its positions"),
    "transactional.id.expiration.ms": (7 * topics.DAY_MS, "a partition idle for longer would lose its fence"),
}


def wanted(settings: Settings) -> list[TopicSpec]:
    """The topics of these settings, count's changelog included."""
    return [
        topics.records(settings.records_topic, settings.partitions),
        topics.dead_letters(settings.dead_letters_topic, settings.partitions),
        topics.changelog(changelog_name(settings), settings.partitions),
    ]


def changelog_name(settings: Settings) -> str:
    return f"{settings.count_group}-{settings.records_topic}-changelog"


async def create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], replication: int) -> list[str]:
    """Create what is missing; the names of those created. Returns when their partitions have leaders."""
    settings = {} if replication < 3 else {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
    answer = await admin.create_topics(
        [NewTopic(s.name, s.partitions, replication, topic_configs={**settings, **s.settings}) for s in specs]
    )
    created = []
    for name, code, *text in answer.topic_errors:
        if code == 0:
            created.append(name)
        elif code != TOPIC_EXISTS:
            why = f"{for_code(code).__name__} {text[0] if text else ''}"
            raise KafkaUnavailable(f"topic {name} can't be created: {why}")
    await _have_leaders(admin, {spec.name for spec in specs})
    return created


async def create_missing(settings: Settings) -> list[str]:
    """Create the topics of these settings that are missing; their names. KafkaUnavailable if Kafka does not answer."""
    admin = await clients.started(lambda: clients.admin(settings), settings)
    try:
        return await create(admin, wanted(settings), settings.replication)
    except (KafkaError, OSError) as error:
        raise clients.unavailable(settings, error) from error
    finally:
        await admin.close()


async def _have_leaders(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    for _ in range(100):
        described = await admin.describe_topics(list(names))
        if all(t["error_code"] == 0 and all(p["leader"] >= 0 for p in t["partitions"]) for t in described):
            return
        await asyncio.sleep(0.1)
    raise KafkaUnavailable(f"topics {', '.join(sorted(names))} have no leaders after 10 s: look at the brokers' logs")


async def differences(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], replication: int = 1) -> list[str]:
    """A sentence for each topic that is missing, has too few partitions or replicas, or a setting that breaks a
    promise. The first of `specs` is the records topic."""
    found = []
    described = {t["topic"]: t for t in await admin.describe_topics([spec.name for spec in specs])}
    # Every topic needs a partition for each one of the records topic: letters and ledgers keep the record's number.
    needed = max((len(t["partitions"]) for t in described.values() if t["topic"] == specs[0].name), default=0)
    for spec in specs:
        topic = described.get(spec.name)
        if topic is None or topic["error_code"]:
            found.append(f"topic {spec.name} does not exist: run `synclogs migrate`")
            continue
        if len(topic["partitions"]) < max(needed, spec.partitions):
            has, needs = len(topic["partitions"]), max(needed, spec.partitions)
            found.append(f"topic {spec.name} has {has} partitions, needs {needs}")
        fewest = min(len(partition["replicas"]) for partition in topic["partitions"])
        if fewest < replication:
            found.append(f"topic {spec.name} has {fewest} replicas, needs {replication}")
        actual = await _settings(admin, spec.name)
        found += [
            f"topic {spec.name} has {name}={actual.get(name)}, needs {value}"
            for name, value in spec.settings.items()
            if name in actual and actual[name] != value
        ]
    return found


async def broker_differences(admin: AIOKafkaAdminClient) -> list[str]:
    """A sentence for each setting of the first broker that would make a stopped system forget where it stood."""
    broker = (await admin.describe_cluster())["brokers"][0]["node_id"]
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, str(broker))])
    actual = {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
    return [
        f"broker {broker} has {name}={actual[name]}, needs at least {least}: {why}"
        for name, (least, why) in _BROKER_SETTINGS.items()
        if name in actual and int(actual[name]) < least
    ]


async def _settings(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
