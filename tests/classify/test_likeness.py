"""What words and their neighbours speak for: how often it is right about messages that were never learned, and when it
is silent."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from schemas.reasons import CATALOGUE, UNCLASSIFIED, CatalogueError
from streams.classify.decide import LIKENESS, explained, verdict_of
from streams.classify.likeness import FILE, LIKE, Likeness
from streams.classify.match import MATCHER, NOTHING, Verdict
from streams.classify.templates import template_of
from streams.classify.traits import traits_of, words_of
from tests.learn.labelled import labelled
from tests.learn.weights import digest, texts

HELD_OUT = [
    line.split("\t", 1)
    for line in Path(__file__).with_name("held_out.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
"""Reason and message, written by others than those that are learned from."""
WEIGHTS = FILE.read_text(encoding="utf-8")
UNKNOWN = """
The gearbox of job 12 made a strange noise
Something unexpected came up, our team looks into it
Step 7 of 9 ended with result code 3
Tuesday's run was stopped by hand
See attached log for the stack trace
Rückgabewert 17
Unbekannter Fehler im Modul XK
Une erreur est survenue lors du traitement
Se produjo un error inesperado
Si è verificato un errore imprevisto
Ocorreu um erro inesperado
Er is een onbekende fout opgetreden
エラーが発生しました
未知错误
알 수 없는 오류
Traceback (most recent call last): File "job.py", line 12, in run
ZeroDivisionError: division by zero
TypeError: unsupported operand type(s) for +: 'int' and 'str'
{"ok":false,"trace":"9f2c"}
<error/>
qwertz uiop asdfgh
The run was cancelled, nobody knows by whom
Result: negative
Nicht erfolgreich
Bitte wenden Sie sich an den Kundendienst
Contactez le service client
Consulte el registro para más detalles
Vedere il registro
Zie het logboek voor meer informatie
予期しないエラー
请联系客服
자세한 내용은 로그를 참조하십시오
Internal failure, reference 8F-22
(no text)
undefined
[object Object]
The customer called twice and then hung up
Invoice INV-12 was looked at
All went well until the last part
Failure in component frobnicator
""".strip().split("\n")


def never_asked(code: str, template: str) -> Verdict:
    raise AssertionError("nothing was in doubt")


def told_by(rule: Verdict, code: str, template: str) -> Verdict:
    return rule


def silent(code: str, template: str) -> Verdict:
    return NOTHING


def test_of_messages_never_learned_95_of_100_are_right_85_of_each_reason_and_90_of_the_unknown() -> None:
    seen = Counter(reason for reason, _ in HELD_OUT)
    right = Counter(reason for reason, message in HELD_OUT if verdict_of("", message).reason == reason)
    assert right.total() >= 0.95 * seen.total()
    assert right[UNCLASSIFIED] >= 0.9 * seen[UNCLASSIFIED]
    assert {reason: f"{right[reason]} of {n}" for reason, n in seen.items() if right[reason] < 0.85 * n} == {}


def test_what_is_held_out_was_not_learned() -> None:
    learned = {one.message.lower() for one in labelled(CATALOGUE)}
    assert [message for _, message in HELD_OUT if message.lower() in learned] == []


def test_the_weights_are_those_of_the_present_messages_and_examples() -> None:
    assert digest(texts()) in WEIGHTS, "messages, examples or the mask have changed: run `make learn`"


def test_nine_of_ten_messages_that_nobody_can_know_stay_unclassified() -> None:
    guessed = [(message, said.reason) for message in UNKNOWN if (said := verdict_of("", message)).by == LIKE]
    assert len(guessed) <= 0.1 * len(UNKNOWN), guessed


@pytest.mark.parametrize("template", ["", "|", "| |", "zzyzx", "passwords expired"])
def test_where_little_is_known_the_rules_are_asked_alone(template: str) -> None:
    ruled = Verdict("rate_limited", "pattern of somebody")
    assert LIKENESS.verdict("", template, partial(told_by, ruled)) == ruled
    assert LIKENESS.verdict("", template, silent) == NOTHING


def test_where_nothing_is_in_doubt_no_pattern_is_looked_for() -> None:
    template = template_of("Contact with this email-id is already associated with this company")
    assert LIKENESS.verdict("", template, never_asked) == Verdict("duplicate_record", LIKE)


def test_in_doubt_a_pattern_tips_the_scale_and_one_that_agrees_is_named() -> None:
    doubtful = 0
    for _, message in HELD_OUT:
        template = template_of(message)
        alone = LIKENESS.verdict("", template, silent)
        asked = [Verdict(reason.code, f"pattern {reason.code}") for reason in CATALOGUE.reasons]
        told = {rule.reason: LIKENESS.verdict("", template, partial(told_by, rule)) for rule in asked}
        heard = {reason: said for reason, said in told.items() if said.by == f"pattern {reason}"}
        assert all(said in (alone, *asked) for said in told.values())
        doubtful += len(heard) > 1
    assert 0.01 * len(HELD_OUT) < doubtful < 0.5 * len(HELD_OUT)


def test_the_words_that_spoke_are_told_and_are_of_the_message() -> None:
    message = "Somebody has to pay more each month before crews may see maps, that is for the bigger bundles"
    assert MATCHER.words("", template_of(message)) == NOTHING
    said = explained("", message)
    assert said.reason == "plan_limit_reached"
    loud = said.by.removeprefix(f"{LIKE}: ").split(", ")
    assert len(loud) == 3
    assert all(word in words_of("", template_of(message)) for word in loud)
    assert "pay" in loud


def test_a_pattern_that_agrees_is_told_instead_of_words() -> None:
    message = "Contact with this email-id is already associated with this company"
    assert verdict_of("", message) == Verdict("duplicate_record", LIKE)
    assert explained("", message) == MATCHER.words("", template_of(message))


def test_neighbours_speak_too() -> None:
    stems, pairs = traits_of("", "the value is not available")
    assert list(stems) == [b"|", b"the", b"value", b"is", b"not", b"availa"]
    assert {(b"|", b"the"), (b"is", b"not"), (b"availa", b"|")} <= set(pairs)
    assert {"値".encode(), "あ".encode(), "り".encode()} <= set(traits_of("", "値がありません")[0])
    assert list(traits_of("", "ungültig")[0]) == list(traits_of("", "ungultig")[0])


def test_a_code_apart_speaks_by_its_words() -> None:
    message = template_of("zwyx fnord 17")
    assert LIKENESS.verdict("", message, silent) == NOTHING
    code = "PasswordExpiredCredentialsInvalid"
    assert MATCHER.code(code, message) == NOTHING
    assert LIKENESS.verdict(code, message, silent).reason == "authentication_failed"


def test_no_text_can_carry_a_sum_into_the_next_reason() -> None:
    numbers = [list(map(int, line.split("\t")[1:])) for line in WEIGHTS.splitlines()[4:]]
    largest = max(max(map(abs, one)) for one in numbers)
    assert 2 * 400 * largest < 1 << 31
    everything = " ".join(stem.decode(errors="ignore") for stem in list(LIKENESS._stems)[:5000])
    assert LIKENESS.verdict("", everything, silent).reason in CATALOGUE.by_code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its reasons are not those of reasons.toml"),
        (WEIGHTS.replace("\trate_limited", "\tlimited"), "its reasons are not those of reasons.toml"),
        (WEIGHTS + "broken\t1\t2\n", "'broken' lacks a reason's weight"),
    ],
    ids=["empty", "reasons", "line"],
)
def test_weights_of_another_catalogue_are_refused(text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        Likeness(text, CATALOGUE)
