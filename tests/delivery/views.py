"""What each tenant sees at the web's addresses, and what it reaches of the others: for tenancy and one snapshot.

In go the address and a token for each tenant; out come its syncs as the list, each sync's own answer and its file tell
them, and the answer to every try to get at a sync that only another tenant has.
"""

import asyncio
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from schemas.directions import CODES

AT_ONCE = 4
FOREIGN_TRIES = 10
"""Syncs of each other tenant that a tenant tries to reach."""
Counts = tuple[int, int, int, int]
"""total, succeeded, failed, skipped"""


class File(NamedTuple):
    """A CSV: what X-Row-Count said, and the ids in it."""

    told: int
    ids: list[str]


@dataclass
class View:
    """One tenant's, by (direction, sync). `snapshots` are all numbers that any answer named."""

    snapshots: set[int] = field(default_factory=set)
    listed: dict[tuple[str, str], Counts] = field(default_factory=dict)
    details: dict[tuple[str, str], Counts] = field(default_factory=dict)
    files: dict[tuple[str, str], File] = field(default_factory=dict)


class Reach(NamedTuple):
    """A try of `tenant` to get at what is `owner`'s alone, and the status it was answered with."""

    tenant: str
    owner: str
    address: str
    status: int


async def see(web: str, tokens: Mapping[str, str]) -> tuple[dict[str, View], list[Reach]]:
    """Every tenant's view, and every try to look into another's."""
    views: dict[str, View] = {}
    for tenant, token in tokens.items():
        async with _client(web, token) as client:
            views[tenant] = await _view(client)
    reaches = []
    for tenant, token in tokens.items():
        async with _client(web, token) as client:
            for owner in tokens.keys() - {tenant}:
                reaches += await _try_foreign(client, tenant, owner, views)
    return views, reaches


def _client(web: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=web, headers={"Authorization": f"Bearer {token}"}, timeout=60)


async def _view(client: httpx.AsyncClient) -> View:
    view = View()
    for direction in sorted(CODES):
        for item in await _items(client, f"/api/v1/{direction}/syncs", view):
            view.listed[direction, item["sync_id"]] = _counts(item)
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(direction: str, sync: str) -> None:
        async with limit:
            answer = (await client.get(_sync(direction, sync))).raise_for_status().json()
            view.snapshots.add(answer["snapshot"]["number"])
            view.details[direction, sync] = _counts(answer)
            file = (await client.get(_file(direction, sync))).raise_for_status()
        lines = list(csv.DictReader(io.StringIO(file.text, newline="")))
        view.files[direction, sync] = File(int(file.headers["X-Row-Count"]), [line["event_id"] for line in lines])

    await asyncio.gather(*(one(*key) for key in view.listed))
    return view


async def _items(client: httpx.AsyncClient, address: str, view: View) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"limit": "500"} | ({"cursor": cursor} if cursor else {})
        body = (await client.get(address, params=more)).raise_for_status().json()
        if body["snapshot"]:
            view.snapshots.add(body["snapshot"]["number"])
        items += body["items"]
        cursor = body["next"]
    return items


async def _try_foreign(client: httpx.AsyncClient, tenant: str, owner: str, views: Mapping[str, View]) -> list[Reach]:
    foreign = sorted(views[owner].listed.keys() - views[tenant].listed.keys())[:FOREIGN_TRIES]
    return [
        Reach(tenant, owner, address, (await client.get(address)).status_code)
        for direction, sync in foreign
        for address in (_sync(direction, sync), _file(direction, sync), _page(direction, sync))
    ]


def _counts(item: Mapping[str, Any]) -> Counts:
    return item["total"], item["succeeded"], item["failed"], item["skipped"]


def _sync(direction: str, sync: str) -> str:
    return f"/api/v1/{direction}/syncs/{quote(sync, safe='')}"


def _page(direction: str, sync: str) -> str:
    return f"/sync-logs/{direction}/syncs/{quote(sync, safe='')}"


def _file(direction: str, sync: str) -> str:
    return f"{_page(direction, sync)}/failed.csv"
