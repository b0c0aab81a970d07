from streams.devstack.front.formats import empty_native, one_document


def test_header_lines_are_kept_only_in_the_first_chunk() -> None:
    chunks = [b'"a","two\nlines ""x"""\n1,2\n', b'"a","two\nlines ""x"""\n3,4\n']
    assert b"".join(one_document(iter(chunks), "CSVWithNames")) == b'"a","two\nlines ""x"""\n1,2\n3,4\n'


def test_both_header_lines_of_names_and_types_are_dropped() -> None:
    chunks = [b"a\tb\nUInt8\tString\n1\tx\n", b"a\tb\nUInt8\tString\n2\ty\n"]
    joined = b"".join(one_document(iter(chunks), "TSVWithNamesAndTypes"))
    assert joined == b"a\tb\nUInt8\tString\n1\tx\n2\ty\n"


def test_formats_without_header_pass_unchanged() -> None:
    assert list(one_document(iter([b"1\n", b"2\n"]), "CSV")) == [b"1\n", b"2\n"]


def test_empty_native_block_names_its_columns() -> None:
    name = "n" * 200
    expected = b"\x02\x00\x01a\x06UInt64" + b"\xc8\x01" + name.encode() + b"\x06String"
    assert empty_native([("a", "UInt64"), (name, "String")]) == expected
