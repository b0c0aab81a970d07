"""What readers see of a publication, recounted from the stored rows by other means."""

from typing import Any

from tests.publish.world import World


async def agrees_with_recount(stage: World) -> None:
    """What readers see is what a recount of the stored rows, by other means, gives."""
    rows = stage.database.rows(
        "SELECT sync_id, toDate(at) AS day, countIf(s = 'success') AS succeeded, countIf(s = 'failed') AS failed, "
        "countIf(s = 'skipped') AS skipped FROM (SELECT sync_id, event_id, toMonday(occurred_at) AS week, "
        "argMin(occurred_at, (received_at, kafka_offset)) AS at, argMin(status, (received_at, kafka_offset)) AS s "
        "FROM sync_records GROUP BY sync_id, event_id, week) GROUP BY sync_id, day"
    )
    seen = stage.published()
    names = ("succeeded", "failed", "skipped")

    def by(key: str, rows: list[dict[str, Any]]) -> dict[Any, list[int]]:
        counts: dict[Any, list[int]] = {}
        for row in rows:
            counts[row[key]] = [a + row[name] for a, name in zip(counts.get(row[key], [0] * 3), names, strict=True)]
        return counts

    assert by("sync_id", seen["syncs"]) == by("sync_id", rows)
    assert by("day", seen["days"]) == by("day", rows)
    assert len(seen["failures"]) == sum(row["failed"] for row in rows)
    last = stage.snapshots()[-1]
    assert [last[name] for name in names] == [sum(row[name] for row in rows) for name in names]
