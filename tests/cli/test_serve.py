"""``ptlearn serve``: a saved prompt behind HTTP, on this computer alone."""

import pytest
from shell_tools import TEMPLATE

import ptlearn as pt
from ptlearn import service


@pytest.fixture
def served(monkeypatch):
    calls = []
    monkeypatch.setattr(service, "serve", lambda *a, **kw: calls.append((a, kw)))
    return calls


@pytest.fixture
def prompt(tmp_path):
    made = pt.PromptTuner(pt.load_lm("tiny"), TEMPLATE).fold()
    made.answers = ["good", "bad"]
    return made.save(tmp_path / "prompt")


@pytest.mark.slow
def test_it_listens_on_this_computer_unless_told_otherwise(shell, prompt, served):
    said = shell("serve", "--prompt", prompt)
    assert "http://127.0.0.1:8000 answers" in said.out and "/predict -d" in said.out
    shell("serve", "--prompt", prompt, "--port", 81, "--host", "0.0.0.0")
    assert [kw for _, kw in served] == [
        {"host": "127.0.0.1", "port": 8000},
        {"host": "0.0.0.0", "port": 81},
    ]
    assert served[0][0][0].answers == ["good", "bad"]


def test_a_folder_without_a_prompt_is_refused(refused, tmp_path, served):
    assert "no prompt in" in refused("serve", "--prompt", tmp_path)
    assert not served
