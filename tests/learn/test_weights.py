"""Learning: weights come out that tell the learned texts apart, the same each time."""

from schemas.reasons import CATALOGUE
from streams.classify.likeness import Likeness
from streams.classify.match import NOTHING
from tests.learn.weights import Text, digest, learn, sure, texts


def test_what_must_have_its_reason_has_it_by_its_words_alone() -> None:
    learned = sure()
    written = learn(learned)
    model = Likeness(written, CATALOGUE)
    told = [model.verdict(code, template, lambda code, template: NOTHING).reason for _, code, template in learned]
    wrong = [text for text, reason in zip(learned, told, strict=True) if text[0] != reason]
    assert len(wrong) <= 0.05 * len(learned), wrong
    assert learn(learned) == written
    assert f"# Learned from {digest(learned)}" in written


def test_another_text_reason_or_order_is_another_digest() -> None:
    one: list[Text] = [("rate_limited", "", "too many"), ("unclassified", "", "bad")]
    others = [one[:1], one[::-1], [("rate_limited", "", "so many"), one[1]], [("unclassified", "", "too many"), one[1]]]
    assert len({digest(text) for text in (one, *others)}) == 5


def test_all_of_the_labelled_messages_are_learned() -> None:
    assert len(texts()) > 8 * len(sure())
