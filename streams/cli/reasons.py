"""The catalogue on the command line: what reasons there are, what one is, and which reason messages have."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from schemas.directions import CODES
from streams.cli import unknown

if TYPE_CHECKING:
    from schemas.reasons import Example, Reason

_BLOCK = 1 << 20
_MOST_SHOWN = 20
_LONGEST_DIRECTION = 64


@click.group()
def reasons() -> None:
    """The catalogue of failure reasons, and the failures that it does not know."""


@reasons.command("list", short_help="Every reason: title, who fixes it, retry.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list, with meaning and remedy.")
def list_reasons(as_json: bool) -> None:
    """Every reason in the catalogue's order: a record with several errors counts under the one that stands first."""
    from schemas.reasons import CATALOGUE

    if as_json:
        click.echo(json.dumps([_item(reason) for reason in CATALOGUE.reasons], ensure_ascii=False, indent=2))
        return
    rows = [("CODE", "TITLE", "WHO FIXES IT", "DOES A RETRY HELP?")]
    rows += [(reason.code, reason.title, reason.owner, reason.retry) for reason in CATALOGUE.reasons]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@reasons.command("show", short_help="One reason: meaning, remedy, rules, examples.")
@click.argument("code")
def show(code: str) -> None:
    """What the reason CODE means, who fixes it and how, by which rules it is recognised, and examples."""
    reason = unknown.known(code)
    click.echo(f"{reason.code}: {reason.title}\n\n{reason.meaning}\n")
    for name, text in (("Who fixes it", reason.owner), ("How", reason.remedy), ("Does a retry help?", reason.retry)):
        click.echo(f"{name + ':':20}{text}")
    listed = {
        "Codes": reason.codes,
        "Numbers": reason.numbers,
        "Patterns, by priority": [
            f"{p.priority:>3}  {p.match}" for p in sorted(reason.patterns, key=lambda pattern: pattern.priority)
        ],
        "Has this reason": [_example(example) for example in reason.positive],
        "Has another one": [_example(example) for example in reason.negative],
    }
    for name, texts in listed.items():
        if texts:
            click.echo(f"\n{name}:")
            click.echo("\n".join(f"  {text}" for text in texts))


@reasons.command("classify", short_help="Read messages, print a reason a line.")
@click.argument("messages", nargs=-1, metavar="[MESSAGE]...")
@click.option("--explain", is_flag=True, help="A JSON object a line: the reason, and what spoke for it.")
def classify_lines(messages: tuple[str, ...], explain: bool) -> None:
    """Read messages, one a line, or direction<TAB>message; print a reason's code a line.

    A MESSAGE that is given is classified instead of what stands on standard input. A line whose direction is
    none is named on standard error and answered by an empty line; the exit code is 2 then.
    """
    answer: Callable[[str], str] = _explained if explain else _reason_of()
    number = wrong = 0
    for lines in [_texts(messages)] if messages else _blocks(click.get_binary_stream("stdin")):
        answers = []
        for line in lines:
            number += 1
            direction, tab, message = line.partition("\t")
            if not tab or _is_text(direction):
                answers.append(answer(line))
            elif direction in CODES:
                answers.append(answer(message))
            else:
                wrong += 1
                answers.append("")
                _name(number, direction, wrong)
        click.echo("\n".join(answers))
    if wrong > _MOST_SHOWN:
        click.echo(f"and {wrong - _MOST_SHOWN} lines more whose direction is none", err=True)
    sys.exit(2 if wrong else 0)


def _texts(arguments: Sequence[str]) -> list[str]:
    """Of any bytes, as those of a line are read."""
    return [os.fsencode(one).decode("utf-8", "replace") for one in arguments]


def _blocks(source: BinaryIO) -> Iterator[list[str]]:
    """The lines that came, as soon as they came: many of a file, one of a person who types."""
    parts: list[bytes] = []
    # read1 gives what there is; read would wait for the whole block.
    while block := source.read1(_BLOCK):  # type: ignore[attr-defined]
        lines, end, begun = block.rpartition(b"\n")
        if not end:
            parts.append(block)
            continue
        text = b"".join((*parts, lines)).decode("utf-8", "replace")
        parts = [begun] if begun else []
        yield text.replace("\r\n", "\n").removesuffix("\r").split("\n")
    if parts:
        yield [b"".join(parts).decode("utf-8", "replace")]


def _is_text(before_tab: str) -> bool:
    """A message may hold tabs itself: what stands before the first is a direction only if it could be one."""
    return not before_tab or len(before_tab) > _LONGEST_DIRECTION or len(before_tab.split()) != 1


def _name(number: int, direction: str, wrong: int) -> None:
    if wrong <= _MOST_SHOWN:
        known = ", ".join(sorted(CODES))
        click.echo(f"line {number}: direction is {direction!r}: write {known}, or the message alone", err=True)


def _reason_of() -> Callable[[str], str]:
    from streams.classify import classify

    return lambda message: classify("", (("", message, ""),)).reason


def _explained(message: str) -> str:
    from streams.classify.decide import explained
    from streams.classify.templates import template_of

    verdict = explained("", message)
    found = {"reason": verdict.reason, "by": verdict.by, "template": template_of(message)}
    return json.dumps(found, ensure_ascii=False)


def _item(reason: "Reason") -> dict[str, Any]:
    names = ("code", "title", "meaning", "owner", "remedy", "retry", "retryable")
    return {name: getattr(reason, name) for name in names}


def _example(example: "Example") -> str:
    return f"{example.code} :: {example.message}" if example.code else example.message


reasons.add_command(unknown.unknown)
reasons.add_command(unknown.draft)
COMMANDS = (reasons,)
