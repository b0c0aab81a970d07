"""Every metric of every process, in one place. Seconds and bytes, counted by batch; labels are closed lists.

No label ever holds a tenant, a sync or a record: those are questions for ClickHouse. Known label sets start at 0, so
that a first failure shows as an increase. A retry is counted as a retry, never as a loss.
"""

import platform
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from schemas.directions import CODES
from schemas.event import STATUSES
from schemas.reasons import CATALOGUE
from schemas.refusal import Code
from streams.errors import Kind

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DELAY = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 900, 3600)
_SIZES = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)

# Both workers. `worker` is count or store.
CONSUMED = Counter("synclogs_records_consumed_total", "Messages taken from Kafka and settled", ["worker"])
LAG_RECORDS = Gauge("synclogs_lag_records", "Messages of a partition not settled yet", ["worker", "topic", "partition"])
LAG_SECONDS = Gauge(
    "synclogs_lag_seconds", "Age of the oldest message not settled yet, 0 if none", ["worker", "topic", "partition"]
)
POSITION = Gauge("synclogs_position", "First offset that is not settled yet", ["worker", "topic", "partition"])
PARTITIONS = Gauge("synclogs_partitions_assigned", "Partitions this worker owns", ["worker"])
HALTED = Gauge(
    "synclogs_partitions_halted", "Partitions that stopped until an operator acts: their position is lost", ["worker"]
)
REBALANCES = Counter("synclogs_rebalances_total", "Assignments this worker was given", ["worker"])
BATCH_RECORDS = Histogram("synclogs_batch_records", "Messages settled at once", ["worker"], buckets=_SIZES)
DELAY = Histogram(
    "synclogs_settle_delay_seconds", "From a message's Kafka timestamp to its settling, a batch's oldest", ["worker"],
    buckets=_DELAY,
)  # fmt: skip
TRANSACTION = Histogram("synclogs_transaction_seconds", "One transaction of a partition", ["worker"], buckets=_FAST)
REOPENED = Counter("synclogs_partition_reopened_total", "Partitions opened again after an error of Kafka", ["worker"])
LAST_SETTLED = Gauge("synclogs_last_settled_timestamp_seconds", "When this worker last settled a batch", ["worker"])

# store
STORED = Counter("synclogs_rows_stored_total", "Rows stored and settled", ["table"])
DEAD_LETTERED = Counter("synclogs_records_dead_lettered_total", "Messages that are no events", ["code"])
TRUNCATED = Counter("synclogs_records_truncated_total", "Rows with a text cut or dropped for its length")
INSERT = Histogram("synclogs_insert_seconds", "One insert, retries apart", ["table"], buckets=_FAST)
INSERT_RETRIES = Counter("synclogs_insert_retries_total", "Inserts sent again", ["table", "kind"])
REFORMED = Counter("synclogs_batches_reformed_total", "Announced batches formed again by their next owner")

# count
COUNTED = Counter("synclogs_records_counted_total", "Results counted", ["direction", "status"])
FAILURES = Counter("synclogs_failures_total", "Failures counted, by reason", ["direction", "reason"])
LATE = Counter("synclogs_late_total", "Results too old for the live counts; stored and published all the same")
REREAD = Counter("synclogs_records_reread_total", "Messages that were not delivered and read from Kafka again")
ENTRIES = Gauge("synclogs_live_entries", "Entries of the live counts that this worker holds")
RESTORE = Histogram("synclogs_restore_seconds", "Opening a partition's ledger", buckets=_DELAY)
UPSERTED = Counter("synclogs_live_rows_upserted_total", "Rows written to live_counts and live_positions")

# publish
SNAPSHOT = Gauge("synclogs_snapshot_number", "The published snapshot")
SNAPSHOT_TIME = Gauge("synclogs_snapshot_published_timestamp_seconds", "When it was published")
SNAPSHOT_CUT = Gauge("synclogs_snapshot_cut_timestamp_seconds", "What it covers: everything received until then")
SNAPSHOT_ROWS = Gauge("synclogs_snapshot_results", "Results in it by status", ["status"])
SNAPSHOT_CATALOGUE = Gauge(
    "synclogs_snapshot_catalogue", "Version of the catalogue of reasons with which it was published"
)
PUBLISHED = Counter("synclogs_publications_total", "Tries to publish", ["outcome"])
PUBLISH_SECONDS = Histogram("synclogs_publication_seconds", "One publication, waits included", buckets=_DELAY)
PUBLISH_WAITING = Gauge("synclogs_publication_waiting_seconds", "How long a publication has waited", ["worker"])
DIFFERENCE = Gauge(
    "synclogs_reconciliation_difference", "How far live counts and rows were apart at the last publication, -1 unknown"
)
DAYS_DIFFERENCE = Gauge(
    "synclogs_publication_totals_difference", "How far days and syncs of the last publication were apart, in results"
)
RECLASSIFIED = Counter("synclogs_reclassifications_total", "Tries to classify published failures anew", ["outcome"])
RECLASSIFIED_FAILURES = Counter(
    "synclogs_failures_reclassified_total", "Failures published under another reason than before"
)
RECLASSIFY_SECONDS = Histogram(
    "synclogs_reclassification_seconds", "One reclassification that was published", buckets=_DELAY
)
CONFLICTS = Counter(
    "synclogs_conflicts_total",
    "Events sent again with other content, seen by the publisher between two cuts; "
    "copies that an insert or a merge has united by then are not seen",
)

# web
REQUESTS = Counter("synclogs_http_requests_total", "Answers", ["route", "method", "status"])
REQUEST_SECONDS = Histogram("synclogs_http_request_seconds", "Until the first byte", ["route"], buckets=_FAST)
CSV_ROWS = Counter("synclogs_csv_rows_total", "Rows downloaded as CSV")
DENIED = Counter("synclogs_denied_total", "Requests refused", ["cause"])

BUILD = Gauge("synclogs_build_info", "What runs here", ["version", "python", "catalogue"])


def exposition() -> tuple[bytes, str]:
    """All metrics as Prometheus reads them, and the media type."""
    return generate_latest(), CONTENT_TYPE_LATEST


def _start_at_zero() -> None:
    for worker in ("count", "store"):
        for metric in (CONSUMED, BATCH_RECORDS, DELAY, TRANSACTION, REBALANCES, REOPENED, PARTITIONS, HALTED):
            metric.labels(worker)
    for code in Code:
        DEAD_LETTERED.labels(code.value)
    for direction in CODES:
        for status in STATUSES:
            COUNTED.labels(direction, status)
        for reason in CATALOGUE.reasons:
            FAILURES.labels(direction, reason.code)
    for table in ("sync_records", "sync_marks", "dead_letters"):
        STORED.labels(table)
        for kind in Kind:
            INSERT_RETRIES.labels(table, kind.value)
    for outcome in ("published", "nothing_due", "lost_race", "error"):
        PUBLISHED.labels(outcome)
    for outcome in ("published", "nothing_changed", "dry_run", "lost_race", "error"):
        RECLASSIFIED.labels(outcome)
    BUILD.labels(version("synclogs"), platform.python_version(), str(CATALOGUE.version)).set(1)


_start_at_zero()
