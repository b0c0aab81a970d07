"""`dev --once`: does every number say the same as its page, its CSV file, the API and SQL?

Reads as a browser, a script and an analyst would, through the public addresses, for every tenant, sync and reason. SQL
counts anew from the rows that store wrote, so a mistake of publication shows.
"""

import asyncio
import csv
import html
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from schemas.directions import DIRECTIONS
from streams.clickhouse.client import Database
from streams.clock import UTC

AT_ONCE = 6
COUNT_LINK = re.compile(r'<a[^>]*\shref="([^"]*failed\.csv[^"]*)"[^>]*>\s*(\d+)\s*</a>')

_BY_SYNC = """SELECT tenant_id, direction, sync_id, uniqExact(event_id) AS total,
    uniqExactIf(event_id, status = 'success') AS succeeded, uniqExactIf(event_id, status = 'failed') AS failed,
    uniqExactIf(event_id, status = 'skipped') AS skipped
FROM sync_records WHERE kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition]
GROUP BY tenant_id, direction, sync_id"""
_BY_REASON = """SELECT tenant_id, direction, reason, uniqExact(sync_id, event_id, toMonday(occurred_at)) AS records
FROM sync_records WHERE kafka_offset < {cuts:Map(UInt16, UInt64)}[kafka_partition] AND status = 'failed'
    AND occurred_at >= toStartOfDay({cut:DateTime64(3, 'UTC')}) - INTERVAL {days:UInt16} DAY
GROUP BY tenant_id, direction, reason"""
_SNAPSHOT = "SELECT cut, cuts FROM snapshots ORDER BY number DESC LIMIT 1"
_STORED = """SELECT (SELECT count() FROM sync_records) AS rows, (SELECT count() FROM sync_marks) AS marks,
    (SELECT count() FROM dead_letters) AS dead,
    (SELECT uniqExact(kafka_partition, kafka_offset) FROM sync_records) AS uniq"""


@dataclass
class Comparison:
    """What was compared, by kind, and each difference as a sentence."""

    compared: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def same(self, kind: str, what: str, **numbers: Any) -> None:
        self.compared[kind] += 1
        if len({str(number) for number in numbers.values()}) > 1:
            self.differences.append(f"{what}: " + ", ".join(f"{name} {value}" for name, value in numbers.items()))


async def compare(
    database: Database, web: str, tokens: dict[str, str], progress: Callable[[int, int], None]
) -> Comparison:
    """Compare everything of the tenants in `tokens` (tenant: token) in the present snapshot."""
    found = Comparison()
    snapshot = (await asyncio.to_thread(database.rows, _SNAPSHOT))[0]
    cut = snapshot["cut"].replace(tzinfo=UTC)
    cuts = {str(partition): offset for partition, offset in snapshot["cuts"].items()}  # bound as JSON
    rows = await asyncio.to_thread(database.rows, _BY_SYNC, cuts=cuts)
    syncs = {(row["tenant_id"], row["direction"], row["sync_id"]): row for row in rows}
    reasons: dict[tuple[str, str, str, str], int] = {}
    for period, days in (("62d", 62), ("26w", 182)):
        rows = await asyncio.to_thread(database.rows, _BY_REASON, cuts=cuts, cut=cut, days=days)
        reasons |= {(r["tenant_id"], r["direction"], period, r["reason"]): r["records"] for r in rows}
    _compare_stored(database, sum(cuts.values()), found)
    for done, (tenant, token) in enumerate(tokens.items(), 1):
        async with httpx.AsyncClient(
            base_url=web, headers={"Authorization": f"Bearer {token}"}, timeout=60
        ) as client:  # fmt: skip
            for direction in DIRECTIONS:
                of_tenant = {s: row for (t, d, s), row in syncs.items() if (t, d) == (tenant, direction)}
                by_reason = {(p, r): n for (t, d, p, r), n in reasons.items() if (t, d) == (tenant, direction)}
                await _Tenant(client, direction, found, f"{tenant} {direction}").compare(of_tenant, by_reason)
        progress(done, len(tokens))
    return found


