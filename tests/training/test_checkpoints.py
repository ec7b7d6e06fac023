"""Checkpoint files: whole or passed over, of this run or refused."""

import pytest
import torch

from ptlearn.errors import TrainingError
from ptlearn.training.checkpoints import Checkpoint, Checkpoints


def checkpoint(step, **tensors):
    return Checkpoint(step, tensors or {"x": torch.arange(3.0)}, {"loss": 1 / 3})


def steps(checkpoints):
    return [int(path.name.split("-")[1]) for path in checkpoints.files()]


def damage(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "run", {"lr": 0.1, "rows": "a"})


def test_what_was_saved_comes_back(checkpoints):
    table = torch.randn(2, 3, dtype=torch.float64)
    checkpoints.save(checkpoint(7, table=table.T, count=torch.tensor(7)))
    found = checkpoints.newest()
    assert (found.step, found.values) == (7, {"loss": 1 / 3})
    assert torch.equal(found.tensors["table"], table.T)
    assert found.tensors["count"].item() == 7


def test_an_empty_folder_has_none(checkpoints):
    assert checkpoints.newest() is None
    checkpoints.refuse_used_folder()


def test_two_are_kept(checkpoints):
    for step in (4, 8, 999_996, 1_000_000):
        checkpoints.save(checkpoint(step))
    assert steps(checkpoints) == [1_000_000, 999_996]


def test_a_damaged_one_is_passed_over_and_said(checkpoints):
    for step in (4, 8):
        checkpoints.save(checkpoint(step))
    damage(checkpoints.files()[0])
    with pytest.warns(UserWarning, match="step-000008.*is damaged.*falling back"):
        assert checkpoints.newest().step == 4


def test_a_damaged_one_does_not_displace_those_that_are_written_again(checkpoints):
    for step in (36, 40):
        checkpoints.save(checkpoint(step))
        damage(checkpoints.files()[0])
    with pytest.warns(UserWarning, match="is damaged"):
        assert checkpoints.newest() is None
    checkpoints.save(checkpoint(4))
    assert checkpoints.newest().step == 4
    checkpoints.save(checkpoint(8))
    assert steps(checkpoints) == [8, 4]


def test_one_of_another_run_is_refused_and_names_what_differs(checkpoints):
    checkpoints.save(checkpoint(4))
    other = Checkpoints(checkpoints.folder, {"lr": 0.5, "rows": "a"})
    with pytest.raises(TrainingError, match=r"another run \(lr: 0.1 there, 0.5 here\)"):
        other.newest()


def test_a_used_folder_is_refused_until_it_is_cleared(checkpoints):
    checkpoints.save(checkpoint(4))
    with pytest.raises(TrainingError, match="up to step 4.*resume=True.*overwrite=Tr"):
        checkpoints.refuse_used_folder()
    checkpoints.clear()
    checkpoints.refuse_used_folder()


def test_what_a_killed_run_left_behind_is_removed_and_nothing_else(checkpoints):
    checkpoints.save(checkpoint(4))
    leftover = checkpoints.folder / ".step-000008-ab.safetensors.x1y2"
    leftover.mkdir()
    (leftover / "half").write_text("half")
    (checkpoints.folder / "run.json").write_text("{}")
    checkpoints.remove_leftovers()
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names[0] == "run.json" and len(names) == 2 and steps(checkpoints) == [4]


def test_a_folder_in_use_is_refused_until_it_is_released(checkpoints):
    other = Checkpoints(checkpoints.folder, {})
    checkpoints.hold()
    with pytest.raises(TrainingError, match="another process is training in .*run"):
        other.hold()
    checkpoints.release()
    other.hold()
    other.release()


def test_a_full_disk_is_an_error_that_names_the_folder(checkpoints, monkeypatch):
    checkpoints.save(checkpoint(4))

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(TrainingError, match="run cannot be written, .*: No space"):
            checkpoints.save(checkpoint(8))
    assert checkpoints.newest().step == 4
    assert len(list(checkpoints.folder.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="file/run cannot be written"):
        Checkpoints(tmp_path / "file" / "run", {})
