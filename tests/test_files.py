"""Writing files so that a reader never sees half of one."""

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
