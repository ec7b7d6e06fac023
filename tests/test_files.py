"""Writing files so that a reader never sees half of one."""

import errno

import pytest

from ptlearn import files


def test_an_error_while_writing_keeps_the_old_file(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), files.write_atomically(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_written_file_replaces_the_old_one_at_the_end(tmp_path):
    file = tmp_path / "new" / "notes.txt"
    for text in ("first", "second"):
        with files.write_atomically(file) as temporary:
            temporary.write_text(text)
        assert file.read_text() == text
    assert list(file.parent.iterdir()) == [file]


def test_an_error_of_the_system_names_the_file_and_not_the_temporary_one(tmp_path):
    file = tmp_path / "notes.txt"
    for lost in (None, "temporary"):
        with (
            pytest.raises(OSError, match="No space") as caught,
            files.write_atomically(file) as temporary,
        ):
            name = [str(temporary)] if lost else []
            raise OSError(errno.ENOSPC, "No space left on device", *name)
        assert caught.value.filename == str(file)
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with (
        pytest.raises(FileNotFoundError) as caught,
        files.write_atomically(tmp_path / "notes.txt"),
    ):
        (tmp_path / "source.txt").read_text()
    assert caught.value.filename == str(tmp_path / "source.txt")


def test_a_path_has_one_holder_at_a_time(tmp_path):
    with (
        files.sole_holder(tmp_path / "run") as first,
        files.sole_holder(tmp_path / "run") as second,
        files.sole_holder(tmp_path / "other") as other,
    ):
        assert (first, second, other) == (True, False, True)
    with files.sole_holder(tmp_path / "run") as later:
        assert later
    assert list(tmp_path.iterdir()) == []
