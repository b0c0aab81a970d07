"""The only door to ClickHouse: connecting, exact inserts, named queries, migrations."""
