"""Unknown failures on the command line: the templates of what was not recognised, and a draft of a rule for one."""

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams import clock, config, logs
from streams.cli.progress import bar
from streams.errors import UsageError

if TYPE_CHECKING:  # compiling the catalogue would slow down every other command
    from schemas.reasons import Reason
    from streams.classify.grouping import Group, Grouping, Key
    from streams.clickhouse.queries.unknown import Counts

_STEP = 2_000
_LONGEST_SAMPLE = 300

_SINCE = click.option("--since", default="26w", show_default=True, metavar="DATE|26w",
                      help="Failures since a date, or of so many weeks (w) or days (d).")  # fmt: skip
_TENANT = click.option("--tenant", default="", help="Of this tenant only.")


@dataclass
class Found:
    """What was read: the groups, and the errors that the present catalogue recognises though their row does not."""

    since: str
    tenant: str
    counts: "Counts"
    grouping: "Grouping"
    recognised: int = 0


@click.command(short_help="Templates of failures that were not recognised.")
@_SINCE
@_TENANT
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Most templates to print.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def unknown(since: str, tenant: str, limit: int, as_json: bool) -> None:
    """Group the errors that were not recognised by their template, the most frequent first.

    A record counts once, under the first of its errors that was not recognised; errors are all of them.
    """
    found = _read(since, tenant)
    groups = found.grouping.ranked()
    if as_json:
        click.echo(json.dumps(_object(found, groups, limit), ensure_ascii=False, indent=2))
        return
    for line in _heading(found):
        click.echo(line)
    for number, group in enumerate(groups[:limit], 1):
        click.echo("\n".join(_block(number, group)))
    if len(groups) > limit:
        records = sum(group.records for group in groups[limit:])
        click.echo(f"\nand {len(groups) - limit:,} templates more, of {records:,} records: --limit shows them")
    if groups:
        click.echo("\n`synclogs reasons draft NUMBER` drafts a rule for one of them")


@click.command(short_help="Draft a rule for a template, to be reviewed.")
@click.argument("template")
@_SINCE
@_TENANT
@click.option("--reason", metavar="CODE", help="The reason of the rule, instead of a guess.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A new file, instead of printing.")
def draft(template: str, since: str, tenant: str, reason: str | None, output: Path | None) -> None:
    """Write a rule for TEMPLATE: its number or its text, as `synclogs reasons unknown` with the same options shows it.

    The rule is TOML in the form of schemas/reasons.toml, for a person to review. Its pattern decides all the samples
    and none of the catalogue's examples of other reasons. The reason is a guess by the nearest words, or --reason.
    """
    from streams.classify.draft import DraftRefused, as_toml
    from streams.classify.draft import draft as drafted

    if output is not None and output.exists():
        raise UsageError(f"{output} is there already: name another file, or remove it")
    if reason is not None:
        known(reason)
    group = _asked(template, since, tenant)
    try:
        made = drafted(group.key, group.samples, reason or "")
    except DraftRefused as error:
        raise UsageError(f"no rule for {_printable(group.key.text)!r}: {error}") from None
    text = as_toml(made, group, f"{_day(group.first_ms)} to {_day(group.last_ms)}")
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"can't write {output}: {error.strerror}") from None
    click.echo(f"written to {output}; {'the reason is a guess, ' * (reason is None)}review it")


def known(code: str) -> "Reason":
    """The reason of that code. UsageError that names the nearest ones."""
    from schemas.reasons import CATALOGUE

    if code in CATALOGUE.by_code:
        return CATALOGUE.by_code[code]
    near = difflib.get_close_matches(code, CATALOGUE.by_code, n=3) or list(CATALOGUE.by_code)
    raise UsageError(f"there is no reason {code!r}; there is {', '.join(near)} (`synclogs reasons list`)")


def _asked(template: str, since: str, tenant: str) -> "Group":
    from streams.classify.grouping import asked_for

    if template.isdecimal():
        groups = _read(since, tenant).grouping.ranked()
        if not 0 < int(template) <= len(groups):
            raise UsageError(f"template {template} is not there: `synclogs reasons unknown` has 1 to {len(groups)}")
        return groups[int(template) - 1]
    groups = _read(since, tenant, asked_for(template)).grouping.ranked()
    if not groups:
        raise UsageError(
            f"no unrecognised failure since {since} has the template {_printable(template)!r}: copy one that "
            "`synclogs reasons unknown` shows, or give its number"
        )
    return groups[0]


