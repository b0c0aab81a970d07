import pytest

from streams.devstack.front.statement import first_word, insert_head, output_format, without_format


@pytest.mark.parametrize(
    "text, head, form, data",
    [
        (b"INSERT INTO t FORMAT Native\n\x01\x02", b"INSERT INTO t ", "Native", b"\x01\x02"),
        (b"insert into t (a, b) format CSV\r\n1,2\n", b"insert into t (a, b) ", "CSV", b"1,2\n"),
        (b"INSERT INTO t FORMAT CSV;\n1,2\n", b"INSERT INTO t ", "CSV", b"1,2\n"),
        (b"INSERT INTO t FORMAT TSV \n\n1\t2\n", b"INSERT INTO t ", "TSV", b"\n1\t2\n"),
        (b"INSERT INTO t SETTINGS a = 1 FORMAT Native\n", b"INSERT INTO t SETTINGS a = 1 ", "Native", b""),
        (b'INSERT INTO `d`.`FORMAT CSV ` FORMAT JSONEachRow {"a":1}', b"INSERT INTO `d`.`FORMAT CSV ` ", "JSONEachRow",
         b'{"a":1}'),
        (b"INSERT INTO t (format, values) -- FORMAT TSV \n FORMAT CSV\nx",
         b"INSERT INTO t (format, values) -- FORMAT TSV \n ", "CSV", b"x"),
    ],
)  # fmt: skip
def test_insert_is_cut_where_its_data_begins(text: bytes, head: bytes, form: str, data: bytes) -> None:
    found = insert_head(text)
    assert found is not None
    assert (found.text, found.format, text[found.data_start :]) == (head, form, data)


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO t SELECT * FROM s FORMAT Null\n",
        b"INSERT INTO t (a) VALUES (' FORMAT CSV ')\n",
        b"INSERT INTO t WITH 1 AS x SELECT x FORMAT CSV\n",
        b"INSERT INTO t FORMAT",
        b"INSERT INTO t FORMAT Nat",
        b"INSERT INTO t (a",
    ],
)
def test_insert_without_data_behind_it_or_cut_short_has_no_head(text: bytes) -> None:
    assert insert_head(text) is None


@pytest.mark.parametrize(
    "text, word",
    [
        (b"-- note\n /* SELECT */ insert into t", "INSERT"),
        (b"((SELECT 1))", "SELECT"),
        (b"  ", ""),
        (b"'quoted' SELECT", ""),
    ],
)
def test_first_word_is_found_behind_comments_and_brackets(text: bytes, word: str) -> None:
    assert first_word(text) == word


def test_format_of_an_answer_is_the_one_at_the_statement_s_end() -> None:
    assert output_format(b"SELECT ' FORMAT CSV' FORMAT JSON ;\n") == "JSON"
    assert output_format(b"SELECT 'x FORMAT CSV'") is None
    assert without_format(b"SELECT 1 FORMAT JSON;\n") == b"SELECT 1"
