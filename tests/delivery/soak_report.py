"""What the long run was and what became of it: one table for people, and the same as JSON for machines.

In go the run, its watchers and the tables as stored; nothing here judges, `test_soak` does.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.delivery.ledger import Ledger, Outcome
from tests.delivery.progress import Progress
from tests.delivery.resources import Growth, Resources
from tests.delivery.soak import Soak
from tests.delivery.stack import Stack

FILE = Path("build/soak.json")
SCHEDULE = Path("build/soak-schedule.txt")
SHOWN_LIVES = 12
ROLES = ("store", "count")
_TABLES = ("sync_records", "sync_marks", "dead_letters")
_PLACES = "SELECT count(), uniqExact(kafka_partition, kafka_offset) FROM {0} WHERE kafka_topic = {{topic:String}}"
_IDS = """SELECT toString(event_id) FROM sync_records WHERE kafka_topic = {topic:String}
    UNION ALL SELECT toString(event_id) FROM sync_marks WHERE kafka_topic = {topic:String}"""


def result(
    soak: Soak, stack: Stack, ledger: Ledger, progress: Progress, resources: Resources,
    takeovers: dict[str, float], problems: list[str], replay: str,
) -> dict[str, Any]:  # fmt: skip
    """Everything, by names. `lost` and `doubled` are counted anew from the tables, apart from the checkers."""
    topic = stack.settings.records_topic
    stored = {name: stack.sql(_PLACES.format(name), topic=topic)[0] for name in _TABLES}
    ids = {row[0] for row in stack.sql(_IDS, topic=topic)}
    outcomes = Counter(str(entry.outcome) for entry in ledger.entries)
    acknowledged = {entry.event_id for entry in ledger.having(Outcome.ACKNOWLEDGED, good=True)}
    session = stack.settings.session_seconds
    return {
        "seed": soak.plan.seed,
        "seconds": soak.plan.seconds,
        "replay": replay,
        "faults": {f"{kind}: {fault}": n for (kind, fault), n in sorted(soak.happened.items())},
        "faults_total": soak.happened.total(),
        "faults_that_met_nobody": soak.met_nobody,
        "deaths_and_freezes": soak.deaths,
        "outage_of_clickhouse_seconds": round(soak.outage_seconds),
        "rebalances_by_plan": dict(soak.rebalances),
        "assignments_given": {role: resources.assignments(role) for role in ROLES},
        "not_ended_in_grace": Counter(soak.not_in_time),
        "ended_by_themselves": Counter(
            f"{worker.name.split()[0]} with {code}"
            for worker in stack.workers
            for code in worker.exit_codes
            if code > 0
        ),
        "brokers_mended": soak.mended,
        "publications": dict(soak.publications),
        "messages": dict(outcomes),
        "producers_renewed": ledger.renewed,
        "stored": {name: rows for name, (rows, _) in stored.items()},
        "lost": len(acknowledged - ids),
        "doubled": sum(rows - places for rows, places in stored.values()),
        "calms": {role: len(soak.calms(role, progress)) for role in ROLES},
        "longest_pause_in_calm": {role: round(progress.longest(role, soak.calms(role, progress)), 1) for role in ROLES},
        "takeover_beyond_session": {role: round(seconds - session, 1) for role, seconds in takeovers.items()},
        "lives_watched": len(resources.growths()),
        "growth": [_growth(life) for life in _longest(resources.growths(soak.backlog))],
        "problems": problems,
    }


def _longest(growths: list[Growth]) -> list[Growth]:
    return sorted(growths, key=lambda life: -life.seconds)[:SHOWN_LIVES]


def _growth(life: Growth) -> dict[str, Any]:
    return {
        "process": life.name, "seconds": round(life.seconds), "megabytes": [round(m, 1) for m in life.megabytes],
        "megabytes_an_hour": round(life.megabytes_an_hour, 1), "handles": list(life.handles),
        "threads": list(life.threads),
    }  # fmt: skip


def write(found: dict[str, Any], soak: Soak) -> None:
    """The report and the schedule, into `build/`."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(found, indent=1) + "\n")
    SCHEDULE.write_text("\n".join(soak.plan.lines()) + "\n")


def show(found: dict[str, Any]) -> None:
    """The table."""
    print(f"\nmake soak, {found['seconds']:g} s, seed {found['seed']}; again with: {found['replay']}")
    for name, value in found.items():
        if name in ("seed", "seconds", "replay"):
            continue
        if name == "growth":
            for life in value:
                memory = " -> ".join(f"{one:7.1f}" for one in life["megabytes"])
                print(f"  {life['process']:14} {life['seconds']:5} s  {memory} MB "
                      f"({life['megabytes_an_hour']:+8.1f} MB/h)  handles "
                      f"{life['handles'][0]:g} -> {life['handles'][1]:g}  threads {life['threads'][0]:g} -> "
                      f"{life['threads'][1]:g}")  # fmt: skip
        elif isinstance(value, dict):
            print(f"{name}: " + ", ".join(f"{key} {one}" for key, one in value.items()))
        elif isinstance(value, list):
            print(f"{name}: {len(value)}")
            for one in value:
                print(f"  {one}")
        else:
            print(f"{name}: {value}")
    print(f"also in {FILE}; every step in {SCHEDULE}")
