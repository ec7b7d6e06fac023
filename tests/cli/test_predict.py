"""``ptlearn predict``: every row comes back, with its answer or with the reason."""

import csv
import json
import resource
import subprocess
import sys

import pytest
from shell_tools import ROWS, TEMPLATE, write_csv

import ptlearn as pt
from ptlearn.tasks.readers import read_file

LONG = "long " * 600  # the tiny model reads 512 tokens


@pytest.fixture(scope="module")
def prompt(tmp_path_factory):
    """A folder with a prompt that was never trained, which is enough to predict."""
    folder = tmp_path_factory.mktemp("prompt")
    made = pt.PromptTuner(pt.load_lm("tiny"), TEMPLATE).fold()
    made.answers = ["good", "bad"]
    return made.save(folder)


def predict(prompt, data, out, *more) -> list:
    return ["predict", "--prompt", prompt, "--data", data, "--out", out, *more]


@pytest.mark.slow
def test_answers_are_those_of_the_prompt(shell, prompt, tmp_path):
    rows = [{"review": 'a film, "so-so"', "note": "0012"}, {"review": "ü", "note": ""}]
    data = write_csv(tmp_path / "new.csv", rows)
    said = shell(*predict(prompt, data, tmp_path / "out.csv"))
    assert "2 rows are in" in said.out and not said.err
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["review", "note", "predicted", "log_prob"]
    assert [{k: row[k] for k in ("review", "note")} for row in found] == rows
    loaded = pt.Prompt.load(prompt, pt.load_lm("tiny"))
    assert [row["predicted"] for row in found] == loaded.predict(rows)
    answered = [row | {"answer": row["predicted"]} for row in found]
    wanted = loaded.answer_log_probs(answered).tolist()
    assert [float(r["log_prob"]) for r in found] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_predictions_in_every_format(suffix, shell, prompt, data, tmp_path):
    out = tmp_path / "new" / f"out{suffix}"
    shell(*predict(prompt, data, out))
    found = read_file(out)
    assert [row["review"] for row in found] == [row["review"] for row in ROWS]
    assert {row["predicted"] for row in found} <= {"good", "bad"}
    assert all(float(row["log_prob"]) < 0 for row in found)


@pytest.mark.slow
def test_values_are_read_as_in_training(shell, prompt, tmp_path):
    """A number in JSON is the text that the same cell of a CSV file gives."""
    (tmp_path / "n.jsonl").write_text('{"review": 7}\n{"review": null}\n')
    said = shell(*predict(prompt, tmp_path / "n.jsonl", tmp_path / "out.jsonl"))
    assert "1 of 2 rows have an empty cell" in said.err
    found = read_file(tmp_path / "out.jsonl")
    loaded = pt.Prompt.load(prompt, pt.load_lm("tiny"))
    wanted = loaded.predict([{"review": "7"}, {"review": ""}])
    assert [row["predicted"] for row in found] == wanted


def test_a_blank_line_of_one_column_is_a_row_with_an_answer(shell, prompt, tmp_path):
    (tmp_path / "n.csv").write_text("review\nfine\n\nbad\n")
    said = shell(*predict(prompt, tmp_path / "n.csv", tmp_path / "out.csv"))
    assert "1 of 3 rows have an empty cell" in said.err
    found = read_file(tmp_path / "out.csv")
    assert [row["review"] for row in found] == ["fine", "", "bad"]


@pytest.mark.slow
def test_values_are_written_as_they_were_read(shell, prompt, tmp_path):
    row = {"review": "fine", "n": 7, "flag": True, "none": None, "list": [1, "ü"]}
    (tmp_path / "n.jsonl").write_text(json.dumps(row) + '\n{"review": "x"}\n')
    shell(*predict(prompt, tmp_path / "n.jsonl", tmp_path / "out.jsonl"))
    first, second = read_file(tmp_path / "out.jsonl")
    assert first == row | {k: first[k] for k in ("predicted", "log_prob")}
    assert list(second) == ["review", "predicted", "log_prob"]


