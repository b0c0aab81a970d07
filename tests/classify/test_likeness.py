"""What words and their neighbours speak for: how often it is right about messages that were never learned, and when it
is silent."""

from collections import Counter
from functools import partial
from hashlib import sha256
from itertools import pairwise
from math import sqrt
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.reasons import CATALOGUE, UNCLASSIFIED, CatalogueError
from streams.classify.decide import explained, likeness, verdict_of
from streams.classify.likeness import FILE, LIKE, UNIT, Likeness
from streams.classify.match import MATCHER, NOTHING, Verdict
from streams.classify.templates import template_of
from streams.classify.traits import MOST_WORDS, STEM, words_of
from tests.learn.weights import digest, texts, traits_of

HELD_OUT = [
    line.split("\t", 1)
    for line in Path(__file__).with_name("held_out.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
"""Reason and message, written by others than those that are learned from."""
WEIGHTS = FILE.read_text(encoding="utf-8")
VERSION = 8
WEIGHTS_OF = "73edbc834a047a7ee9090b7a907d0c7a571109ef9616acbc8697b1d0aa6fa98f"
UNKNOWN = """
The gearbox of job 12 made a strange noise
Something unexpected came up, our team looks into it
Step 7 of 9 ended with result code 3
Tuesday's run was stopped by hand
See attached log for the stack trace
Unbekannter Fehler im Modul XK
Une erreur est survenue lors du traitement
Se produjo un error inesperado
Si è verificato un errore imprevisto
Er is een onbekende fout opgetreden
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
(no text)
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
    learned = {template for _, _, template in texts()}
    asked = [*UNKNOWN, *(message for _, message in HELD_OUT)]
    assert [message for message in asked if template_of(message) in learned] == []


def test_the_weights_are_those_of_the_present_messages_and_examples() -> None:
    assert digest(texts()) in WEIGHTS, "messages, examples, mask, traits or learning have changed: run `make learn`"
    stems, after = likeness()._stems, {id(one): one for one in likeness()._after}
    lines = sum("\t" in line for line in WEIGHTS.splitlines()) - 2
    assert len(stems) + sum(map(len, after.values())) == lines, "a line was passed over"


def test_other_weights_need_another_catalogue_version() -> None:
    assert sha256(FILE.read_bytes()).hexdigest() == WEIGHTS_OF, (
        "raise the version in reasons.toml, then write both here"
    )
    assert CATALOGUE.version == VERSION


def test_nine_of_ten_messages_that_nobody_can_know_stay_unclassified() -> None:
    said = {message: verdict_of("", message) for message in UNKNOWN}
    guessed = {message: verdict for message, verdict in said.items() if verdict.reason != UNCLASSIFIED}
    assert len(guessed) <= 0.1 * len(UNKNOWN), guessed


@pytest.mark.parametrize("template", ["", "|", "| |", "zzyzx", "passwords expired"])
def test_where_little_is_known_the_rules_are_asked_alone(template: str) -> None:
    ruled = Verdict("rate_limited", "pattern of somebody")
    assert likeness().verdict("", template, partial(told_by, ruled)) == ruled
    assert likeness().verdict("", template, silent) == NOTHING


def test_where_nothing_is_in_doubt_no_pattern_is_looked_for() -> None:
    template = template_of("Contact with this email-id is already associated with this company")
    assert likeness().verdict("", template, never_asked) == Verdict("duplicate_record", LIKE)


def test_in_doubt_a_pattern_tips_the_scale_and_one_that_agrees_is_named() -> None:
    doubtful = 0
    for _, message in HELD_OUT:
        template = template_of(message)
        alone = likeness().verdict("", template, silent)
        asked = [Verdict(reason.code, f"pattern {reason.code}") for reason in CATALOGUE.reasons]
        told = {rule.reason: likeness().verdict("", template, partial(told_by, rule)) for rule in asked}
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
    stems = {"|", "the", "value", "is", "not", "availa"}
    assert {*traits_of("", "the value is not available")} == stems | {
        "| the", "the value", "value is", "is not", "not availa", "availa |",
    }  # fmt: skip
    assert {"値", "あ", "り", "値 が"} <= {*traits_of("", "値がありません")}
    assert traits_of("", "ungültig") == traits_of("", "ungultig")


def test_a_word_of_a_known_stem_speaks_as_the_stem_does_also_after_very_many_other_words() -> None:
    before = likeness().verdict("", "passwords expirations for integrational users", silent)
    for number in range(50_000):
        likeness().verdict("", f"zq{number:08}", silent)
    assert likeness().verdict("", "passwords expirations for integrational users", silent) == before != NOTHING


HEAD, NONE, *LINES = (line.split("\t") for line in WEIGHTS.splitlines()[2:])
NUMBERS = {trait: [*map(int, numbers)] for trait, *numbers in LINES}
STEMS = [trait for trait in NUMBERS if " " not in trait]
PAIRS = [*(pair for pair in NUMBERS if " " in pair)][::1500] + [*(pair for pair in NUMBERS if "| " in pair)][::300]
"""Few enough that most draws have some of them twice."""


def added_up(code: str, template: str) -> str:
    """The reason by the lines of the file, one weight after the other."""
    traits = [trait for trait in traits_of(code, template) if trait in NUMBERS]
    unseen = sum(word[:STEM] not in NUMBERS for word in words_of(code, template))
    if sum(" " not in trait for trait in traits) < 4:
        return UNCLASSIFIED
    strange, *added = map(int, NONE[1:])
    square, *sums = map(sum, zip(*(NUMBERS[trait] for trait in traits), strict=True))
    length = int(sqrt((square + unseen * strange) / UNIT) * 8) / 8
    totals = [one + round(length * weight) for one, weight in zip(sums, added, strict=True)]
    return HEAD[2:][totals.index(max(totals))]


def test_the_reason_is_that_of_the_largest_sum_of_what_the_file_says() -> None:
    for template in [template_of(message) for _, message in HELD_OUT]:
        assert likeness().verdict("", template, silent).reason == added_up("", template), template


@given(
    st.lists(st.sampled_from([*"|#値", "the", "is", "not", "zqzq", "zyx"]) | st.sampled_from(STEMS), max_size=12),
    st.sampled_from(["", "NotAllowed", "zqzq", "| |", "the"]),
)
def test_it_is_so_with_words_that_come_again_or_that_nobody_knows_and_with_codes(words: list[str], code: str) -> None:
    template = " ".join(words)
    assert likeness().verdict(code, template, silent).reason == added_up(code, template)


@given(st.lists(st.sampled_from(PAIRS), min_size=2, max_size=10))
def test_stems_and_pairs_that_come_again_are_taken_off_exactly(drawn: list[str]) -> None:
    model = likeness()
    places = [*map(model._places.__getitem__, " ".join(drawn).split()), model._bar]
    assume(len({*places}) >= 4)  # others are not judged
    alone, pairs = model._weights, list(pairwise([model._bar, *places]))

    def said(pair: tuple[int, int]) -> int:
        return model._after[pair[0]].get(pair[1], alone[pair[1]])

    once = sum(alone[place] for place in {*places}) + sum(said(pair) - alone[pair[1]] for pair in {*pairs})
    assert sum(map(said, pairs)) - model._said_again(places) == once


def test_a_code_apart_speaks_by_its_words() -> None:
    message = template_of("zwyx fnord 17")
    assert likeness().verdict("", message, silent) == NOTHING
    code = "PasswordExpiredCredentialsInvalid"
    assert MATCHER.code(code, message) == NOTHING
    assert likeness().verdict(code, message, silent).reason == "authentication_failed"


@pytest.mark.parametrize("bias", [-32768, 32767])
def test_no_text_can_carry_a_sum_into_the_next_reason(bias: int) -> None:
    """The text of the most words, each and each pair as heavy as can be for one reason and against all others."""
    others = len(CATALOGUE.reasons) - 1
    first = "\t".join(["32767", *others * ["-32768"]])
    last = "\t".join(["32767", *others * ["-32768"], "32767"]).removeprefix("32767\t")
    words = [f"w{number}" for number in range(MOST_WORDS)]
    traits = ["|", *words, *map(" ".join, pairwise(["|", *words, "|"]))]
    head = "\t".join(["trait", "square", *(reason.code for reason in CATALOGUE.reasons)])
    none = "\t".join(["", "65535", *(others + 1) * [str(bias)]])
    for heaviest, reason in ((first, CATALOGUE.reasons[0].code), (last, CATALOGUE.reasons[-1].code)):
        model = Likeness("\n".join([head, none, *(f"{trait}\t65535\t{heaviest}" for trait in traits)]), CATALOGUE)
        for text in (" ".join(words), " ".join(words[1:]) + " |", " ".join(words[2:]) + " | |"):
            assert model.verdict("", text, never_asked).reason == reason


def test_what_is_kept_of_words_stays_small() -> None:
    model = Likeness(WEIGHTS, CATALOGUE)
    chance = Random(1)
    for number in range(6_000):
        words = chance.sample(STEMS, 12)
        model.verdict("", " ".join([*words, f"zq{number}", f"{words[0]}{number}"]), silent)
    assert 0 < len(model._places) <= 20_000


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_a_text_is_parted_alike_with_and_without_a_letter_beyond_ascii(text: str) -> None:
    assert words_of("", f"{text} 値") == [*words_of("", text), "値"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its reasons are not those of reasons.toml"),
        (WEIGHTS.replace("\trate_limited", "\tlimited"), "its reasons are not those of reasons.toml"),
        (WEIGHTS + "broken\t1\t2\n", "'broken' lacks its square or a reason's weight"),
        (WEIGHTS + "broken" + 19 * "\t1x" + "\n", "'broken' lacks its square or a reason's weight"),
        (WEIGHTS + "broken" + 19 * "\t32768" + "\n", "'broken' lacks its square or a reason's weight"),
        (WEIGHTS + "broken" + 19 * "\t-1" + "\n", "'broken' lacks its square or a reason's weight"),
        (WEIGHTS + "not not not" + 19 * "\t1" + "\n", "the stem 'not not' has no line"),
        (WEIGHTS + "not zqzq" + 19 * "\t1" + "\n", "the stem 'zqzq' has no line"),
        ("\n".join(line for line in WEIGHTS.splitlines() if "|" not in line), "the stem '|' has no line"),
    ],
    ids=["empty", "reasons", "line", "no number", "too large", "negative square", "three words", "no stems", "no bar"],
)
def test_weights_of_another_catalogue_are_refused(text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        Likeness(text, CATALOGUE)
