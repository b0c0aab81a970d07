"""What is planted in a right world, and which checkers must see it: one defect a line of `DEFECTS`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from streams.kafka.partition import Position
from tests.delivery.checkers_signs import expires
from tests.delivery.ledger import Outcome, Sent
from tests.delivery.rightworld import (
    BOOKS,
    COUNT_METRICS,
    DAY,
    HOUR,
    NOW,
    PASSWORD,
    STORE_METRICS,
    A,
    B,
    D,
    E,
    right_entries,
    right_samples,
    right_snapshot,
    right_world,
)
from tests.delivery.sampler import Sample
from tests.delivery.views import File, Reach
from tests.delivery.world import World

RIGHT = right_world()
SNAPSHOT = right_snapshot()
S1, S3 = ("T1", BOOKS, "S1"), ("T1", BOOKS, "S3")


class Defect(NamedTuple):
    """`world`: what is planted. `caught` by exactly these checkers, of which one says `words`."""

    what: str
    world: World
    caught: set[str]
    words: str
    entries: Sequence[Sent] = right_entries()
    samples: Sequence[Sample] = right_samples()


def changed(**fields: Any) -> World:
    return replace(RIGHT, **fields)


def published(**fields: Any) -> World:
    return changed(snapshot=replace(SNAPSHOT, **fields))


def without(rows: Sequence[Any], *places: tuple[int, int]) -> list[Any]:
    return [row for row in rows if (row.partition, row.offset) not in places]


def altered(rows: Sequence[Any], partition: int, offset: int, **fields: Any) -> list[Any]:
    return [row._replace(**fields) if (row.partition, row.offset) == (partition, offset) else row for row in rows]


def live(number: int, **fields: Any) -> World:
    return changed(live=[row._replace(**fields) if n == number else row for n, row in enumerate(RIGHT.live)])


def sync(key: tuple[str, str, str], **fields: Any) -> World:
    return published(syncs=SNAPSHOT.syncs | {key: SNAPSHOT.syncs[key]._replace(**fields)})


def letter(**fields: Any) -> World:
    return changed(letters=[RIGHT.letters[0]._replace(**fields)])


def view(tenant: str, **fields: Any) -> World:
    return changed(views=RIGHT.views | {tenant: replace(RIGHT.views[tenant], **fields)})


def entry(number: int, **fields: Any) -> list[Sent]:
    return [one._replace(**fields) if n == number else one for n, one in enumerate(right_entries())]


def told(process: str, text: str, old: str, new: str) -> World:
    assert old in text
    return changed(metrics=RIGHT.metrics | {process: text.replace(old, new)})


ROW = RIGHT.rows[0]
LOST = changed(rows=without(RIGHT.rows, (0, 0)), final=without(RIGHT.final, (0, 0)))
COPY = without(RIGHT.final, (0, 1))
FOREIGN_ROW = ROW._replace(tenant="T2")
SOURCE = dict(RIGHT.letters[0].headers)
DEFECTS = [
    Defect("a lost row", LOST, {"complete", "latest_state", "live_counts"}, f"event {A} at [0]@0 is lost"),
    Defect("a lost mark", changed(marks=RIGHT.marks[1:]), {"complete"}, "[1]@0 is lost"),
    Defect("a lost event that is the last one of its kind in the log",
           changed(log=RIGHT.log | {0: RIGHT.log[0][1:]}, rows=without(RIGHT.rows, (0, 0)),
                   final=without(RIGHT.final, (0, 0)), live=RIGHT.live[1:], snapshot=None, views={}),
           {"complete"}, f"event {A} was acknowledged and is not stored"),
    Defect("both copies of a row lost",
           changed(rows=without(RIGHT.rows, (0, 1), (0, 4)), final=COPY),
           {"complete", "latest_state", "live_counts"}, f"event {B} at [0]@4 is lost"),
    Defect("a lost dead letter", changed(letters=[]), {"complete"}, "the bad message at [0]@2 has no dead letter"),
    Defect("a dead letter without its row", changed(dead_rows=[]), {"complete"}, "has no row in dead_letters"),
    Defect("an event both stored and dead-lettered",
           letter(headers=tuple((SOURCE | {"__connect.errors.offset": b"0"}).items())),
           {"complete", "letters_faithful"}, "[0]@0 is stored and dead-lettered"),
    Defect("a row of no message", changed(rows=[*RIGHT.rows, ROW._replace(offset=9)]),
           {"complete", "unique"}, "a row at [0]@9 stands for no event"),
    Defect("a refused event that is stored", RIGHT, {"complete"}, f"event {E} is stored and nobody sent it",
           entries=entry(7, outcome=Outcome.REFUSED)),
    Defect("a row that is there twice",
           changed(rows=[*RIGHT.rows, ROW]), {"unique"}, "[0]@0 is 2 times in sync_records"),
    Defect("a mark that is there twice", changed(marks=[*RIGHT.marks, RIGHT.marks[0]]), {"unique"}, "in sync_marks"),
    Defect("a dead letter that is there twice", changed(letters=RIGHT.letters * 2), {"complete", "unique"},
           "is 2 times in the dead-letters topic"),
    Defect("a row of dead_letters that is there twice", changed(dead_rows=RIGHT.dead_rows * 2), {"unique"},
           "is 2 times in dead_letters"),
    Defect("two rows of one event with FINAL", changed(final=[*RIGHT.final, RIGHT.rows[-1]]),
           {"unique", "latest_state", "live_counts"}, f"event {B} of sync S1 is 2 rows with FINAL"),
    Defect("an event that was sent once and is twice in the log", RIGHT, {"unique"},
           f"event {B} was sent 1 times and is 2 times in the log", entries=right_entries()[:4] + right_entries()[5:]),
    Defect("a wrong status", changed(rows=altered(RIGHT.rows, 1, 1, status="success")), {"rows_faithful"},
           "[1]@1 has status 'success', its message 'skipped'"),
    Defect("a failed row without a reason", changed(rows=altered(RIGHT.rows, 0, 5, reason="")),
           {"rows_faithful", "published"}, "[0]@5 is failed and has the reason ''"),
    Defect("a wrong time", changed(rows=altered(RIGHT.rows, 0, 3, occurred=HOUR)), {"rows_faithful"}, "has occurred"),
    Defect("a mark with another total", changed(marks=altered(RIGHT.marks, 1, 4, extra=("", "4"))), {"rows_faithful"},
           "its message ('', '3')"),
    Defect("a later copy in the place of the first",
           changed(rows=without(RIGHT.rows, (0, 1)), final=[*COPY, RIGHT.rows[-1]]),
           {"complete", "latest_state"}, f"event {B} arrived first at [0]@1, its row is of [0]@4"),
    Defect("a changed byte in a dead letter", letter(value=b'{"marker":"bad-1-0-", brokem'),
           {"complete", "letters_faithful"}, "another value"),
    Defect("a dead letter with another key", letter(key=None), {"complete", "letters_faithful"}, "another key"),
    Defect("a dead letter with another time", letter(timestamp=NOW), {"letters_faithful"}, "another timestamp"),
    Defect("a dead letter without the message's headers", letter(headers=RIGHT.letters[0].headers[1:]),
           {"letters_faithful"}, "another headers"),
    Defect("a dead letter in another partition", letter(partition=1), {"letters_faithful"}, "another partition"),
    Defect("a dead letter with another code than its row",
           changed(dead_rows=[RIGHT.dead_rows[0]._replace(code="too_deep")]),
           {"letters_faithful"}, "says invalid_json, its row in dead_letters too_deep"),
    Defect("an offset committed ahead of its rows", RIGHT, {"commit_safety"},
           "6 was committed for partition 0 while 1 messages from 5 on were not durable",
           samples=[Sample(0, 0, 6, frozenset(range(5)))]),
    Defect("an offset committed ahead of a dead letter", RIGHT, {"commit_safety"}, "1 messages from 2 on",
           samples=[Sample(0, 0, 3, frozenset({0, 1}))]),
    Defect("an offset that went back", RIGHT, {"commit_safety"}, "went back from 5 to 2",
           samples=[Sample(1, 5, 2, frozenset())]),
    Defect("an offset beyond the end", changed(store_positions=RIGHT.store_positions | {0: Position(8, "e0")}),
           {"commit_safety"}, "8 is committed for partition 0, which ends at 6"),
    Defect("a live count off by one", live(0, records=2), {"live_counts"}, "counts 2 success, 2 failed up to 6"),
    Defect("a copy that is not counted", live(1, records=1), {"live_counts"}, "counts 1 success, 1 failed up to 6"),
    Defect("a wrong window", live(2, hour=HOUR + 3_600_000), {"live_counts"}, "counts nothing"),
    Defect("an entry under another status", live(3, status="success"), {"live_counts"}, "the log has 1 skipped"),
    Defect("an entry of another tenant", live(2, tenant="T1"), {"live_counts"}, "counts 1 success"),
    Defect("an entry that stands at a position below its events",
           live(4, position=2), {"live_counts"}, "the log has nothing"),
    Defect("a late result that is counted",
           changed(live=[*RIGHT.live, RIGHT.live[1]._replace(hour=HOUR - 20 * DAY, sync="S3", records=1)]),
           {"live_counts"}, "the log has nothing"),
    Defect("a missing entry", changed(live=RIGHT.live[1:]), {"live_counts"}, "the log has 1 success, 2 failed"),
    Defect("a failure counted without a reason", live(1, reason=""), {"live_counts"}, "under the reason ''"),
    Defect("a position of the live counts beyond the end",
           changed(live_positions={0: 7, 1: 5}), {"live_counts"}, "says 7"),
    Defect("a published count off by one", sync(S1, total=4, succeeded=2), {"published", "one_snapshot"},
           "sync ('T1', 'books_to_fsm', 'S1') is published as"),
    Defect("a sync that is not published", published(syncs={k: v for k, v in SNAPSHOT.syncs.items() if k != S3}),
           {"published", "one_snapshot"}, "published as None"),
    Defect("a wrong outcome", sync(S3, outcome="completed"), {"published"}, "outcome='failed'"),
    Defect("a published day off by one", published(days=SNAPSHOT.days | {("T1", BOOKS, "2026-11-03"): (0, 2, 0)}),
           {"published"}, "day ('T1', 'books_to_fsm', '2026-11-03') is published as (0, 2, 0)"),
    Defect("totals of the pointer off by one", published(totals=(3, 4, 3, 1)), {"published"}, "the pointer says"),
    Defect("a failure published twice", published(failures=[*SNAPSHOT.failures, SNAPSHOT.failures[0]]),
           {"published", "one_snapshot"}, "[0]@1 is published 2 times"),
    Defect("a failure that is not published", published(failures=SNAPSHOT.failures[:1]), {"published", "one_snapshot"},
           "[0]@5 is not published"),
    Defect("a failure from beyond the cut",
           published(cuts={0: 5, 1: 5}), {"published"}, "at [0]@5 no failure is to be"),
    Defect("a failure published under another reason",
           published(failures=[SNAPSHOT.failures[0]._replace(reason="other"), SNAPSHOT.failures[1]]),
           {"published"}, "has the reason other, its row mandatory_field_empty"),
    Defect("a mix of snapshots", view("T1", snapshots={2, 3}), {"one_snapshot"}, "T1 sees snapshots [2, 3]"),
    Defect("a list with another number than the sync's own answer",
           view("T1", listed=RIGHT.views["T1"].listed | {(BOOKS, "S1"): (2, 0, 1, 1)}),
           {"one_snapshot"}, "T1 sees sync S1 as"),
    Defect("a file with a line too few", view("T1", files=RIGHT.views["T1"].files | {(BOOKS, "S1"): File(1, [])}),
           {"one_snapshot"}, "T1 sees 1 failures of sync S1"),
    Defect("a file that says another number than it has",
           view("T1", files=RIGHT.views["T1"].files | {(BOOKS, "S3"): File(2, [D])}),
           {"one_snapshot"}, "T1 sees 1 failures of sync S3"),
    Defect("a page before anything is published", changed(snapshot=None), {"one_snapshot"}, "nothing is published"),
    Defect("a foreign tenant's row",
           changed(rows=[FOREIGN_ROW, *RIGHT.rows[1:]], final=[FOREIGN_ROW, *RIGHT.final[1:]]),
           {"tenancy", "rows_faithful", "latest_state", "live_counts"}, "[0]@0 belongs to T1 and stands under T2"),
    Defect("a foreign tenant's published failure",
           published(failures=[SNAPSHOT.failures[0]._replace(tenant="T2"), SNAPSHOT.failures[1]]),
           {"tenancy", "published", "one_snapshot"}, "[0]@1 belongs to T1 and stands under T2"),
    Defect("a foreign tenant's line in a file",
           view("T2", files={(BOOKS, "S2"): File(1, [B])}), {"tenancy", "one_snapshot"}, "gives T2 1 rows of others"),
    Defect("a foreign sync that answers",
           changed(reaches=[Reach("T1", "T2", "/sync-logs/x/syncs/S2", 200)]), {"tenancy"},
           "T1 asked for /sync-logs/x/syncs/S2 of T2 and was answered 200"),
    Defect("a bad message under a tenant that it does not name",
           changed(dead_rows=[RIGHT.dead_rows[0]._replace(tenant="T7")]), {"tenancy"}, "stands under T7"),
    Defect("a lag of store", changed(store_positions=RIGHT.store_positions | {1: Position(3, "e1")}), {"liveness"},
           "store stands at 3 in partition 1"),
    Defect("a lag of count", changed(count_positions={0: Position(6), 1: None}), {"liveness"}, "count stands at None"),
    Defect("a run left announced", changed(store_positions=RIGHT.store_positions | {1: Position(5, "e1:7")}),
           {"liveness"}, "announced run: e1:7"),
    Defect("a process that is not ready",
           changed(ready={"web-1": "waits for Kafka\n"}), {"liveness"}, "waits for Kafka"),
    Defect("a metric of store that lost one",
           told("store-1", STORE_METRICS, '{worker="store"} 11', '{worker="store"} 12'),
           {"metric_identity"}, "store-1 consumed 12 messages and stored 11"),
    Defect("a metric of store with a row that was not settled",
           told("store-1", STORE_METRICS, '{table="sync_records"} 8', '{table="sync_records"} 9'),
           {"metric_identity"}, "store-1 consumed 11 messages and stored 12"),
    Defect("a metric of store with a dead letter that was not settled",
           told("store-1", STORE_METRICS, '{code="invalid_json"} 1', '{code="invalid_json"} 2'),
           {"metric_identity"}, "store-1 counts 2 dead letters and stored 1"),
    Defect("a metric of count that has too many", told("count-1", COUNT_METRICS, "late_total 1", "late_total 5"),
           {"metric_identity"}, "count-1 consumed 11 messages and counted 12"),
    Defect("a message's text in a log",
           changed(logs={"store-1": "a\nwhy: The mandatory field Last Name was left empty\n"}),
           {"secrets"}, "holds a text of a message in line 2"),
    Defect("a payload in a log", changed(logs={"web-1": "Acme Incorporated"}), {"secrets"}, "the log of web-1"),
    Defect("a bad message in a log",
           changed(logs={"store-1": "invalid: bad-1-0-"}), {"secrets"}, "a text of a message"),
    Defect("a password in a log",
           changed(logs={"store-1": f"user default:{PASSWORD}@host"}), {"secrets"}, "a password"),
    Defect("a row that should be gone", changed(now=expires(HOUR - 20 * DAY) + 2 * DAY), {"retention"},
           "[0]@5 should have been dropped 2 days ago"),
]  # fmt: skip
