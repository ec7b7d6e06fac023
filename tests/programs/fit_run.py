"""A training run in a process of its own.

python fit_run.py OUT
    runs to the end and writes the table and the losses to OUT as JSON; may be
    launched as several processes.
python fit_run.py OUT FOLDER
    runs uninterrupted, and again with every process killed: at each kind of moment
    around each checkpoint in turn. Writes what each way ended with to OUT. The
    processes are forks of this one, which has imported everything; POSIX alone.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from killing import die, in_a_process  # noqa: E402

import ptlearn as pt  # noqa: E402

torch.set_num_threads(1)
SUBJECTS = ["Osaka", "Lagos", "Rio", "Port Moresby", "Kano", "Kobe", "Recife", "Lae"]
COUNTRIES = ["Japan", "Nigeria", "Brazil", "Papua New Guinea"]
ROWS = [
    {"subject": f"{subject} {n}", "answer": COUNTRIES[(i + n) % 4]}
    for i, subject in enumerate(SUBJECTS)
    for n in range(3)
]
# With one answer in dev, and a low score for it at the start, training raises it.
TASK = pt.Task.from_rows(ROWS[:17], dev=[r | {"answer": "Japan"} for r in ROWS[17:]])
EVERY = 4
MOMENTS = ("between checkpoints", "writing", "written", "renamed")
CHECKPOINTS = (4, 8, 12, 16, 20)
SPILLED_OVER = {"kv_cache_bytes": 30_000}
# The dev loss is lowest at step 8, known to be flat at 20, and the decay ends at 24.
PLATEAU = {"schedule": "plateau", "lr": 0.1, "steps": 40}
PLATEAU_CHECKPOINTS = (8, 20, 24)


def train(lm: pt.LanguageModel, **settings) -> dict:
    tuner = pt.PromptTuner(
        lm,
        "The city of {subject} lies in the country that is called [V:3] {answer}",
        encoder=pt.EncoderConfig("lstm", dropout=0.2, residual=True),
    )
    defaults = {"steps": 20, "lr": 0.01, "batch_size": 4, "evaluate_every": EVERY}
    defaults |= {"metric": "accuracy", "seed": 3, "progress": False}
    history = pt.fit(tuner, TASK, **(defaults | settings))
    frame = history.frame.drop(columns="seconds")
    return {
        "table": tuner.fold().prompt_embeddings().tolist(),
        "history": frame.astype(object).where(frame.notna(), None).to_dict("list"),
        "best_step": history.best_step,
        "best_score": history.best_score,
        "stopped": history.stopped,
    }


def die_at(moment: str, step: int) -> None:
    """Arrange that this process is killed at a moment around the step's checkpoint."""
    name = f"step-{step:06d}-"
    write_bytes, replace, forward = Path.write_bytes, os.replace, pt.PromptTuner.forward
    steps = []

    def dying_write(path, content):
        if moment == "writing" and path.name.startswith(name):
            write_bytes(path, content[: len(content) // 2])
            die()
        return write_bytes(path, content)

    def dying_replace(source, target):
        ours = Path(target).name.startswith(name)
        if ours and moment == "written":
            die()
        replace(source, target)
        if ours and moment == "renamed":
            die()

    def dying_forward(tuner, *args):
        steps.append(1)
        if moment == "between checkpoints" and len(steps) == EVERY - 1:
            die()
        return forward(tuner, *args)

    Path.write_bytes, os.replace = dying_write, dying_replace
    pt.PromptTuner.forward = dying_forward


def killed_on_the_way(lm, folder: Path, checkpoints, **settings) -> dict:
    settings |= {"checkpoint_dir": folder, "resume": True}
    for step in checkpoints:
        for moment in MOMENTS:

            def work(step=step, moment=moment):
                die_at(moment, step)
                train(lm, **settings)

            killed_by = in_a_process(work)
            assert killed_by == signal.SIGKILL, f"not killed: {moment}, step {step}"
    out = folder.with_suffix(".json")
    in_a_process(lambda: out.write_text(json.dumps(train(lm, **settings))))
    return json.loads(out.read_text())


def main(out: str, folder: str | None = None) -> None:
    lm = pt.load_lm("tiny", device="cpu")
    result = {"uninterrupted": train(lm)}
    if folder is not None:
        runs = {
            "contexts kept": (CHECKPOINTS, {}),
            "contexts spilled over": (CHECKPOINTS, SPILLED_OVER),
            "plateau": (PLATEAU_CHECKPOINTS, PLATEAU),
        }
        for name, (checkpoints, settings) in runs.items():
            place = Path(folder) / name
            result[name] = killed_on_the_way(lm, place, checkpoints, **settings)
        result["uninterrupted, spilled over"] = train(lm, **SPILLED_OVER)
        result["uninterrupted plateau"] = train(lm, **PLATEAU)
    if os.environ.get("RANK", "0") == "0":
        Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
