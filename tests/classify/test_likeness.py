"""Messages that no rule knows: how often likeness is right about texts it has not learned, and what it leaves alone."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from schemas.errors import LABELLED
from schemas.reasons import CATALOGUE, UNCLASSIFIED
from streams.classify.decide import LIKENESS, template_of, verdict_of
from streams.classify.likeness import Likeness
from streams.classify.mask import words
from streams.classify.match import MATCHER, NOTHING

TEXTS = [(one.reason, "", template_of(one.message)) for one in LABELLED]
PARTS = 5
COSTS = """
import hashlib
from streams.classify.decide import LIKENESS
print(hashlib.sha256(repr((LIKENESS._before, LIKENESS._costs)).encode()).hexdigest())
"""
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


def shares() -> Counter[str]:
    """What is said of each fifth of the labelled messages after the other four were learned."""
    seen = Counter[str]()
    for part in range(PARTS):
        learned = Likeness(CATALOGUE, (text for at, text in enumerate(TEXTS) if at % PARTS != part))
        for reason, _, template in TEXTS[part::PARTS]:
            said = learned.verdict("", template).reason
            seen["unknown" if reason == UNCLASSIFIED else "known"] += 1
            if said != UNCLASSIFIED:
                seen["guessed" if reason == UNCLASSIFIED else "right" if said == reason else "wrong"] += 1
    return seen


def test_of_messages_not_learned_it_knows_half_is_seldom_wrong_and_leaves_the_unknown_alone() -> None:
    seen = shares()
    assert seen["right"] >= 0.45 * seen["known"], seen
    assert seen["wrong"] + seen["guessed"] <= 0.08 * seen["right"], seen
    assert seen["guessed"] <= 0.08 * seen["unknown"], seen


def test_nine_of_ten_messages_that_nobody_can_know_stay_unclassified() -> None:
    guessed = [(message, said.by) for message in UNKNOWN if (said := LIKENESS.verdict("", template_of(message))).by]
    assert len(guessed) <= 0.1 * len(UNKNOWN), guessed


@pytest.mark.parametrize("template", ["", "|", "#", "<value> <email>", "zzyzx", "the of a", "zzyzx passwords"])
def test_one_known_word_is_too_little_to_go_by(template: str) -> None:
    assert LIKENESS.verdict("", template) == NOTHING


def test_it_speaks_where_no_rule_does_and_tells_three_words_of_the_message() -> None:
    asked = 0
    for _, _, template in TEXTS:
        turned = " ".join(reversed(template.split()))  # no phrase of a pattern is left whole
        like = LIKENESS.verdict("", template_of(turned))
        if like != NOTHING and not MATCHER.words("", template_of(turned)).by:
            asked += 1
            assert verdict_of("", turned) == like
            loud = like.by.removeprefix("likeness: ").split(", ")
            assert 2 <= len(loud) <= 3
            assert all(word in words(turned) for word in loud), like
    assert asked >= 50


def test_the_order_of_words_and_of_what_was_learned_changes_nothing() -> None:
    turned = Likeness(CATALOGUE, reversed(TEXTS))
    straight = Likeness(CATALOGUE, TEXTS)
    assert turned._costs == straight._costs
    one = "the technician's contract does not come with this add on subscription tier"
    assert straight.verdict("", one).reason == turned.verdict("", " ".join(reversed(one.split()))).reason


def test_a_code_apart_speaks_too() -> None:
    message = "the call was answered so"
    assert LIKENESS.verdict("", message) == NOTHING
    assert LIKENESS.verdict("PASSWORD_EXPIRED_CREDENTIALS", message).reason == "authentication_failed"


def test_weights_are_the_same_whatever_seed_python_hashes_with() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", COSTS], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_the_longest_text_cannot_carry_a_sum_into_the_next_reason() -> None:
    dearest = max(max(LIKENESS._unpacked(costs)) for costs in LIKENESS._costs.values())
    assert (128 + 80 + 1) * dearest < 1 << 32
    everything = " ".join(list(LIKENESS._costs)[:2000])
    assert LIKENESS.verdict("", everything).reason in CATALOGUE.by_code
