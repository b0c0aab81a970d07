"""The Kafka topics: names' defaults, keys, partitions, settings.

The message key is advisory: it spreads a sync over all partitions and keeps the order of one record; nothing validates
it. Timestamps of the records topic are set by the broker, so that nobody can bend what is judged by them.
"""

from dataclasses import dataclass, field

RECORDS = "sync.records.v1"
DEAD_LETTERS = "sync.records.dead.v1"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it is created, and as `check` compares it."""

    name: str
    partitions: int
    settings: dict[str, str] = field(default_factory=dict)


def records(name: str, partitions: int) -> TopicSpec:
    return TopicSpec(
        name,
        partitions,
        {
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(7 * DAY_MS),
            "max.message.bytes": str((1 << 20) + 4096),  # 1 MiB of value, and its key, headers and framing
        },
    )


def dead_letters(name: str, partitions: int) -> TopicSpec:
    """At least as many partitions as the records: a letter goes to the partition its message came from."""
    return TopicSpec(
        name,
        partitions,
        {
            "message.timestamp.type": "CreateTime",
            # The time of the message it is about. After a broker's clock stepped back that lies ahead of it, and a
            # letter that the broker refuses for that (an hour by default) would hold up its partition.
            "message.timestamp.after.max.ms": str(2**63 - 1),
            "retention.ms": str(30 * DAY_MS),
            "max.message.bytes": str(2 << 20),
        },
    )


def changelog(name: str, partitions: int) -> TopicSpec:
    """Of count's ledgers. Without the segment settings nothing would be compacted for a week."""
    return TopicSpec(
        name,
        partitions,
        {
            "cleanup.policy": "compact",
            # By the broker's clock: it refuses what a worker writes whose own is more than an hour ahead.
            "message.timestamp.type": "LogAppendTime",
            "segment.ms": "600000",
            "segment.bytes": str(16 << 20),
            "min.cleanable.dirty.ratio": "0.1",
        },
    )


def record_key(tenant_id: str, record_id: str) -> bytes:
    """The key of a record's event; of a mark's, with the sync's id in the place of the record's."""
    return f"{tenant_id}:{record_id}".encode()
