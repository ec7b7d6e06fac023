"""``ptlearn doctor --prompt``: what is wrong with a saved prompt and its rows."""

import pytest
from shell_tools import ROWS, TEMPLATE, write_csv

import ptlearn as pt
from ptlearn.training import UNSEEN


@pytest.fixture(scope="module")
def prompt(tmp_path_factory):
    made = pt.PromptTuner(pt.load_lm("tiny"), TEMPLATE).fold()
    made.answers = ["good", "bad"]
    return made.save(tmp_path_factory.mktemp("prompt"))


@pytest.fixture
def labelled(tmp_path):
    rows = [
        {"review": f"{row['review']} {i}", "verdict": i % 2}
        for i, row in enumerate(ROWS)
    ]
    return write_csv(tmp_path / "rows.csv", rows)


def doctor(prompt, data, *more):
    words = ["--answer-column", "verdict", "--no-eight-rows", *more]
    return ["doctor", "--prompt", prompt, "--data", data, *words]


WORDS = ["--label", "0=good", "--label", "1=bad"]


@pytest.mark.slow
def test_each_check_is_a_line_and_the_end_says_what_is_not_seen(
    shell, prompt, labelled
):
    said = shell(*doctor(prompt, labelled, *WORDS, "--eight-rows"))
    lines = said.out.splitlines()
    assert lines[0].startswith("[OK]   fields: ") and lines[-1] == UNSEEN
    assert "0 of 12 are surely wrong" in said.out and "eight rows" in said.out


@pytest.mark.slow
def test_the_file_of_a_prompt_is_as_good_as_its_folder(shell, prompt, labelled):
    file = prompt / "prompt.safetensors"
    assert "[OK]   fields" in shell(*doctor(file, labelled, *WORDS)).out


@pytest.mark.slow
def test_what_is_surely_wrong_gives_exit_code_1(shell, prompt, labelled):
    said = shell(*doctor(prompt, labelled), code=1)
    assert "[FAIL] answers: 100% of the rows" in said.out
    assert "What to do: Give the labels and the candidates the same words" in said.out


@pytest.mark.slow
def test_a_budget_is_asked_of_every_row(shell, prompt, labelled):
    said = shell(*doctor(prompt, labelled, *WORDS, "--max-tokens", 3), code=1)
    assert "longer than 3 tokens" in said.out


def test_prompt_and_rows_belong_together(refused, prompt, labelled):
    assert "--data" in refused("doctor", "--prompt", prompt, code=2)
    assert "--prompt" in refused("doctor", "--data", labelled, code=2)
    three = [word for _ in range(3) for word in ("--data", labelled)]
    assert "at most two files" in refused("doctor", "--prompt", prompt, *three)
