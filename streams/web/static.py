"""The style sheet, the script and the icon: served from the package, under names that change with their content.

No other host is ever asked for anything, and a page works without the script.
"""

import hashlib
from functools import cache
from importlib.resources import files

from starlette.responses import Response

from streams.web.problems import Problem

_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def _content(name: str) -> bytes:
    return files("streams.web").joinpath("static", name).read_bytes()


@cache
def version() -> str:
    """Changes whenever a file does, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for name in sorted(_TYPES):
        digest.update(_content(name))
    return digest.hexdigest()[:12]


def asset(name: str) -> Response:
    """One of the files; the address carries the version as a parameter that nobody needs to read."""
    if name not in _TYPES:
        raise Problem(404, "Not found", f"There is no file {name!r}.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_content(name), headers=headers, media_type=_TYPES[name])
