"""What a refusal of the server means: which pass by themselves, which a person mends, and that no row is quoted."""

import pytest
from clickhouse_connect.driver.exceptions import DataError, OperationalError

from streams import config
from streams.clickhouse import refusals
from streams.clickhouse.client import Database, translate
from streams.errors import Kind, StoreRefused, StoreUnavailable
from tests.settings_table import DATA_PATH, readme_with


def refusal(code: int | None) -> OperationalError:
    return OperationalError("the server's text, which quotes Acme Inc.", code=code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (159, Kind.SLOW), (164, Kind.READ_ONLY), (209, Kind.UNREACHABLE), (236, Kind.INTERRUPTED), (241, Kind.MEMORY),
        (242, Kind.READ_ONLY), (243, Kind.DISK), (252, Kind.PARTS), (319, Kind.REPLICAS), (745, Kind.BUSY),
        (1001, Kind.INTERNAL),
    ],
)  # fmt: skip
def test_a_refusal_that_passes_by_itself_is_tried_again_and_told_by_kind(code: int, kind: Kind) -> None:
    found = translate(refusal(code), config.load(), "sync_records")
    assert isinstance(found, StoreUnavailable)
    assert found.kind == kind
    assert f"refuses table sync_records for now: code {code} " in str(found) and "Acme" not in str(found)


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        (16, Kind.SCHEMA, "run `synclogs migrate`"), (47, Kind.SCHEMA, "run `synclogs migrate`"),
        (60, Kind.SCHEMA, "run `synclogs migrate`"), (81, Kind.SCHEMA, "run `synclogs migrate`"),
        (497, Kind.ACCESS, "grants"), (516, Kind.ACCESS, "check user and password"), (469, Kind.ROWS, "constraint"),
        (62, Kind.REQUEST, "synclogs check"), (49, Kind.OTHER, "system.errors"), (7777, Kind.OTHER, "system.errors"),
    ],
)  # fmt: skip
def test_a_refusal_that_a_person_mends_names_table_code_and_what_to_do(code: int, kind: Kind, remedy: str) -> None:
    found = translate(refusal(code), config.load(), "sync_records")
    assert isinstance(found, StoreRefused)
    assert found.kind == kind
    assert f"refuses table sync_records: code {code} " in str(found) and remedy in str(found)
    assert "Acme" not in str(found)


def test_rows_that_the_client_cannot_encode_are_refused_for_good_and_not_quoted() -> None:
    found = translate(DataError("Acme Inc."), config.load(), "sync_records")
    assert isinstance(found, StoreRefused)
    assert "sync_records" in str(found) and "Acme" not in str(found)


@pytest.mark.parametrize("error", [ConnectionResetError(), refusal(None)])
def test_an_answer_that_did_not_come_is_tried_again(error: Exception) -> None:
    found = translate(error, config.load())
    assert isinstance(found, StoreUnavailable)
    assert found.kind == Kind.UNREACHABLE


def test_every_kind_and_every_code_has_one_verdict() -> None:
    assert [verdict.kind for verdict in (*refusals.VERDICTS, refusals.OTHER)] == list(Kind)
    codes = [code for verdict in refusals.VERDICTS for code in verdict.codes]
    assert len(codes) == len(set(codes))


def test_the_data_path_has_the_table() -> None:
    text = DATA_PATH.read_text()
    wanted = readme_with(text, refusals.table(), "refusals")
    assert text == wanted, "write it with `python -m tests.settings_table`"


@pytest.mark.stack
def test_codes_have_the_names_that_the_server_gives_them(tables: Database) -> None:
    for verdict in refusals.VERDICTS:
        for code, name in verdict.codes.items():
            assert tables.value("SELECT errorCodeToName({code:UInt32})", code=code) == name
