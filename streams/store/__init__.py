"""Exact batches from Kafka to ClickHouse: each event is one row, each bad message one dead letter, whatever fails."""
