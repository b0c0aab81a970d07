"""Every address, and the permission that it needs: the one place where an address is opened to anybody.

The files of a sync stand before its page, because a Sync ID may hold any character, a slash as well.
"""

from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response

from streams.auth import VIEW_SYNC_LOGS
from streams.web import access, api, downloads, health, pages, static, unknown, words

OPEN = None
"""No permission: whoever reaches the port may ask."""


class Address(NamedTuple):
    path: str
    handler: Callable[..., Response]
    permission: str | None
    method: str = "GET"


ROUTES = (
    Address("/", pages.home, VIEW_SYNC_LOGS),
    Address("/sync-logs/{direction}", pages.direction_page, VIEW_SYNC_LOGS),
    Address("/sync-logs/{direction}/failed.csv", downloads.of_direction, VIEW_SYNC_LOGS),
    Address("/sync-logs/{direction}/syncs/{sync_id:path}/failed.csv", downloads.of_sync, VIEW_SYNC_LOGS),
    Address("/sync-logs/{direction}/syncs/{sync_id:path}", pages.sync_page, VIEW_SYNC_LOGS),
    Address("/sync-errors", pages.sync_errors, VIEW_SYNC_LOGS),
    Address(words.UNKNOWN_PATH, unknown.page, VIEW_SYNC_LOGS),
    Address(words.SETTING_PATH, pages.sync_setting, VIEW_SYNC_LOGS),
    Address("/api/v1/{direction}/summary", api.summary, VIEW_SYNC_LOGS),
    Address("/api/v1/{direction}/syncs", api.syncs, VIEW_SYNC_LOGS),
    Address("/api/v1/{direction}/syncs/{sync_id:path}", api.sync, VIEW_SYNC_LOGS),
    Address("/api/v1/{direction}/reasons", api.reasons, VIEW_SYNC_LOGS),
    Address("/api/v1/{direction}/reasons/unknown", unknown.api, VIEW_SYNC_LOGS),
    Address("/api/v1/{direction}/failures", api.failures, VIEW_SYNC_LOGS),
    Address("/sign-in", access.sign_in, OPEN),
    Address("/sign-out", access.sign_out, OPEN, "POST"),
    Address("/static/{name}", static.asset, OPEN),
    Address("/metrics", health.exposition, OPEN),
    Address("/healthz", health.healthz, OPEN),
    Address("/readyz", health.readyz, OPEN),
)
