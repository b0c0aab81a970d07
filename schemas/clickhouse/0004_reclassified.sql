-- What a reclassification found: the failures whose reasons the present catalogue tells otherwise, until they are
-- published. By chunk, because a chunk of published_failures is copied at a time. Nobody else reads it.

CREATE TABLE IF NOT EXISTS reclassified (
    attempt_id UUID,
    week Date,
    chunk UInt16,
    tenant_id LowCardinality(String),
    direction LowCardinality(String),
    sync_id String,
    event_id UUID,
    reason LowCardinality(String),
    error_reasons Array(LowCardinality(String)),
    noted_at DateTime('UTC') DEFAULT now()
)
ENGINE = MergeTree
PARTITION BY toMonday(noted_at)
ORDER BY (attempt_id, week, chunk)
TTL toMonday(noted_at) + INTERVAL 2 WEEK
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1;
