"""What the process tells operators: /metrics for Prometheus, /healthz (it runs), /readyz (it can show the page)."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import PlainTextResponse, Response

from streams import metrics
from streams.clickhouse.queries import published
from streams.errors import StoreRefused, StoreUnavailable
from streams.web.site import Site, site_of


def exposition() -> Response:
    body, kind = metrics.exposition()
    return Response(body, headers={"Content-Type": kind})


def healthz() -> Response:
    return PlainTextResponse("ok\n")


def readyz(site: Annotated[Site, Depends(site_of)]) -> Response:
    """Whether the pointer can be read; that nothing is published yet is no fault."""
    try:
        published.latest(site.database)
    except (StoreUnavailable, StoreRefused) as error:
        return PlainTextResponse(f"{error}\n", 503)
    return PlainTextResponse("ready\n")
