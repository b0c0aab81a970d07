"""A dead letter is the original message, byte for byte, and headers that say what was wrong without quoting it."""

import pytest

from schemas.refusal import Code, Refusal
from streams.store.letters import CUT_HEADER, LARGEST, letter, tenant_of
from tests.store.records import NOON, Record

REFUSAL = Refusal(Code.WRONG_TYPE, "attempt", "Expected `int`, got `str`")


def test_it_keeps_value_key_headers_and_time() -> None:
    headers = [("traceparent", b"00-ab"), ("empty", None), ("twice", b"1"), ("twice", b"\xff\x00")]
    made = letter(Record(b"\xff{broken", offset=17, key=b"k\x00", headers=headers), REFUSAL, "synclogs-store")
    assert (made.value, made.key, made.timestamp) == (b"\xff{broken", b"k\x00", NOON)
    assert list(made.headers[:4]) == headers


def test_its_headers_are_kafka_connects_with_numbers_as_decimal_text() -> None:
    made = letter(Record(b"{}", offset=4711), REFUSAL, "synclogs-store")
    assert dict(made.headers) == {
        "__connect.errors.topic": b"records",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"4711",
        "__connect.errors.connector.name": b"synclogs-store",
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.exception.class.name": b"wrong_type",
        "__connect.errors.exception.message": b"wrong_type: attempt: Expected `int`, got `str`",
    }


@pytest.mark.parametrize(("value", "key"), [(None, None), (b"", None), (None, b"k"), (b"", b"")])
def test_absent_and_empty_stay_apart(value: bytes | None, key: bytes | None) -> None:
    made = letter(Record(value, key=key), REFUSAL, "g")
    assert (made.value, made.key) == (value, key)


def test_a_message_that_was_refused_before_tells_of_its_last_refusal_only() -> None:
    once = letter(Record(b"{}", offset=1, headers=[("mine", b"1")]), Refusal(Code.INVALID_JSON, "", "x"), "g")
    again = letter(Record(once.value, offset=900, headers=once.headers), REFUSAL, "g")
    names = [name for name, _ in again.headers]
    assert len(names) == len(set(names))
    assert dict(again.headers)["__connect.errors.offset"] == b"900"
    assert dict(again.headers)["__connect.errors.exception.class.name"] == b"wrong_type"
    assert dict(again.headers)["mine"] == b"1"


def test_a_header_of_connect_that_we_do_not_write_is_kept() -> None:
    made = letter(Record(b"{}", headers=[("__connect.errors.task.id", b"7")]), REFUSAL, "g")
    assert made.headers[0] == ("__connect.errors.task.id", b"7")


def test_a_value_that_no_broker_would_take_again_is_cut_and_says_so() -> None:
    made = letter(Record(b"x" * 5_000_000, headers=[("mine", b"1")]), REFUSAL, "g")
    assert len(made.value or b"") < LARGEST
    assert dict(made.headers)[CUT_HEADER] == b"5000000"
    assert dict(made.headers)["mine"] == b"1"


def test_a_key_that_no_broker_would_take_again_is_left_out() -> None:
    made = letter(Record(b"{}", key=b"k" * 3_000_000), REFUSAL, "g")
    assert (made.key, made.value) == (None, b"{}")
    assert dict(made.headers)["__connect.errors.topic"] == b"records"


@pytest.mark.parametrize(
    ("value", "tenant"),
    [
        (None, ""),
        (b"", ""),
        (b'{"tenant_id": "acme", "status"', "acme"),
        (b'{"tenant_id":"acme"}', "acme"),
        ('{"tenant_id": "Zürich"'.encode(), "Zürich"),
        (b'{"tenant_id": "\xff\xfe"', ""),
        (b'{"tenant_id": 7}', ""),
        (b'{"tenant_id": "a\\"b"}', ""),
        (b'{"tenant_id": "' + b"a" * 65 + b'"}', ""),
        (b'{"tenant_id": ""}', ""),
    ],
)
def test_the_tenant_is_told_as_far_as_broken_bytes_tell_it(value: bytes | None, tenant: str) -> None:
    assert tenant_of(value) == tenant
