-- The published view: append-only. Each try to publish has an attempt (a UUID) that all of its rows carry; the pointer
-- `snapshots` names the attempts that count, so what a crashed try left is never read. Its one row is the commit point.

CREATE TABLE IF NOT EXISTS published_failures (
    attempt_id UUID,
    snapshot UInt32,
    event_id UUID,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    module LowCardinality(String),
    record_id String,
    record_name String CODEC(ZSTD(1)),
    target_id String,
    operation LowCardinality(String),
    reason LowCardinality(String),
    error_codes Array(LowCardinality(String)),
    error_messages Array(String) CODEC(ZSTD(1)),
    error_fields Array(LowCardinality(String)),
    error_reasons Array(LowCardinality(String)),
    catalogue_version UInt16,
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    attempt UInt16,
    payload String CODEC(ZSTD(1)),
    truncated Array(LowCardinality(String)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    kafka_offset UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toMonday(occurred_at)
ORDER BY (tenant_id, direction, sync_id, event_id)
TTL toMonday(occurred_at) + INTERVAL 6 MONTH + INTERVAL 3 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS published_syncs (
    attempt_id UUID,
    snapshot UInt32 COMMENT 'of several versions of a sync the one with the highest snapshot counts',
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    modules Array(LowCardinality(String)),
    first_at DateTime64(3, 'UTC') COMMENT 'earliest event time of its results and marks',
    last_at DateTime64(3, 'UTC'),
    started_at Nullable(DateTime64(3, 'UTC')),
    finished_at Nullable(DateTime64(3, 'UTC')),
    expected Nullable(UInt64) COMMENT 'records_total of its last finished mark',
    records UInt64 COMMENT 'distinct (module, record_id)',
    total UInt64 COMMENT 'distinct results',
    succeeded UInt64,
    failed UInt64,
    skipped UInt64,
    outcome LowCardinality(String),
    INDEX of_snapshot snapshot TYPE minmax GRANULARITY 1
)
-- By last_at, which only grows from version to version: by first_at a late event would put the newest version into an
-- older week, and once that had expired the version before it would come to light again.
ENGINE = MergeTree
PARTITION BY toMonday(last_at)
ORDER BY (tenant_id, direction, sync_id, snapshot)
TTL toMonday(last_at) + INTERVAL 6 MONTH + INTERVAL 3 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS published_days (
    attempt_id UUID,
    snapshot UInt32,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    day Date,
    succeeded UInt64,
    failed UInt64,
    skipped UInt64,
    INDEX of_snapshot snapshot TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toMonday(day)
ORDER BY (tenant_id, direction, day, snapshot)
TTL toMonday(day) + INTERVAL 6 MONTH + INTERVAL 3 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS snapshots (
    number UInt32,
    week LowCardinality(String) COMMENT 'ISO week that the cut ends, 2026-W47; empty for a cut at any other moment',
    attempts Array(UUID) COMMENT 'rows of these attempts are the snapshot',
    cut DateTime64(3, 'UTC') COMMENT 'covers everything received until then',
    kafka_topic LowCardinality(String),
    cuts Map(UInt16, UInt64) COMMENT 'by partition: the first offset that is not in it',
    published_at DateTime64(3, 'UTC'),
    next_at DateTime64(3, 'UTC'),
    syncs UInt64,
    succeeded UInt64,
    failed UInt64,
    skipped UInt64,
    reconciliation LowCardinality(String) COMMENT 'exact, differs, or not_reconciled',
    difference UInt64 COMMENT 'sum over entries and statuses of how far live counts and rows are apart',
    catalogue_version UInt16
)
ENGINE = MergeTree
ORDER BY number
SETTINGS non_replicated_deduplication_window = 100000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Every try to publish, noted before its first row: where to look for what a crashed one left behind.
CREATE TABLE IF NOT EXISTS publication_attempts (
    attempt_id UUID,
    snapshot UInt32,
    started_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (started_at, attempt_id)
TTL toMonday(started_at) + INTERVAL 60 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- The live counts as a reconciliation found them, because count goes on while it compares them with the rows.
CREATE TABLE IF NOT EXISTS reconciliation_entries (
    attempt_id UUID,
    window_start DateTime('UTC'),
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    succeeded UInt64,
    failed UInt64,
    skipped UInt64,
    position UInt64,
    copied_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY toMonday(copied_at)
ORDER BY (attempt_id, window_start, kafka_partition)
TTL toMonday(copied_at) + INTERVAL 2 WEEK
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
