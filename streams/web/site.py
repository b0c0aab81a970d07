"""What every handler works with: the settings, the way to ClickHouse, the keys, the templates and who is asking.

`Site` is made once for a process and hangs on the application. `Reading` is made for each request: the tenant, and the
snapshot that the whole answer comes from, resolved once, so that no answer mixes two publications.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from schemas.directions import DIRECTIONS, Direction
from streams.auth import Keys
from streams.clickhouse.client import Database
from streams.clickhouse.queries import published
from streams.clickhouse.queries.published import Pointer, Scope
from streams.config import Settings
from streams.web import words
from streams.web.cursors import Cursors
from streams.web.problems import Problem
from streams.web.static import version

_ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Site:
    """One process: made by `create_app`, read by handlers through `site_of`."""

    settings: Settings
    database: Database
    keys: Keys
    cursors: Cursors
    templates: Environment

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """The template `name` with `values` as an HTML answer."""
        return HTMLResponse(self.templates.get_template(name).render(**values), status)


def make_site(settings: Settings) -> Site:
    """SettingsError when the secret is too short. Does not connect: the page says itself when ClickHouse is away."""
    keys = Keys(settings)
    templates = Environment(
        loader=PackageLoader("streams.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(words.FOR_TEMPLATES, asset_version=version())
    return Site(settings, Database(settings, _ANSWER_SECONDS), keys, Cursors(settings), templates)


def site_of(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)
    return site


@dataclass(frozen=True)
class Reading:
    """A tenant reading one snapshot. `pointer` is None before the first publication; `present` is the newest one."""

    site: Site
    tenant: str
    pointer: Pointer | None
    present: Pointer | None

    @property
    def database(self) -> Database:
        return self.site.database

    @property
    def is_present(self) -> bool:
        return self.pointer == self.present

    def page(self, name: str, **values: Any) -> Response:
        """The template with `values`, and with what every page of a tenant shows."""
        return self.site.page(name, reading=self, tenant=self.tenant, **values)

    def scope(self, direction: Direction) -> Scope | None:
        return Scope(self.pointer, self.tenant, direction.code) if self.pointer else None


def known_direction(direction: str) -> Direction:
    """The direction of the address, 404 for one that is not in the catalogue."""
    try:
        return DIRECTIONS[direction]
    except KeyError:
        raise Problem(
            404, "No such direction", f"There is no direction {direction!r}; there is {', '.join(DIRECTIONS)}."
        ) from None


SnapshotNumber = Annotated[int | None, Query(ge=0, le=2**32 - 1)]
CursorText = Annotated[str | None, Query(max_length=2_000)]


def begin_reading(
    request: Request,
    site: Annotated[Site, Depends(site_of)],
    snapshot: SnapshotNumber = None,
    cursor: CursorText = None,
) -> Reading:
    """Resolves the pointer: the snapshot that the address or its cursor names, else the newest. 410 when it is gone."""
    tenant = str(request.state.tenant)
    wanted = snapshot
    if cursor:
        wanted = site.cursors.snapshot(cursor)
        if snapshot is not None and wanted != snapshot:
            raise Problem(400, "Two snapshots", f"cursor belongs to snapshot {wanted}, the address says {snapshot}.")
    present = published.latest(site.database)
    if wanted is None or (present is not None and wanted == present.number):
        return Reading(site, tenant, present, present)
    found = published.standing(site.database, wanted)
    if found is None or present is None or wanted > present.number:
        raise Problem(
            410,
            "This snapshot is gone",
            f"Snapshot {wanted} is not kept any more; the present one has newer figures.",
            link=words.present_page(request.url.path),
        )
    return Reading(site, tenant, found, present)


InDirection = Annotated[Direction, Depends(known_direction)]
Read = Annotated[Reading, Depends(begin_reading)]
