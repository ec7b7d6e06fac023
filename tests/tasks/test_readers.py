"""Files of rows: what is read as it is written, and what is refused, with the line."""

import json

import pytest

from ptlearn.errors import DataError
from ptlearn.tasks.readers import read_file


def test_a_table_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes('\ufeffcode,answer\r\n007,NA\r\n\r\n"a, ""b""","x\ny"'.encode())
    assert read_file(path) == [
        {"code": "007", "answer": "NA"},
        {"code": 'a, "b"', "answer": "x\ny"},
    ]


def test_a_quote_inside_a_plain_cell_is_a_quote(tmp_path):
    (tmp_path / "rows.tsv").write_text('size\tname\n5"\tnail\n')
    assert read_file(tmp_path / "rows.tsv") == [{"size": '5"', "name": "nail"}]


def test_the_kind_of_a_file_is_read_in_any_case(tmp_path):
    (tmp_path / "ROWS.CSV").write_text("a\n1\n")
    assert read_file(str(tmp_path / "ROWS.CSV")) == [{"a": "1"}]


def test_json_keeps_its_types_and_skips_empty_lines(tmp_path):
    rows = [{"a": 0, "b": None}, {"a": "\u2028\U0001f600"}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    assert read_file(tmp_path / "rows.json") == rows
    assert read_file(tmp_path / "rows.jsonl") == rows


def test_columns_without_name_or_cells_are_what_spreadsheets_append(tmp_path):
    (tmp_path / "rows.csv").write_text("text,,\na,,\nb,,\n")
    found = read_file(tmp_path / "rows.csv")
    assert found == [{"text": "a", "": ""}, {"text": "b", "": ""}]


def test_one_column_without_a_name_keeps_its_cells(tmp_path):
    (tmp_path / "rows.csv").write_text(",text\n0,a\n1,b\n")
    found = read_file(tmp_path / "rows.csv")
    assert found == [{"": "0", "text": "a"}, {"": "1", "text": "b"}]


ONE_COLUMN = {
    "text\na\n\nb": ["a", "", "b"],
    "text\r\na\r\n\r\nb\r\n": ["a", "", "b"],
    "text\n\n\na\n": ["", "", "a"],
    "text\na\n\n": ["a"],
    "text\na\n\n\n": ["a", ""],
    'text\na\n""\n': ["a", ""],
    "\n\ntext\na\n": ["a"],
    "text\n\n": [],
}


@pytest.mark.parametrize("content", ONE_COLUMN)
def test_a_blank_line_of_one_column_is_an_empty_cell(content, tmp_path):
    (tmp_path / "rows.csv").write_bytes(content.encode())
    found = read_file(tmp_path / "rows.csv")
    assert [row["text"] for row in found] == ONE_COLUMN[content]


def test_blank_lines_of_several_columns_are_skipped_before_the_header_too(tmp_path):
    (tmp_path / "rows.csv").write_text("\n\na,b\n\n1,2\n\n\n3,4\n\n")
    found = read_file(tmp_path / "rows.csv")
    assert found == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


NOT_CLOSED = "a quote opens a cell here and is not closed"
BROKEN = {
    "quote open to the end, in the last cell": (
        "rows.csv",
        'a,b\n1,x\n2,"y\n3,z\n',
        f"line 3: {NOT_CLOSED}",
    ),
    "quote open to the end, in the first cell": (
        "rows.csv",
        'a,b\n1,x\n"2,y\n3,z\n',
        f"line 3: {NOT_CLOSED}",
    ),
    "quote closed by a later row's": (
        "rows.csv",
        'a,b\n"1,x\n2,y\n"3",z\n',
        f"line 2: {NOT_CLOSED}",
    ),
    "quote open after a cell of two lines": (
        "rows.csv",
        'a,b\n"1\n1","x"\n2,"y""\n',
        f"line 4: {NOT_CLOSED}",
    ),
    "text after the closing quote": (
        "rows.tsv",
        'a\tb\n1\t"x" y\n',
        f"line 2: {NOT_CLOSED}",
    ),
    "quote open in the header": ("rows.csv", 'a,"b\n1,x\n', f"line 1: {NOT_CLOSED}"),
    "huge cell": ("rows.csv", f"a\n1\n{'x' * 200_000}\n", "line 3: field larger than"),
    "too few cells": ("rows.csv", "a,b\n1\n", "line 2: the row has 1 cells, the"),
    "too many cells": ("rows.csv", "a,b\n1,2\n1,2,3,4\n", "line 3: the row has 4"),
    "cells below two columns without a name": (
        "rows.csv",
        "text,,\na,,\nb,x1,y1\n",
        "no names for the columns 2, 3, and line 3 has 'x1' in column 2",
    ),
    "a cell below the second of them": ("rows.tsv", "\t\n\ty1\n", "in column 2: name"),
    "equal columns": ("rows.csv", "a,a\n1,2\n", "has two columns 'a'"),
    "NUL": ("rows.csv", "a,b\n1,\0\n", "line 2: there is a NUL character"),
    "no JSON": ("rows.jsonl", '{"a": 1}\n{oops\n', "line 2: this is not JSON"),
    "no JSON in a list": ("rows.json", '[{"a": 1},\n {oops}]', "line 2: this is not"),
    "no list": ("rows.json", '{"a": 1}', "does not hold a list of objects"),
    "a key twice": ("rows.jsonl", '{"a": 1}\n{"a": 1, "a": 2}', "line 2: the key 'a'"),
    "half a character": ("rows.jsonl", '{"a": "\\ud800"}', "line 1: .*half of a ch"),
    "huge number": ("rows.jsonl", '{"a": 1' + "0" * 5000 + "}", "line 1: Exceeds"),
    "deep nesting": ("rows.jsonl", "[" * 100_000, "line 1: .*recursion"),
    "Latin-1": ("rows.csv", b"a,b\n1,\xe9\n", "line 2: byte 0xe9 is not UTF-8"),
    "UTF-16": ("rows.csv", "a,b\n1,2\n".encode("utf-16"), "line 1: byte 0xff is not"),
    "unknown kind": ("rows.xlsx", "", "use .csv, .tsv, .jsonl, .json"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused_with_the_line(case, tmp_path):
    name, content, said = BROKEN[case]
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_file(tmp_path / name)
    assert name in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no file .*lost.csv"):
        read_file(tmp_path / "lost.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="folder.csv cannot be read"):
        read_file(tmp_path / "folder.csv")


def test_line_ends_within_a_cell_stay_as_they_are(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'text,answer\r\n"a\r\nb",x\r\n"c\nd",y\r\n"e\rf",z\r\n')
    assert [row["text"] for row in read_file(path)] == ["a\r\nb", "c\nd", "e\rf"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.json"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_ends_a_row_and_counts_as_a_line(tmp_path, name, end):
    rows, bad = {
        "rows.csv": (["a", "1", "2"], '"3'),
        "rows.jsonl": (['{"a": "1"}', '{"a": "2"}'], "{oops"),
        "rows.json": (['[{"a": "1"},', '{"a": "2"}', "]"], "{oops"),
    }[name]
    path = tmp_path / name
    path.write_bytes(end.join(rows).encode())
    assert read_file(path) == [{"a": "1"}, {"a": "2"}]
    path.write_bytes(end.join([*rows, bad]).encode())
    with pytest.raises(DataError, match=f"line {len(rows) + 1}"):
        read_file(path)
