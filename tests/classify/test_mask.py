"""Templates: what varies is masked, what speaks stays."""

import pytest

from streams.classify.mask import HEAD, TAIL, blur, clip, template


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
    assert template(blur(text)) == masked


def test_two_records_of_one_failure_have_one_template() -> None:
    one = template(blur("Contact 17 (james@noemail.com) with 0011x000003abcd is 'busy'"))
    two = template(blur("Contact 9999 (ann@example.org) with 0017y000009zyxw is 'ill'"))
    assert one == two


def test_a_long_text_keeps_its_head_and_its_tail() -> None:
    clipped = clip("head" + "x" * 8000 + "tail")
    assert clipped.startswith("head") and clipped.endswith("tail")
    assert len(clipped) <= HEAD + TAIL + 3
