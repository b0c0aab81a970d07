"""The end of `dev --once`: the comparison of page, CSV, API and SQL for every tenant, and its summary."""

from collections.abc import Sequence

from rich.table import Table

from streams.clickhouse.client import Database
from streams.devstack.compare import compare
from streams.devstack.parts import Parts
from streams.devstack.screen import Screen

SHOWN = 20
KINDS = {
    "offsets": "Kafka's offsets = rows + marks + dead letters, each once, without FINAL",
    "live": "live counts = recount from the rows, entry by entry",
    "syncs": "syncs of each tenant and direction: API = SQL",
    "numbers": "total, succeeded, failed, skipped of each sync: API = SQL",
    "reasons": "failures of each reason and period: API = SQL",
    "pages": "a sync's page = its failures by reason = SQL",
    "files": "each linked count = rows of its CSV = its header",
}


async def compare_all(parts: Parts, tenants: Sequence[str], screen: Screen) -> int:
    """0 if everything is the same, else 1 with the differences on the screen."""
    database = Database(parts.settings)
    tokens = {tenant: parts.token_of(tenant) for tenant in tenants}
    with screen.progress("comparing tenants", len(tokens)) as advance:
        found = await compare(database, parts.web, tokens, lambda done, of: advance(1))
    reconciled = database.value("SELECT reconciliation FROM snapshots ORDER BY number DESC LIMIT 1")
    found.same("live", "reconciliation of the live counts", found=reconciled, wanted="exact")
    table = Table("compared", "how many")
    for kind, what in KINDS.items():
        table.add_row(what, f"{found.compared[kind]:,}")
    screen.console.print(table)
    for difference in found.differences[:SHOWN]:
        screen.say(f"DIFFERENT {difference}")
    if (more := len(found.differences) - SHOWN) > 0:
        screen.say(f"and {more} more differences")
    screen.say("everything agrees" if not found.differences else f"{len(found.differences)} differences")
    return 1 if found.differences else 0
