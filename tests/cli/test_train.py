"""``ptlearn train``: a file in, a prompt out, stopped and gone on with."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from shell_tools import ROWS, TEMPLATE, write_csv

import ptlearn as pt
from ptlearn.cli.training_rows import read_task
from ptlearn.files import sole_holder
from ptlearn.training.config import TrainingConfig


def train(data, out, *more, steps=4) -> list:
    return [
        *("train", "--data", data, "--out", out, "--steps", steps),
        *("--model", "tiny", "--device", "cpu", "--template", TEMPLATE),
        *("--answer-column", "stars", "--label", "1=good", "--label", "0=bad"),
        *more,
    ]


# --- a whole run ----------------------------------------------------------------


@pytest.mark.slow
def test_words_that_cannot_stand_alone_cost_no_prompt(shell, data, tmp_path):
    dev = write_csv(tmp_path / "dev.csv", ROWS[:4] + [ROWS[4] | {"review": ""}])
    out = tmp_path / "my-prompt"
    template = "{review} [V:2] {answer}"
    said = shell(*train(data, out, "--dev-data", dev, "--template", template)).out
    assert "this prompt" in said and "its words alone" not in said
    assert "No controls" in said and "nothing stands before the answer" in said
    assert pt.Prompt.load(out, pt.load_lm("tiny")).template.text == template


@pytest.mark.slow
def test_a_run_prints_its_score_and_leaves_a_prompt(shell, data, tmp_path):
    out = tmp_path / "my-prompt"
    said = shell(*train(data, out, "--encoder", "residual-lstm")).out
    assert "6 choose the best step, 6 others give the final score, 48 are" in said
    for line in ["this prompt", "its words alone", "majority", "random-weight LM"]:
        assert line in said
    prompt = pt.Prompt.load(out, pt.load_lm("tiny"))
    assert prompt.template.text == TEMPLATE
    assert prompt.answers == ["bad", "good"]
    assert not (out / "unfinished").exists()


def test_defaults_are_those_of_fit(shell):
    defaults = TrainingConfig()
    said = " ".join(shell("train", "--help").out.split())
    assert "until the dev loss no longer falls, and 300 at most" in said
    for option in ["batch_size", "evaluate_every", "metric"]:
        about = said.split(f"--{option.replace('_', '-')} ", 1)[1]
        shown = re.search(r"\[default: (\w+)\]", about)[1]
        assert shown == str(getattr(defaults, option)), option


@pytest.mark.slow
def test_options_reach_the_run(shell, data, tmp_path):
    task = read_task(
        data, None, pt.Template(TEMPLATE), "stars", {"1": "good", "0": "bad"}
    )
    lm = pt.load_lm("tiny")
    tuner = pt.PromptTuner(
        lm, TEMPLATE, encoder="residual-mlp", init="answers", seed=3, task=task
    )
    pt.fit(
        tuner,
        task,
        steps=9,
        lr=0.02,
        batch_size=5,
        schedule="plateau",
        evaluate_every=3,
        patience=2,
        metric="accuracy",
        seed=3,
    )
    options = "--encoder residual-mlp --init answers --lr 0.02 --batch-size 5 --seed 3 "
    options += "--schedule plateau --evaluate-every 3 --patience 2 --metric accuracy"
    shell(*train(data, tmp_path / "p", *options.split(), steps=9))
    table = pt.Prompt.load(tmp_path / "p", lm).prompt_embeddings()
    assert table.equal(tuner.fold().prompt_embeddings())


def test_a_folder_that_another_process_trains_into_is_refused(refused, data, tmp_path):
    with sole_holder(tmp_path / "p"):
        said = refused(*train(data, tmp_path / "p"))
    assert "another process is training into" in said and "another --out" in said


@pytest.mark.slow
def test_a_finished_prompt_is_not_overwritten(shell, refused, data, tmp_path):
    shell(*train(data, tmp_path / "p", steps=1))
    assert "holds a finished prompt" in refused(*train(data, tmp_path / "p"))


# --- refused --------------------------------------------------------------------

BAD_OPTIONS = {
    "unknown column": (["--template", "{text} [V] {answer}"], "no column 'text'"),
    "no column": (["--template", "[V:3] {answer}"], "uses no column"),
    "bad template": (["--template", "{review [V] {answer}"], r"\^"),
    "no virtual tokens": (["--template", "{review} {answer}"], "nothing to train"),
    "encoder": (["--encoder", "gru"], "unknown encoder 'gru'; allowed:"),
    "init": (["--init", "zeros"], "unknown init 'zeros'; allowed:"),
    "rate": (["--lr", "0"], "lr must be "),
    "steps": (["--steps", "0"], "steps must be "),
    "seed": (["--seed", "1000000000000000"], "seed must be between "),
    "metric": (["--metric", "f1"], "metric must be"),
    "schedule": (["--schedule", "cosine"], "schedule must be"),
    "model": (["--model", "./no/such/folder"], "no/such/folder"),
    "answer column": (["--answer-column", "star"], "Did you mean 'stars'"),
    "no file": (["--data", "lost.csv"], "no file lost.csv"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_are_refused_and_leave_no_folder(case, refused, data, tmp_path):
    options, said = BAD_OPTIONS[case]
    assert re.search(said, refused(*train(data, tmp_path / "p"), *options))
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("label", "said"),
    [("good", "'good' is not RAW=WORD"), ("1=fine", "'1' is given two words")],
)
def test_labels_that_make_no_sense_are_a_matter_of_usage(
    label, said, refused, data, tmp_path
):
    message = refused(*train(data, tmp_path / "p"), "--label", label, code=2)
    assert "Usage:" in message and "--label" in message and said in message


@pytest.mark.slow
def test_a_run_that_diverges_leaves_the_folder_free(shell, refused, data, tmp_path):
    assert "lower lr" in refused(*train(data, tmp_path / "p", "--lr", "1e38"))
    assert not (tmp_path / "p" / "unfinished").exists()
    shell(*train(data, tmp_path / "p", "--lr", "1e-4"))


def test_a_folder_that_cannot_be_made_is_one_line(refused, data, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused(*train(data, tmp_path / "file" / "p"))
    assert "file/p cannot be written" in message and message.count("\n") == 1


# --- stopped and gone on with ---------------------------------------------------

STEPS = 150  # so many that a busy machine still stops it on the way


def start(data, out) -> subprocess.Popen:
    options = ["--encoder", "lstm", "--evaluate-every", "10"]
    words = train(data, out, *options, steps=STEPS)
    return subprocess.Popen(
        [sys.executable, "-m", "ptlearn", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        # A shell's background jobs, and so their children, do not hear Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
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
    """The file of a prompt whose run nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    finish(write_csv(folder / "reviews.csv", ROWS), folder / "p")
    return (folder / "p" / "prompt.safetensors").read_bytes()


