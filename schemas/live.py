"""What the live counts count: one constant that count and the reconciliation must share.

A result is counted live if the hour of its `occurred_at` is at most the horizon before its Kafka timestamp. Another
horizon would change what was counted, so it is no setting.
"""

from schemas.event import DAY_MS

LIVE_HORIZON_MS = 15 * DAY_MS
LIVE_KEPT_DAYS = 60
"""How long `live_counts` keeps an entry, from the Monday of its hour (the TTL in `clickhouse/0002_live.sql`)."""
