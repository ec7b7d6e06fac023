"""``ptlearn train`` and ``predict``: files in, files out, stopped and gone on with."""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import ptlearn as pt
from ptlearn.cli.app import app as cli
from ptlearn.cli.app import predict as shell
from ptlearn.cli.app import train as shell_train
from ptlearn.tasks import rows

ROWS = [
    {"id": i, "review": f"{word} film number {i}", "stars": stars}
    for i in range(30)
    for word, stars in [("lovely", 1), ("dreadful", 0)]
]
TEMPLATE = '{review} [V:"It was"][V:2] {answer}'
TRAIN = [
    *("train", "--model", "tiny", "--template", TEMPLATE, "--answer-column", "stars"),
    *("--label", "1=good", "--label", "0=bad", "--device", "cpu"),
]


def write_csv(path: Path, rows: list[dict]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def data(tmp_path):
    return write_csv(tmp_path / "reviews.csv", ROWS)


def run(*arguments) -> str:
    """What a command prints when all is well."""
    done = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.exception
    return done.output


def refused(*arguments) -> str:
    """The message of a command that is refused; it must be one of ours."""
    done = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert done.exit_code != 0
    assert cli._is_ours(done.exception), done.exception
    return str(done.exception)


def train(data, out, *more, steps=4) -> list:
    return [*TRAIN, "--data", data, "--out", out, "--steps", steps, *more]


# --- train --------------------------------------------------------------------


def test_train_then_predict(data, tmp_path):
    said = run(*train(data, tmp_path / "my-prompt", "--encoder", "residual-lstm"))
    assert "6 choose the best step, 6 others give the final score, 48 are" in said
    for line in ["this prompt", "its words alone", "majority", "random-weight LM"]:
        assert line in said
    assert {p.name for p in (tmp_path / "my-prompt").iterdir()} == {
        "prompt.json",
        "prompt.safetensors",
    }
    new = [{"review": 'a film, "so-so"', "note": "0012"}, {"review": "ü", "note": ""}]
    new = write_csv(tmp_path / "new.csv", new)
    out = tmp_path / "predictions.csv"
    run("predict", "--prompt", tmp_path / "my-prompt", "--data", new, "--out", out)
    found = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert list(found.columns) == ["review", "note", "predicted", "log_prob"]
    assert list(found["review"]) == ['a film, "so-so"', "ü"]
    assert list(found["note"]) == ["0012", ""]
    prompt = pt.Prompt.load(tmp_path / "my-prompt", pt.load_lm("tiny"))
    assert list(found["predicted"]) == prompt.predict(found)
    wanted = prompt.answer_log_probs(found.assign(answer=found["predicted"])).tolist()
    assert found["log_prob"].astype(float).tolist() == pytest.approx(wanted, abs=1e-4)


def test_what_is_held_out_is_neither_learnt_nor_shared(data):
    settings = shell_train.TrainSettings(
        data, TEMPLATE, answer_column="stars", labels={"1": "good", "0": "bad"}
    )
    task, _ = shell_train.read_task(settings, pt.Template(TEMPLATE))
    parts = [{row["review"] for row in task.split(name)} for name in task.splits]
    assert [len(part) for part in parts] == [48, 6, 6]
    assert len(set.union(*parts)) == 60


def test_dev_data_give_the_score_and_it_is_said(data, tmp_path):
    dev = write_csv(tmp_path / "dev.csv", ROWS[:8])
    said = run(*train(data, tmp_path / "p", "--dev-data", dev))
    assert "60 rows to learn" in said
    assert "8 rows of dev.csv choose the best step and all 8 give the" in said
    assert "On 8 dev rows" in said


def test_words_without_the_virtual_tokens():
    words = shell_train.without_virtual_tokens(
        pt.Template('[V:3] {a} [V] is [[a]] [V:"in the city of"] {answer}')
    )
    assert words.text == "{a} is [[a]] in the city of {answer}"


def change(rows, place, **cells):
    rows = [dict(row) for row in rows]
    rows[place].update(cells)
    return rows


BAD_DATA = {
    "missing answers": (
        change(change(ROWS, 3, stars=""), 7, stars=" "),
        r"2 of 60 rows in train have no answer in 'stars'; the first is row 3",
    ),
    "unknown label": (change(ROWS, 0, stars=5), "label '5' in row 0 of train"),
    "too few": (ROWS[:6], "6 rows are too few.*--dev-data"),
    "one answer": (ROWS[::2], "all rows have the answer 'good'"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_rows_are_refused(case, tmp_path):
    rows, said = BAD_DATA[case]
    message = refused(*train(write_csv(tmp_path / "d.csv", rows), tmp_path / "p"))
    assert re.search(said, message)


BAD_OPTIONS = {
    "unknown column": (["--template", "{text} [V] {answer}"], "no column 'text'"),
    "no column": (["--template", "[V:3] {answer}"], "uses no column"),
    "bad template": (["--template", "{review [V] {answer}"], r"\^"),
    "no virtual tokens": (["--template", "{review} {answer}"], "nothing to train"),
    "encoder": (["--encoder", "gru"], "unknown encoder 'gru'; allowed:"),
    "init": (["--init", "zeros"], "unknown init 'zeros'; allowed:"),
    "rate": (["--lr", "0"], "lr must be above 0"),
    "metric": (["--metric", "f1"], "metric must be"),
    "label": (["--label", "good"], "--label 'good' is not RAW=WORD"),
    "label twice": (["--label", "1=fine"], "gives '1' two meanings"),
    "model": (["--model", "./no/such/folder"], "no/such/folder"),
    "answer column": (["--answer-column", "star"], "Did you mean 'stars'"),
    "no file": (["--data", "lost.csv"], "no file lost.csv"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_are_refused_and_leave_the_folder_free(case, data, tmp_path):
    options, said = BAD_OPTIONS[case]
    message = refused(*train(data, tmp_path / "p"), *options)
    assert re.search(said, message)
    assert not (tmp_path / "p").exists()


def test_a_finished_prompt_is_not_overwritten(data, tmp_path):
    run(*train(data, tmp_path / "p", steps=1))
    assert "holds a finished prompt" in refused(*train(data, tmp_path / "p"))


def test_a_loss_that_is_no_number_leaves_the_folder_free(data, tmp_path, monkeypatch):
    def forward(self, examples, store=None):
        return (self.prompt_embeddings().sum() * math.nan).expand(len(examples))

    with monkeypatch.context() as patch:
        patch.setattr(pt.PromptTuner, "forward", forward)
        assert "lower lr" in refused(*train(data, tmp_path / "p"))
    run(*train(data, tmp_path / "p", "--lr", "1e-4"))


def test_a_folder_that_cannot_be_made_is_one_line(data, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refused(*train(data, tmp_path / "file" / "p"))


# --- stopped and gone on with ---------------------------------------------------

STEPS = 300  # so many that a busy machine still stops it on the way


def start(data, out) -> subprocess.Popen:
    arguments = [str(a) for a in train(data, out, "--encoder", "lstm", steps=STEPS)]
    return subprocess.Popen(
        [sys.executable, "-m", "ptlearn", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finish(data, out) -> str:
    process = start(data, out)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return said


def wait_for_checkpoint(process, out, count=1):
    while len(list(out.glob("unfinished/step-*"))) < count:
        assert process.poll() is None, "it ended before it was stopped"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> bytes:
    """The table's file of a run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    finish(write_csv(folder / "reviews.csv", ROWS), folder / "p")
    return (folder / "p" / "prompt.safetensors").read_bytes()


def test_after_sigkill_the_same_command_ends_with_the_same_bits(
    data, tmp_path, uninterrupted
):
    for count in (1, 2):  # killed twice
        process = start(data, tmp_path / "p")
        wait_for_checkpoint(process, tmp_path / "p", count)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "p" / "prompt.json").exists()
    assert "Going on from step" in finish(data, tmp_path / "p")
    assert (tmp_path / "p" / "prompt.safetensors").read_bytes() == uninterrupted
    assert not (tmp_path / "p" / "unfinished").exists()


def test_ctrl_c_says_how_to_go_on(data, tmp_path, uninterrupted):
    process = start(data, tmp_path / "p")
    wait_for_checkpoint(process, tmp_path / "p")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert re.search(r"stopped; the same command goes on from step \d+", errors)
    assert "Traceback" not in errors
    finish(data, tmp_path / "p")
    assert (tmp_path / "p" / "prompt.safetensors").read_bytes() == uninterrupted


@pytest.fixture
def unfinished(data, tmp_path, monkeypatch):
    """An output folder whose run was stopped after a checkpoint."""

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shell_train, "score_beside_controls", stop)
        done = CliRunner().invoke(cli.app, map(str, train(data, tmp_path / "p")))
    assert done.exit_code == 130
    return tmp_path / "p"


def test_another_command_does_not_go_on_with_it(data, unfinished):
    message = refused(*train(data, unfinished, "--seed", "1"))
    assert "seed: 0 there, 1 here" in message
    assert "Going on from step 4 of 4" in run(*train(data, unfinished))


def test_changed_data_do_not_go_on_with_it(data, unfinished):
    write_csv(data, ROWS[::-1])
    assert "data: 'reviews.csv," in refused(*train(data, unfinished))


def test_an_unfinished_prompt_cannot_be_used(data, unfinished, tmp_path):
    message = refused(*predict(unfinished, data, tmp_path / "out.csv"))
    assert "was not finished: run the same" in message


def test_stopped_before_the_first_checkpoint_it_starts_again(
    data, tmp_path, monkeypatch
):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(shell_train, "load_lm", stop)
    done = CliRunner().invoke(cli.app, map(str, train(data, tmp_path / "p")))
    assert done.exit_code == 130
    assert "the same command starts again" in done.output


# --- predict ------------------------------------------------------------------


def predict(prompt, data, out, *more) -> list:
    return ["predict", "--prompt", prompt, "--data", data, "--out", out, *more]


@pytest.fixture(scope="module")
def prompt(tmp_path_factory):
    """A folder with a prompt that was never trained, which is enough to predict."""
    folder = tmp_path_factory.mktemp("prompt")
    made = pt.PromptTuner(pt.load_lm("tiny"), TEMPLATE).fold()
    made.answers = ["good", "bad"]
    return made.save(folder)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_predictions_in_every_format(suffix, prompt, data, tmp_path):
    out = tmp_path / "new" / f"out{suffix}"
    assert "60 rows" in run(*predict(prompt, data, out))
    found = rows.read_file("out", out)
    assert [row["review"] for row in found] == [row["review"] for row in ROWS]
    assert {row["predicted"] for row in found} <= {"good", "bad"}
    assert all(float(row["log_prob"]) < 0 for row in found)


def test_values_are_read_as_in_training(prompt, tmp_path):
    """A number in JSON is the text that the same cell of a CSV file gives."""
    (tmp_path / "n.jsonl").write_text('{"review": 7}\n{"review": null}\n')
    said = run(*predict(prompt, tmp_path / "n.jsonl", tmp_path / "out.jsonl"))
    assert "1 of 2 rows lack something" in said
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    wanted = pt.Prompt.load(prompt, pt.load_lm("tiny")).predict([{"review": "7"}])
    assert json.loads(lines[0])["predicted"] == wanted[0]
    assert json.loads(lines[0])["review"] == 7


def test_a_missing_column_names_those_there_are(prompt, tmp_path):
    new = write_csv(tmp_path / "n.csv", [{"reviews": "fine", "id": 1}])
    message = refused(*predict(prompt, new, tmp_path / "out.csv"))
    assert "'review', which n.csv has not. Did you mean 'reviews'" in message
    assert "It has: reviews, id" in message


def test_a_column_that_would_be_overwritten_is_refused(prompt, tmp_path):
    new = write_csv(tmp_path / "n.csv", [{"review": "fine", "predicted": "good"}])
    assert "'predicted' already" in refused(*predict(prompt, new, tmp_path / "o.csv"))


def test_the_data_are_not_overwritten(prompt, data):
    assert "is the data itself" in refused(*predict(prompt, data, data))


def test_an_unknown_kind_of_file_is_refused(prompt, data, tmp_path):
    assert ".csv, .tsv, .jsonl" in refused(*predict(prompt, data, tmp_path / "o.xls"))


def test_no_prompt_and_a_damaged_one_are_refused(prompt, data, tmp_path):
    out = tmp_path / "out.csv"
    assert "no prompt in" in refused(*predict(tmp_path, data, out))
    (tmp_path / "prompt.json").write_text('{"template": ')
    assert "is damaged" in refused(*predict(tmp_path, data, out))


def test_a_write_that_fails_leaves_what_was_there(prompt, data, tmp_path, monkeypatch):
    out = tmp_path / "out.csv"
    out.write_text("before")

    def full(frame, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(shell.WRITERS, ".csv", full)
    assert "No space left" in refused(*predict(prompt, data, out))
    assert out.read_text() == "before"
    assert len(list(tmp_path.glob("*out*"))) == 1
