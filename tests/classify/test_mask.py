"""Templates: what varies is masked, what speaks stays."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.classify.mask import HEAD, TAIL, blur, clip, parted, plain, sharp, template, words


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Invoice 4607000000012345 does not exist.", "invoice # does not exist."),
        ("Contact james@noemail.com exists", "contact <email> exists"),
        ("see https://example.com/a/17?b=c for more", "see <url> for more"),
        ("The customer \"Acme Inc.\" or 'Bilkin' exists", "the customer <value> or <value> exists"),
        ("it doesn't and can't", "it doesn't and can't"),
        ('said "the contact already exists for this account"', "said the contact already exists for this account"),
        ("code 'DUPLICATE_DATA' given", "code duplicate_data given"),
        ("TaxType is missing", "tax type is missing"),
        ("on 2026-11-02 10:00:17", "on # #"),
        ("９９ can’t", "# can't"),
        ("a \n  b\tc", "a b c"),
    ],
)
def test_template(text: str, masked: str) -> None:
    assert _masked(text) == masked


def _masked(text: str) -> str:
    return template(sharp(blur(text)))


def test_two_records_of_one_failure_have_one_template() -> None:
    one = _masked("Contact 17 (james@noemail.com) with 0011x000003abcd is 'busy'")
    two = _masked("Contact 9999 (ann@example.org) with 0017y000009zyxw is 'ill'")
    assert one == two


def test_a_long_text_keeps_its_head_and_its_tail() -> None:
    clipped = clip("head" + "x" * 8000 + "tail")
    assert clipped.startswith("head") and clipped.endswith("tail")
    assert len(clipped) <= HEAD + TAIL + 3


@given(st.text(max_size=80))
def test_words_of_a_template_stand_one_space_apart(text: str) -> None:
    assert _masked(text) == " ".join(_masked(text).split())


@given(st.text(st.sampled_from("aBcDß値_1 "), max_size=80))
def test_words_that_are_written_together_come_apart(text: str) -> None:
    assert parted(text) == re.sub("(?<=[a-z])(?=[A-Z][a-z])", " ", text)


@pytest.mark.parametrize(
    ("accented", "without"), [("Größe überschritten", "Grosse uberschritten"), ("pièce", "piece"), ("値が", "値が")]
)
def test_accents_are_left_out(accented: str, without: str) -> None:
    assert plain(accented) == without


def test_how_much_of_a_long_text_is_kept_depends_on_its_script() -> None:
    short = HEAD // 3 + TAIL // 3 + 3
    assert len(clip("値" * 8000)) == len(clip("値 " * 4000)) == len(clip("値aa" * 3000)) == short
    assert len(clip("é" * 8000)) == len(clip("値aaa" * 2000)) == HEAD + TAIL + 3
    assert len(clip("a" * 3000 + "値" * 2000 + "a" * 3000)) == HEAD + TAIL + 3


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("it can't be, it cannot be", "it can not be  it can not be"),
        ("the field(s) isn't set. enter it; or leave", "the fields is not set | enter it | or leave"),
        ("invoice no. # is due", "invoice no # is due"),
        ("rate-limit_exceeded: e-mail", "rate limit exceeded  email"),
        ("値が長い。直す", "値が長い | 直す"),
    ],
)
def test_the_words_of_a_template(template: str, read: str) -> None:
    assert words(template) == read


def test_texts_that_no_encoding_has_are_blurred_and_come_back() -> None:
    assert sharp(blur("\ud800 17 値")) == "\ud800 11 値"


def test_a_long_text_keeps_its_middle_whatever_single_letter_stands_in_it_and_cjk_keeps_a_third() -> None:
    english = "word " * 100
    for letter in ("\ufffd", "\ufeff", "\U0001f600", "山田"):
        assert clip(english + letter) == english + letter
    assert len(clip("値" * 500)) <= (HEAD + TAIL) // 3 + 3
