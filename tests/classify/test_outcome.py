"""Explaining an error: reason and rule, the fields it names, the record in the way, and its template."""

import pytest

from streams.classify import explain, reason_of


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("The following mandatory field(s) were left empty: Last Name, E-mail", ("Last Name", "E-mail")),
        ("Required fields are missing: [LastName, Company]", ("LastName", "Company")),
        ("REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]", ("LastName",)),
        ("Contact Name cannot be empty.", ("Contact Name",)),
        ("No such column 'Region__c' on entity 'Y'", ("Region__c",)),
        (
            '{"code":"INVALID_DATA","details":{"expected_data_type":"email","api_name":"Email"},"message":"x"}',
            ("Email",),
        ),
        ("Too many requests", ()),
    ],
)
def test_the_fields_that_an_error_names(message: str, fields: tuple[str, ...]) -> None:
    assert explain("books_to_fsm", ("", message, "")).fields == fields


def test_the_field_that_came_apart_stands_first() -> None:
    assert explain("books_to_fsm", ("", "'Email' is a required field", "email")).fields[0] == "email"


@pytest.mark.parametrize(
    ("message", "conflicting"),
    [
        ("Contact already exists. Existing ID: 1234", "1234"),
        ("duplicate value found: F__c duplicates value on record with id: 0011x000003abcd", "0011x000003abcd"),
        ('{"code":"DUPLICATE_DATA","details":{"duplicate_record":{"id":"55512"}},"message":"duplicate data"}', "55512"),
        ("The name already exists", ""),
        ("Invoice with id 12 does not exist", ""),
    ],
)
def test_the_record_in_the_way(message: str, conflicting: str) -> None:
    assert explain("books_to_fsm", ("", message, "")).conflicting_id == conflicting


def test_reason_rule_and_template() -> None:
    outcome = explain("fsm_to_books", ("", "Invoice 17 does not exist.", ""))
    assert outcome.reason == reason_of("fsm_to_books", "", "Invoice 17 does not exist.")
    assert outcome.by.startswith("pattern ")
    assert outcome.template == "invoice # does not exist."