# --- rows that cannot be answered -----------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_row_that_is_too_long_does_not_cost_the_others(
    suffix, shell, prompt, tmp_path
):
    rows = [{"review": text} for text in ("fine", LONG, "bad")]
    data, out = write_csv(tmp_path / "n.csv", rows), tmp_path / f"out{suffix}"
    said = shell(*predict(prompt, data, out), code=3)
    assert "1 of 3 rows could not be answered" in said.err
    found = read_file(out)
    assert [row["review"] for row in found] == [row["review"] for row in rows]
    loaded = pt.Prompt.load(prompt, pt.load_lm("tiny"))
    assert [found[i]["predicted"] for i in (0, 2)] == loaded.predict([rows[0], rows[2]])
    assert not found[1]["predicted"] and not found[1]["log_prob"]
    assert "tiny reads at most 512" in found[1]["error"]
    assert not found[0]["error"] and not found[2]["error"]


@pytest.mark.slow
def test_rows_of_which_none_can_be_answered(shell, prompt, tmp_path):
    data = write_csv(tmp_path / "n.csv", [{"review": LONG}] * 2)
    said = shell(*predict(prompt, data, tmp_path / "out.csv"), code=3)
    assert "2 of 2 rows could not be answered" in said.err
    assert [row["predicted"] for row in read_file(tmp_path / "out.csv")] == ["", ""]


def test_the_help_explains_the_exit_code(shell):
    assert "The exit code is then 3" in " ".join(shell("predict", "--help").out.split())


# --- refused --------------------------------------------------------------------


def test_a_missing_column_names_those_there_are(refused, prompt, tmp_path):
    new = write_csv(tmp_path / "n.csv", [{"reviews": "fine", "id": 1}])
    message = refused(*predict(prompt, new, tmp_path / "out.csv"))
    assert "no column 'review' in n.csv. Did you mean 'reviews'" in message
    assert "It has: reviews, id" in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "text"), [("predicted", "fine"), ("log_prob", "fine"), ("error", LONG)]
)
def test_a_column_that_would_be_overwritten_is_refused(
    column, text, refused, prompt, tmp_path
):
    new = write_csv(tmp_path / "n.csv", [{"review": text, column: "x"}])
    message = refused(*predict(prompt, new, tmp_path / "out.csv"))
    assert f"already has a column '{column}'" in message
    assert not (tmp_path / "out.csv").exists()


def test_no_rows_are_refused(refused, prompt, tmp_path):
    (tmp_path / "n.csv").write_text("review\n")
    message = refused(*predict(prompt, tmp_path / "n.csv", tmp_path / "out.csv"))
    assert "n.csv has no rows" in message


def test_broken_files_are_one_line_with_the_place(refused, prompt, tmp_path):
    (tmp_path / "n.csv").write_text('review,id\nfine,1\n"open,2\nbad,3\n')
    message = refused(*predict(prompt, tmp_path / "n.csv", tmp_path / "out.csv"))
    assert "n.csv, line 3: a quote opens a cell here" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("name", ["reviews.csv", "out.xls"])
def test_an_out_that_makes_no_sense_is_a_matter_of_usage(
    name, refused, prompt, data, tmp_path
):
    message = refused(*predict(prompt, data, tmp_path / name), code=2)
    assert "--out" in message
    assert "is the data itself" in message or ".csv, .tsv, .jsonl" in message


def test_no_prompt_and_a_damaged_one_are_refused(refused, data, tmp_path):
    out = tmp_path / "out.csv"
    assert "no prompt in" in refused(*predict(tmp_path, data, out))
    (tmp_path / "prompt.json").write_text('{"template": ')
    (tmp_path / "prompt.safetensors").write_bytes(b"half")
    assert f"{tmp_path} is damaged" in refused(*predict(tmp_path, data, out))


@pytest.mark.slow
def test_a_full_disk_leaves_what_was_there(prompt, data, tmp_path):
    """No file may grow beyond 500 bytes: the system says so as on a full disk."""
    out = tmp_path / "out.csv"
    out.write_text("before")
    words = [str(word) for word in predict(prompt, data, out)]
    done = subprocess.run(
        [sys.executable, "-m", "ptlearn", *words],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: {out} cannot be written")
    assert "Traceback" not in done.stderr
    assert out.read_text() == "before"
    assert len(list(tmp_path.glob("*out*"))) == 1
