"""Our own process going wrong. A failure of a record is data and never raised; a bad message is a `Refusal`.

    SyncLogsError             the message is for a person: what, which value or address, what to do
    ├── SettingsError         a setting's value can't be used
    ├── UsageError            a command was given what it can't use
    ├── KafkaUnavailable      Kafka does not answer, or not yet
    ├── StoreUnavailable      ClickHouse does not answer, or refuses for a while: try again
    ├── StoreRefused          ClickHouse refuses for good: a bug or a schema that does not fit
    ├── PartitionLost         another worker owns the partition now
    ├── StateRefused          what a worker left in Kafka can't be read by this version
    ├── PositionOutOfRange    a position is not in the log any more: stop and alert, never jump
    ├── TooManyDeadLetters    so many bad messages in a row that a program is at fault: stop before all is lost
    ├── WorkerBehind          a worker did not come to where a command needs it, in the time it has: start it, try again
    ├── TotalsDiffer          what a publication appended contradicts itself: nothing is published
    └── StackError            a part of the embedded stack can't start

Commands print the message and end with exit code 2; workers retry what says "Unavailable" and end at the rest.
"""

from enum import StrEnum


class Kind(StrEnum):
    """Why ClickHouse did not take something: the label of metrics. What follows from it: clickhouse/refusals.py."""

    UNREACHABLE = "unreachable"
    SLOW = "slow"
    PARTS = "too_many_parts"
    MEMORY = "memory"
    BUSY = "busy"
    READ_ONLY = "read_only"
    DISK = "disk_full"
    REPLICAS = "replicas"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"
    SCHEMA = "schema"
    ACCESS = "access"
    ROWS = "rows"
    REQUEST = "request"
    OTHER = "other"


class SyncLogsError(Exception):
    """Everything that is shown as one sentence and not as a traceback."""


class SettingsError(SyncLogsError):
    pass


class UsageError(SyncLogsError):
    pass


class KafkaUnavailable(SyncLogsError):
    pass


class StoreUnavailable(SyncLogsError):
    def __init__(self, message: str, kind: Kind = Kind.UNREACHABLE) -> None:
        super().__init__(message)
        self.kind = kind


class StoreRefused(SyncLogsError):
    def __init__(self, message: str, kind: Kind = Kind.OTHER) -> None:
        super().__init__(message)
        self.kind = kind


class PartitionLost(SyncLogsError):
    pass


class StateRefused(SyncLogsError):
    pass


class PositionOutOfRange(SyncLogsError):
    pass


class TooManyDeadLetters(SyncLogsError):
    pass


class WorkerBehind(SyncLogsError):
    pass


class TotalsDiffer(SyncLogsError):
    pass


class StackError(SyncLogsError):
    pass
