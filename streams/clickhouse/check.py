"""What `synclogs check` looks at in ClickHouse: migrations, dedup windows, the server's version."""

from schemas import rows
from streams.clickhouse.client import Database
from streams.clickhouse.migrate import available
from streams.config import Settings

OLDEST = (26, 3)


def problems(settings: Settings) -> list[str]:
    """A sentence for each thing to mend. StoreUnavailable and StoreRefused come through."""
    # Asked outside of the database, which may be missing too.
    journal = "SELECT count() FROM system.tables WHERE name = 'schema_migrations' AND database = {name:String}"
    if not Database(settings.model_copy(update={"database": "system"})).value(journal, name=settings.database):
        return [f"database {settings.database} has no tables: run `synclogs migrate`"]
    database = Database(settings)
    found = []
    applied = {row["number"] for row in database.rows("SELECT number FROM schema_migrations")}
    if pending := [m.name for m in available() if m.number not in applied]:
        found.append(f"migrations are pending ({', '.join(pending)}): run `synclogs migrate`")
    version = str(database.value("SELECT version()"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        found.append(f"ClickHouse is {version}, needs {OLDEST[0]}.{OLDEST[1]} or newer")
    for row in database.rows(
        "SELECT name, create_table_query AS sql FROM system.tables "
        "WHERE database = currentDatabase() AND name IN {names:Array(String)}",
        names=[table.table for table in (rows.SYNC_RECORDS, rows.SYNC_MARKS, rows.DEAD_LETTERS, rows.SNAPSHOTS)]
        + list(rows.PUBLISHED),
    ):
        if f"non_replicated_deduplication_window = {rows.DEDUP_WINDOW}" not in row["sql"]:
            found.append(
                f"table {row['name']} does not remember {rows.DEDUP_WINDOW} tokens: a late retry could double rows; "
                f"ALTER TABLE {row['name']} MODIFY SETTING non_replicated_deduplication_window = {rows.DEDUP_WINDOW}"
            )
    return found
