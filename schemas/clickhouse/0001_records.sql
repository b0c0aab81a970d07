-- What store writes: one row for each result, mark and dead letter. Every table that is written over HTTP has a dedup
-- window, because the client sends an INSERT again whose answer was lost; without one a token does nothing.
-- `arrival` falls with the time of arrival (ties: topic, partition, offset), so a merge keeps the first copy of an event.

CREATE TABLE IF NOT EXISTS sync_records (
    event_id UUID,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    module LowCardinality(String),
    record_id String,
    record_name String CODEC(ZSTD(1)),
    target_id String,
    operation LowCardinality(String),
    status LowCardinality(String),
    reason LowCardinality(String) COMMENT 'at arrival; empty unless failed',
    error_codes Array(LowCardinality(String)),
    error_messages Array(String) CODEC(ZSTD(1)),
    error_fields Array(LowCardinality(String)),
    error_reasons Array(LowCardinality(String)),
    catalogue_version UInt16 CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    attempt UInt16,
    payload String CODEC(ZSTD(1)),
    truncated Array(LowCardinality(String)) COMMENT 'texts that were cut or dropped for their length',
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'Kafka timestamp, set by the broker',
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    kafka_offset UInt64 CODEC(Delta, ZSTD(1)),
    arrival UInt256 MATERIALIZED bitNot(
        bitShiftLeft(toUInt256(toUnixTimestamp64Milli(received_at)), 192)
        + bitShiftLeft(toUInt256(cityHash64(kafka_topic)), 128)
        + bitShiftLeft(toUInt256(kafka_partition), 64) + kafka_offset) CODEC(ZSTD(1)),
    INDEX of_record record_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX of_offset kafka_offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(arrival)
PARTITION BY toMonday(occurred_at)
ORDER BY (tenant_id, direction, sync_id, event_id)
TTL toMonday(occurred_at) + INTERVAL 6 MONTH + INTERVAL 3 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS sync_marks (
    event_id UUID,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    type LowCardinality(String) COMMENT 'sync_started or sync_finished',
    records_total UInt64 COMMENT 'what the sync says it carried; 0 for sync_started',
    occurred_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    kafka_offset UInt64 CODEC(Delta, ZSTD(1)),
    arrival UInt256 MATERIALIZED bitNot(
        bitShiftLeft(toUInt256(toUnixTimestamp64Milli(received_at)), 192)
        + bitShiftLeft(toUInt256(cityHash64(kafka_topic)), 128)
        + bitShiftLeft(toUInt256(kafka_partition), 64) + kafka_offset) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(arrival)
PARTITION BY toMonday(occurred_at)
ORDER BY (tenant_id, direction, sync_id, event_id)
TTL toMonday(occurred_at) + INTERVAL 6 MONTH + INTERVAL 3 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

-- The bytes of a dead letter are in the dead-letters topic; this is what a tenant sees of them, a count by code of the
-- 30 days before a cut. Rows stay longer than that by some weeks, for as long as a snapshot may stand.
CREATE TABLE IF NOT EXISTS dead_letters (
    tenant_id LowCardinality(String) COMMENT 'as far as the bytes tell, else empty',
    code LowCardinality(String),
    field String,
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    kafka_offset UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toMonday(received_at)
ORDER BY (tenant_id, code, received_at)
TTL toMonday(received_at) + INTERVAL 30 DAY + INTERVAL 5 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;
