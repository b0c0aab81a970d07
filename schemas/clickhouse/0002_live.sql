-- What count writes. A row is versioned by the position of its partition: an earlier state never replaces a later one,
-- so a worker that was frozen may write late without harm. All rows of an entry are written together, at one position.

CREATE TABLE IF NOT EXISTS live_counts (
    window_start DateTime('UTC') COMMENT 'hour of event time',
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    status LowCardinality(String),
    reason LowCardinality(String) COMMENT 'empty unless failed',
    records UInt64,
    position UInt64 COMMENT 'counts every offset of the partition below it'
)
ENGINE = ReplacingMergeTree(position)
PARTITION BY toMonday(window_start)
ORDER BY (tenant_id, direction, sync_id, window_start, kafka_topic, kafka_partition, status, reason)
TTL toMonday(window_start) + INTERVAL 60 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS live_positions (
    kafka_topic LowCardinality(String),
    kafka_partition UInt16,
    position UInt64,
    updated_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(position)
ORDER BY (kafka_topic, kafka_partition)
SETTINGS non_replicated_deduplication_window = 1000;
