"""Cursors: where the next page of a list begins, as a signed text that fits one tenant, one list and one snapshot.

Signed, because it comes back from outside and goes into a query; bound, because a position in one list means nothing
in another. The keys are those of the last item that was shown.
"""

from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from streams.config import Settings
from streams.web.problems import Problem


class Cursors:
    """Makes and reads cursors. Any process with the same secret reads them."""

    def __init__(self, settings: Settings) -> None:
        self._serializer = URLSafeSerializer(settings.secret.get_secret_value(), salt="synclogs.cursor")

    def make(self, snapshot: int, tenant: str, listing: list[str | None], after: list[Any]) -> str:
        """`listing` says which list it is, with all of its filters; `after` is the key of the last item shown."""
        return str(self._serializer.dumps([snapshot, tenant, listing, after]))

    def snapshot(self, cursor: str) -> int:
        """The snapshot that the cursor belongs to. Problem 400 for a text that is no cursor of ours."""
        return int(self._load(cursor)[0])

    def after(self, cursor: str | None, tenant: str, listing: list[str | None]) -> list[Any] | None:
        """The key to go on behind, None without a cursor. Problem 400 for a cursor of another list or tenant."""
        if not cursor:
            return None
        _, of_tenant, of_listing, after = self._load(cursor)
        if of_tenant != tenant or of_listing != listing:
            raise Problem(
                400, "Cursor of another list", "cursor was made for another list or filter: begin again without it."
            )
        assert isinstance(after, list)
        return after

    def _load(self, cursor: str) -> list[Any]:
        try:
            loaded = self._serializer.loads(cursor)
        except BadData:
            raise Problem(
                400, "Not a cursor", "cursor is not one that this list gave out: begin again without it."
            ) from None
        assert isinstance(loaded, list)
        return loaded
