"""The files of rows."""

import errno
import json

import pytest
import torch

from ptlearn.errors import StudyError
from ptlearn.studies.store import (
    append_row,
    drop_torn_line,
    only_writer,
    read_folder,
    read_rows,
    save_table,
)

ROW = {"key": "1", "arm": "größer als 日本\u2028", "score": 0.5}


def test_a_row_comes_back_as_it_was(tmp_path):
    path = tmp_path / "study.jsonl"
    append_row(path, ROW)
    append_row(path, ROW | {"key": "2"})
    assert read_rows(path) == [ROW, ROW | {"key": "2"}]


def test_wherever_a_writer_was_killed_only_its_last_row_is_lost(tmp_path):
    """A kill leaves some beginning of the file: every one of them is tried."""
    path = tmp_path / "study.jsonl"
    append_row(path, ROW)
    whole = path.read_bytes()
    assert len(whole.decode()) < len(whole), "some cuts lie inside a character"
    for cut in range(len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert read_folder(tmp_path) == {"1": ROW}
        drop_torn_line(path)
        append_row(path, ROW | {"key": "2"})
        assert read_rows(path) == [ROW, ROW | {"key": "2"}]


@pytest.mark.parametrize("bad", [b"{", b'{"no": "key"}', b"7", b"\xff"])
def test_a_damaged_line_in_the_middle_is_named(tmp_path, bad):
    path = tmp_path / "study.jsonl"
    line = json.dumps(ROW).encode()
    path.write_bytes(b"\n".join([line, bad, line, b""]))
    with pytest.raises(StudyError, match="line 2 is not a row"):
        read_rows(path)


def test_of_two_rows_with_one_key_the_first_counts(tmp_path):
    append_row(tmp_path / "a.jsonl", ROW)
    append_row(tmp_path / "b.jsonl", ROW | {"score": 0.9})
    assert read_folder(tmp_path) == {"1": ROW}


def test_a_number_that_json_does_not_know_is_not_written(tmp_path):
    path = tmp_path / "study.jsonl"
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_row(path, ROW | {"score": float("nan")})
    assert not path.exists()


@pytest.mark.parametrize("old, new", [("0.5", "0.7"), ("größer", "großer")])
def test_a_row_that_was_altered_is_named(tmp_path, old, new):
    path = tmp_path / "study.jsonl"
    for key in "12":
        append_row(path, ROW | {"key": key})
    first, second = path.read_text(encoding="utf-8").split("\n")[:2]
    path.write_text(f"{first}\n{second.replace(old, new)}\n", encoding="utf-8")
    with pytest.raises(StudyError, match="line 2 was altered"):
        read_rows(path)


def test_a_row_from_before_rows_were_checked_is_read(tmp_path):
    path = tmp_path / "study.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    assert read_rows(path) == [ROW]


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StudyError, match="study.jsonl cannot be written: No space"):
        append_row(tmp_path / "study.jsonl", ROW)
    with pytest.raises(StudyError, match="key.safetensors cannot be written: No spa"):
        save_table(tmp_path, "key", torch.zeros(2, 3))
    assert list(tmp_path.glob("tables/*")) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StudyError, match="file/study.jsonl cannot be written"),
        only_writer(tmp_path / "file" / "study.jsonl"),
    ):
        pass