def _compare_stored(database: Database, taken: int, found: Comparison) -> None:
    """Every offset below the cut is one row, mark or dead letter: nothing lost, nothing twice, without FINAL."""
    stored = database.rows(_STORED)[0]
    found.same("offsets", "messages and rows", kafka=taken, rows=stored["rows"] + stored["marks"] + stored["dead"])
    found.same("offsets", "rows and their offsets", rows=stored["rows"], distinct=stored["uniq"])


@dataclass
class _Tenant:
    client: httpx.AsyncClient
    direction: str
    found: Comparison
    name: str

    async def compare(self, syncs: dict[str, dict[str, Any]], reasons: dict[tuple[str, str], int]) -> None:
        items = await self._pages(f"/api/v1/{self.direction}/syncs")
        listed = {item["sync_id"]: item for item in items if item["total"]}  # a sync of marks only has no rows
        self.found.same("syncs", f"{self.name}: syncs", api=len(listed), sql=len(syncs))
        if not listed and not syncs:
            return
        for sync_id in listed.keys() & syncs.keys():
            item, row = listed[sync_id], syncs[sync_id]
            for number in ("total", "succeeded", "failed", "skipped"):
                self.found.same("numbers", f"{self.name} {sync_id} {number}", api=item[number], sql=row[number])
        for period in ("62d", "26w"):
            items = await self._pages(f"/api/v1/{self.direction}/reasons?period={period}")
            of_api = {item["reason"]: item["records"] for item in items if item["records"]}
            for reason in of_api.keys() | {r for p, r in reasons if p == period}:
                numbers = {"api": of_api.get(reason, 0), "sql": reasons.get((period, reason), 0)}
                self.found.same("reasons", f"{self.name} {reason} {period}", **numbers)
        pages = [f"/sync-logs/{self.direction}", f"/sync-logs/{self.direction}?period=26w"]
        pages += [f"/sync-logs/{self.direction}/syncs/{sync}" for sync, row in syncs.items() if row["failed"]]
        await self._compare_pages(pages, syncs)

    async def _compare_pages(self, pages: Iterable[str], syncs: dict[str, dict[str, Any]]) -> None:
        """Each count on a page that is a link: its number is the number of rows behind it."""
        limit = asyncio.Semaphore(AT_ONCE)
        links: dict[str, set[int]] = {}

        async def read(page: str) -> None:
            async with limit:
                answer = (await self.client.get(page)).raise_for_status()
            for address, number in COUNT_LINK.findall(answer.text):
                links.setdefault(html.unescape(address), set()).add(int(number))
            if sync := page.partition("/syncs/")[2]:
                self._compare_sync_page(sync, answer.text, syncs[sync]["failed"])

        await asyncio.gather(*(read(page) for page in pages))
        await asyncio.gather(*(self._compare_file(link, numbers, limit) for link, numbers in links.items()))

    def _compare_sync_page(self, sync: str, text: str, failed: int) -> None:
        shown = [int(n) for a, n in COUNT_LINK.findall(text) if "reason=" not in a]
        by_reason = [int(n) for a, n in COUNT_LINK.findall(text) if "reason=" in a]
        numbers = {"page": max(shown, default=0), "by_reason": sum(by_reason), "sql": failed}
        self.found.same("pages", f"{self.name} {sync}", **numbers)

    async def _compare_file(self, link: str, numbers: set[int], limit: asyncio.Semaphore) -> None:
        async with limit:
            answer = (await self.client.get(link)).raise_for_status()
        rows = sum(1 for _ in csv.reader(io.StringIO(answer.text, newline=""))) - 1
        for number in numbers:
            told = answer.headers.get("X-Row-Count")
            self.found.same("files", f"{self.name} {link}", page=number, csv=rows, header=told)

    async def _pages(self, address: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            mark = "&" if "?" in address else "?"
            more = {"cursor": cursor} if cursor else {}
            url = httpx.URL(f"{address}{mark}limit=500").copy_merge_params(more)
            body = (await self.client.get(url)).raise_for_status().json()
            items += body["items"]
            cursor = body["next"]
        return items
