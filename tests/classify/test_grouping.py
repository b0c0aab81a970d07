"""Unknown failures as groups: one for each template, right counts, bounded memory."""

import pytest

from streams.classify.grouping import Grouping, Key, asked_for, key_of, printable

A, B = ("acme", "books_to_fsm", "s-1"), ("acme", "books_to_fsm", "s-2")
C = ("globex", "books_to_fsm", "s-2")


def test_messages_that_differ_in_their_variable_parts_are_one_group() -> None:
    grouping = Grouping()
    for number in range(1_000):
        grouping.add("", f'Ledger "L-{number}" of user{number}@noemail.com is frozen since {number}', number, number)
    (group,) = grouping.ranked()
    assert (group.records, group.errors, group.first_ms, group.last_ms) == (1_000, 1_000, 0, 999)
    assert group.samples == [
        f'Ledger "L-{n}" of user{n}@noemail.com is frozen since {n}' for n in range(len(group.samples))
    ]
    assert 1 < len(group.samples) <= 5


def test_codes_are_kept_apart_and_shown_as_the_catalogue_writes_examples() -> None:
    grouping = Grouping()
    for code, message in (("E5010", "Odd"), ("E6000", "Odd"), ("", "Odd"), ("", "")):
        grouping.add(code, message, 0, 0)
    assert {group.key.text for group in grouping.ranked()} == {"E5010 :: odd", "E6000 :: odd", "odd", ""}


def test_a_record_counts_once_and_tenants_and_syncs_as_often_as_they_are_there() -> None:
    """Two errors in each record; the second template is nobody's first error."""
    grouping = Grouping()
    for place in (A, A, B, C):
        grouping.add("", "first thing", 5, 5, 1, 1, place)
        grouping.add("", "second thing", 5, 5, 0, 1, place)
    first, second = grouping.ranked()
    assert (first.records, first.errors, first.syncs, first.tenants) == (4, 4, 3, 2)
    assert (second.records, second.errors, second.syncs, second.tenants) == (0, 4, 3, 2)
    assert (grouping.records, grouping.errors) == (4, 8)


def test_the_most_frequent_comes_first_and_equals_stand_in_one_order() -> None:
    messages = ["b", "a", "c", "c"]
    orders = []
    for of in (messages, messages[::-1]):
        grouping = Grouping()
        for message in of:
            grouping.add("", message, 0, 0)
        orders.append([group.key.template for group in grouping.ranked()])
    assert orders == [["c", "a", "b"]] * 2


def test_what_is_given_up_is_counted_and_the_frequent_stays() -> None:
    """20,000 templates in room for 100: `often` is every fourth error."""
    grouping = Grouping(most=100)
    for number in range(20_000):
        grouping.add("", f"unheard {_letters(number)}", 0, 0)
        if number % 3 == 0:
            grouping.add("", "often", 0, 0)
    groups = grouping.ranked()
    assert len(groups) <= 100
    assert sum(group.errors for group in groups) + grouping.rare_errors == grouping.errors == 26_667
    assert sum(group.records for group in groups) + grouping.rare_records == grouping.records
    assert groups[0].key.template == "often"
    assert groups[0].errors <= 6_667 <= groups[0].errors + grouping.doubt


def test_long_samples_do_not_grow_beyond_the_room() -> None:
    grouping = Grouping(weight=1_000_000)
    for number in range(1_000):
        grouping.add("", f"{_letters(number)} {'x' * 8_000}{_letters(number)}", 0, 0)
    kept = sum(len(sample) for group in grouping.ranked() for sample in group.samples)
    assert kept <= 1_000_000 + 10_000


def test_a_template_is_found_by_what_is_shown_of_it_and_by_a_message() -> None:
    key = key_of("E1", 'The ledger of "Acme" is frozen by 17')
    for text in (key.text, 'E1 :: The ledger of "Globex" is frozen by 4'):
        assert asked_for(text)(key)
    assert not asked_for("E1 :: the ledger is frozen")(key)
    assert not asked_for(key.template)(key), "another code is another template"
    assert asked_for("")(Key("", ""))


@pytest.mark.parametrize("text", ["\0\x1b[31m", "\u202e", "{" * 500, "<" * 500, "%" * 9_000, '{"a":' * 2_000])
def test_any_text_has_a_group(text: str) -> None:
    grouping = Grouping()
    grouping.add(text, text, 0, 0)
    assert grouping.ranked()[0].samples == [text]


def test_what_a_terminal_would_act_upon_is_written_out() -> None:
    assert printable("a\x1b[31m\n\u202eb ü 漢") == "a\\x1b[31m\\n\\u202eb ü 漢"


def _letters(number: int) -> str:
    return "".join(chr(97 + (number // 26**place) % 26) for place in range(4))
