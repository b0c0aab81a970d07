-- Tenants that are being erased: noted before the first row goes, deleted when the last has gone. So a run that was
-- killed half-way is told from a name that nobody ever had, and nothing of an erased tenant stays here either.

CREATE TABLE IF NOT EXISTS erasures (
    tenant_id String,
    erasure_id UUID,
    begun_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (tenant_id, begun_at)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;