def _read(since: str, tenant: str, wanted: "Callable[[Key], bool] | None" = None) -> Found:
    """Reads stored history, with a progress bar. Rules that came after an error was stored have their say here."""
    from schemas.reasons import UNCLASSIFIED
    from streams.classify.decide import reason_of
    from streams.classify.grouping import Grouping
    from streams.clickhouse.client import Database
    from streams.clickhouse.queries.unknown import History

    begin = clock.begin_of(since, clock.now())
    settings = config.load()
    logs.configure("critical")
    history = History(Database(settings), clock.to_ms(begin), tenant)
    found = Found(clock.rfc3339(begin), tenant, history.counts(), Grouping())
    add, of_group = found.grouping.add, found.grouping.key
    with bar() as shown:
        task = shown.add_task("reading", total=found.counts.unknown)
        for read, record in enumerate(history.stream(), 1):
            first = 1
            for code, message in record.errors:
                if reason_of(record.direction, code, message) != UNCLASSIFIED:
                    found.recognised += 1
                elif wanted is None or wanted(of_group(code, message)):
                    add(code, message, record.occurred_ms, record.occurred_ms, first, 1, record.place)
                    first = 0
            if read % _STEP == 0:
                shown.advance(task, _STEP)
        shown.update(task, completed=found.counts.unknown)
    return found


def _heading(found: Found) -> list[str]:
    counts, grouping = found.counts, found.grouping
    share = 100 * counts.unknown / counts.failed if counts.failed else 0
    of = f" of tenant {_printable(found.tenant)}" if found.tenant else ""
    lines = [
        f"{counts.failed:,} failed records{of} since {found.since[:10]}; {counts.unknown:,} of them ({share:.1f} %) "
        f"have errors that were not recognised, {counts.unclassified:,} count as unclassified."
    ]
    if found.recognised:
        lines.append(
            f"{found.recognised:,} of these errors the present catalogue does recognise, and they are left out: "
            "`synclogs reclassify` brings their records under their reasons."
        )
    if grouping.rare_errors:
        lines.append(
            f"{grouping.rare_errors:,} errors ({grouping.rare_records:,} records) of rare templates were given up for "
            f"want of room; what is shown may be too low by up to {grouping.doubt:,} errors a template."
        )
    return lines


def _block(number: int, group: "Group") -> list[str]:
    counted = {"records": group.records, "errors": group.errors, "tenants": group.tenants, "syncs": group.syncs}
    facts = ", ".join(f"{count:,} {name if count != 1 else name[:-1]}" for name, count in counted.items())
    samples = [_printable(sample) for sample in group.samples if sample]
    cut = [s if len(s) <= _LONGEST_SAMPLE else f"{s[:_LONGEST_SAMPLE]}…" for s in samples]
    return [
        f"\n{number:>3}  {_printable(group.key.text) or '(no message)'}",
        f"     {facts}, {_day(group.first_ms)} to {_day(group.last_ms)}",
        *(f"     - {sample}" for sample in cut),
    ]


def _object(found: Found, groups: "list[Group]", limit: int) -> dict[str, Any]:
    counts, grouping = found.counts, found.grouping
    return {
        "since": found.since,
        "tenant": found.tenant or None,
        "failed_records": counts.failed,
        "unrecognised_records": counts.unknown,
        "unclassified_records": counts.unclassified,
        "recognised_now_errors": found.recognised,
        "grouped_records": grouping.records,
        "grouped_errors": grouping.errors,
        "given_up": {"records": grouping.rare_records, "errors": grouping.rare_errors, "doubt": grouping.doubt},
        "templates_total": len(groups),
        "templates": [_item(number, group) for number, group in enumerate(groups[:limit], 1)],
    }


def _item(number: int, group: "Group") -> dict[str, Any]:
    return {
        "number": number,
        "code": group.key.code,
        "template": group.key.template,
        "records": group.records,
        "errors": group.errors,
        "tenants": group.tenants,
        "syncs": group.syncs,
        "first_seen": clock.rfc3339(clock.from_ms(group.first_ms)),
        "last_seen": clock.rfc3339(clock.from_ms(group.last_ms)),
        "samples": group.samples,
    }


def _day(ms: int) -> str:
    return f"{clock.from_ms(ms):%Y-%m-%d}"


def _printable(text: str) -> str:
    from streams.classify.grouping import printable

    return printable(text)
