"""Runs in processes of their own: killed on the way, or several for one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import fit_run

import ptlearn as pt
from ptlearn.forward.kv_cache import ContextCache

PROGRAM = Path(fit_run.__file__)
pytestmark = pytest.mark.slow
LAUNCH = (
    "-m accelerate.commands.launch --cpu --num_processes 2 --num_machines 1 "
    "--mixed_precision no --dynamo_backend no --main_process_port 0"
)


def results(tmp_path, *launcher, folder=()):
    """Run the program and read what it wrote."""
    command = [sys.executable, *launcher, PROGRAM, tmp_path / "out", *folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "out").read_text())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the program forks")
def test_killed_at_every_moment_a_run_ends_as_the_uninterrupted_one(tmp_path):
    """Around each checkpoint: before it, half written, unnamed, and before tidying."""
    found = results(tmp_path, folder=[tmp_path / "runs"])
    assert found["uninterrupted"]["best_step"] > 0
    assert found["contexts kept"] == found["uninterrupted"]
    assert found["contexts spilled over"] == found["uninterrupted, spilled over"]
    assert found["uninterrupted plateau"]["stopped"] == "plateau"
    assert found["plateau"] == found["uninterrupted plateau"]
    left = [path.name for path in tmp_path.glob("runs/*/*")]
    assert left and all(name.startswith("step-") for name in left)


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    one = fit_run.train(pt.load_lm("tiny", device="cpu"))
    two = results(tmp_path, *LAUNCH.split())["uninterrupted"]
    for column in ("loss", "dev_loss"):
        pairs = zip(two["history"][column], one["history"][column], strict=True)
        for found, wanted in pairs:
            assert found == pytest.approx(wanted, abs=1e-4)
    # Not 0.7142857313..., which a float32 between the processes would make of 5/7.
    assert two["best_score"] in [hits / 7 for hits in range(8)]


@pytest.mark.parametrize(("spilled", "kept"), [(False, 2), (True, 1)])
def test_the_killed_runs_keep_both_splits_or_one(monkeypatch, spilled, kept):
    caches, get = set(), ContextCache.get

    def watched(cache, *args):
        caches.add(cache)
        return get(cache, *args)

    monkeypatch.setattr(ContextCache, "get", watched)
    lm = pt.load_lm("tiny", device="cpu")
    fit_run.train(lm, **(fit_run.SPILLED_OVER if spilled else {}))
    assert len(caches) == kept