@pytest.mark.slow
def test_after_sigkill_the_same_command_ends_with_the_same_bits(
    data, tmp_path, uninterrupted
):
    for count in (1, 2):  # killed twice
        process = start(data, tmp_path / "p")
        wait_for_checkpoint(process, tmp_path / "p", count)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "p" / "prompt.safetensors").exists()
    assert "Going on from step" in finish(data, tmp_path / "p")
    assert (tmp_path / "p" / "prompt.safetensors").read_bytes() == uninterrupted
    assert not (tmp_path / "p" / "unfinished").exists()


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(data, tmp_path, uninterrupted):
    process = start(data, tmp_path / "p")
    wait_for_checkpoint(process, tmp_path / "p")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert re.search(r"Stopped. The same command goes on from step \d+", errors)
    assert "Traceback" not in errors
    finish(data, tmp_path / "p")
    assert (tmp_path / "p" / "prompt.safetensors").read_bytes() == uninterrupted


def stop(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.fixture
def unfinished(shell, data, tmp_path, monkeypatch):
    """An output folder whose run was stopped after its last checkpoint."""
    with monkeypatch.context() as patch:
        patch.setattr(pt.Prompt, "save", stop)
        said = shell(*train(data, tmp_path / "p"), code=130)
    assert "goes on from step 4" in said.err
    return tmp_path / "p"


@pytest.mark.slow
def test_another_command_does_not_go_on_with_it(shell, refused, data, unfinished):
    message = refused(*train(data, unfinished, "--seed", "1"))
    assert "seed: 0 there, 1 here" in message
    assert "take another --out, or remove" in message
    assert "Going on from step 4." in shell(*train(data, unfinished)).out


def test_changed_data_do_not_go_on_with_it(refused, data, unfinished):
    write_csv(data, [row | {"review": row["review"][::-1]} for row in ROWS])
    assert "rows: " in refused(*train(data, unfinished))


def test_changed_dev_data_do_not_go_on_with_it(
    refused, shell, data, tmp_path, monkeypatch
):
    words = train(data, tmp_path / "p", "--dev-data", tmp_path / "dev.csv")
    write_csv(tmp_path / "dev.csv", ROWS[:8])
    with monkeypatch.context() as patch:
        patch.setattr(pt.Prompt, "save", stop)
        shell(*words, code=130)
    write_csv(tmp_path / "dev.csv", ROWS[8:16])
    assert "dev rows: " in refused(*words)


def test_an_unfinished_prompt_cannot_be_used(refused, data, unfinished, tmp_path):
    words = ["--prompt", unfinished, "--data", data, "--out", tmp_path / "out.csv"]
    assert "has not ended: run the same" in refused("predict", *words)


def test_stopped_before_the_first_checkpoint_it_starts_again(
    shell, data, tmp_path, monkeypatch
):
    monkeypatch.setattr("ptlearn.lm.load.load_lm", stop)
    said = shell(*train(data, tmp_path / "p"), code=130)
    assert "The same command starts again" in said.err
