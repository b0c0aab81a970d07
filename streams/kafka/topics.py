"""Creating the topics, and telling how those that exist differ from what this project needs."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from schemas import topics
from schemas.topics import TopicSpec
from streams.config import Settings
from streams.errors import KafkaUnavailable

TOPIC_EXISTS = 36


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


async def _have_leaders(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    for _ in range(100):
        described = await admin.describe_topics(list(names))
        if all(t["error_code"] == 0 and all(p["leader"] >= 0 for p in t["partitions"]) for t in described):
            return
        await asyncio.sleep(0.1)
    raise KafkaUnavailable(f"topics {', '.join(sorted(names))} have no leaders after 10 s: look at the brokers' logs")


async def differences(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    """A sentence for each topic that is missing, has too few partitions, or a setting that breaks a promise."""
    found = []
    described = {t["topic"]: t for t in await admin.describe_topics([spec.name for spec in specs])}
    for spec in specs:
        topic = described.get(spec.name)
        if topic is None or topic["error_code"]:
            found.append(f"topic {spec.name} does not exist: run `synclogs migrate`")
            continue
        if len(topic["partitions"]) < spec.partitions:
            found.append(f"topic {spec.name} has {len(topic['partitions'])} partitions, needs {spec.partitions}")
        actual = await _settings(admin, spec.name)
        found += [
            f"topic {spec.name} has {name}={actual.get(name)}, needs {value}"
            for name, value in spec.settings.items()
            if name in actual and actual[name] != value
        ]
    return found


async def _settings(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
