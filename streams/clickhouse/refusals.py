"""What each refusal of the server means: try again, or stop. By ClickHouse's error codes.

The table of streams/README.md is made from this one (`python -m tests.settings_table`).

There is no third verdict, a dead letter. Whatever decoding accepts ClickHouse takes (tests/store/test_engine.py shows
it), so a refused insert says nothing about the messages in it: it is the server's trouble, which passes, or ours, which
a person mends. To set good events aside for either would lose them.
"""

from typing import NamedTuple

from streams.errors import Kind


class Verdict(NamedTuple):
    """Codes that mean the same. `retried`: the insert is sent again with its token for as long as it takes; else the
    process ends, nothing is settled, and the announced run is formed again after the restart."""

    kind: Kind
    retried: bool
    why: str
    remedy: str
    codes: dict[int, str]


VERDICTS = (
    Verdict(
        Kind.UNREACHABLE, True, "the answer was lost or never came: the rows may be stored, the token tells",
        "it passes by itself, or look at the server and the network",
        {3: "UNEXPECTED_END_OF_FILE", 198: "DNS_ERROR", 203: "NO_FREE_CONNECTION", 209: "SOCKET_TIMEOUT",
         210: "NETWORK_ERROR", 279: "ALL_CONNECTION_TRIES_FAILED"},
    ),
    Verdict(
        Kind.SLOW, True, "the insert took longer than the server allows", "look at its load and its disk",
        {159: "TIMEOUT_EXCEEDED", 160: "TOO_SLOW"},
    ),
    Verdict(
        Kind.PARTS, True, "merges are behind; each insert more would make it worse, so it waits longer and longer",
        "it passes by itself, or look at system.merges; fewer and larger batches: raise SYNCLOGS_STORE_SECONDS",
        {252: "TOO_MANY_PARTS"},
    ),
    Verdict(
        Kind.MEMORY, True, "other queries have the memory", "find them in system.processes, or give the server more",
        {173: "CANNOT_ALLOCATE_MEMORY", 241: "MEMORY_LIMIT_EXCEEDED"},
    ),
    Verdict(
        Kind.BUSY, True, "the server limits how much goes on at once", "look at its limits, quotas and load",
        {201: "QUOTA_EXCEEDED", 202: "TOO_MANY_SIMULTANEOUS_QUERIES", 290: "LIMIT_EXCEEDED",
         364: "RECEIVED_ERROR_TOO_MANY_REQUESTS", 439: "CANNOT_SCHEDULE_TASK",
         574: "DISTRIBUTED_TOO_MANY_PENDING_BYTES", 745: "SERVER_OVERLOADED", 749: "TCP_CONNECTION_LIMIT_REACHED"},
    ),
    Verdict(
        Kind.READ_ONLY, True, "the table or the user may not write at the moment: a replica without its keeper, "
        "a maintenance", "look at system.replicas, and at the user's setting `readonly`",
        {164: "READONLY", 242: "TABLE_IS_READ_ONLY"},
    ),
    Verdict(
        Kind.DISK, True, "the server's disk is full; Kafka keeps the events for seven days meanwhile",
        "make room on the server's disk", {243: "NOT_ENOUGH_SPACE"},
    ),
    Verdict(
        Kind.REPLICAS, True, "replicas or their keeper are away; the rows may be stored, the token tells",
        "look at the keeper and system.replicas",
        {225: "NO_ZOOKEEPER", 254: "NO_ACTIVE_REPLICAS", 285: "TOO_FEW_LIVE_REPLICAS",
         286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", 319: "UNKNOWN_STATUS_OF_INSERT", 999: "KEEPER_EXCEPTION"},
    ),
    Verdict(
        Kind.INTERRUPTED, True, "the server shuts down, or somebody has cancelled the insert",
        "it passes by itself",
        {236: "ABORTED", 394: "QUERY_WAS_CANCELLED", 677: "THREAD_WAS_CANCELED"},
    ),
    Verdict(
        Kind.INTERNAL, True, "the server met something that it has no word for: disk, storage, a race of its own",
        "look at the server's log",
        {76: "CANNOT_OPEN_FILE", 107: "FILE_DOESNT_EXIST", 425: "SYSTEM_ERROR", 473: "DEADLOCK_AVOIDED",
         499: "S3_ERROR", 1000: "POCO_EXCEPTION", 1001: "STD_EXCEPTION", 1002: "UNKNOWN_EXCEPTION"},
    ),
    Verdict(
        Kind.SCHEMA, False, "the tables are not those of this version: a migration is missing, or somebody changed one",
        "run `synclogs migrate`, or put back what was changed",
        {16: "NO_SUCH_COLUMN_IN_TABLE", 20: "NUMBER_OF_COLUMNS_DOESNT_MATCH", 47: "UNKNOWN_IDENTIFIER",
         53: "TYPE_MISMATCH", 60: "UNKNOWN_TABLE", 81: "UNKNOWN_DATABASE", 218: "TABLE_IS_DROPPED"},
    ),
    Verdict(
        Kind.ACCESS, False, "the server does not let us in, or not here",
        "check user and password, and the user's grants",
        {192: "UNKNOWN_USER", 193: "WRONG_PASSWORD", 194: "REQUIRED_PASSWORD", 195: "IP_ADDRESS_NOT_ALLOWED",
         497: "ACCESS_DENIED", 516: "AUTHENTICATION_FAILED"},
    ),
    Verdict(
        Kind.ROWS, False, "rows that the server can't read or that break a rule of the table: a bug of ours, or a "
        "constraint that somebody added", "drop the constraint, or report the code",
        {27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED", 44: "ILLEGAL_COLUMN", 117: "INCORRECT_DATA",
         349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN", 469: "VIOLATED_CONSTRAINT", 691: "UNKNOWN_ELEMENT_OF_ENUM"},
    ),
    Verdict(
        Kind.REQUEST, False, "a statement or a setting that this server does not know",
        "use a ClickHouse version that `synclogs check` accepts",
        {36: "BAD_ARGUMENTS", 48: "NOT_IMPLEMENTED", 62: "SYNTAX_ERROR", 73: "UNKNOWN_FORMAT", 115: "UNKNOWN_SETTING"},
    ),
)  # fmt: skip
OTHER = Verdict(
    Kind.OTHER, False, "any other code: to go on without knowing what it means could lose or double rows",
    "look the code up in system.errors and the server's log", {},
)  # fmt: skip
_BY_CODE = {code: verdict for verdict in VERDICTS for code in verdict.codes}


def verdict(code: int) -> Verdict:
    """What an error code of the server means."""
    return _BY_CODE.get(code, OTHER)


def table() -> str:
    """The table for people, as Markdown."""
    lines = ["| refused because | codes | then | why | what to do |", "|---|---|---|---|---|"]
    for one in (*VERDICTS, OTHER):
        codes = ", ".join(f"{name} ({code})" for code, name in one.codes.items()) or "any other"
        then = "try again" if one.retried else "stop"
        lines.append(f"| `{one.kind}` | {codes} | {then} | {one.why} | {one.remedy} |")
    return "\n".join(lines) + "\n"
