"""A training run in a process of its own, to be killed or launched twice.

python fit_run.py OUT CHECKPOINTS CONTEXT_BYTES
writes the final table and losses to OUT; resumes from CHECKPOINTS.
"""

import json
import sys
from pathlib import Path

import torch

import ptlearn as pt

torch.set_num_threads(1)
SUBJECTS = ["Osaka", "Lagos", "Rio", "Port Moresby", "Kano", "Kobe", "Recife", "Lae"]
COUNTRIES = ["Japan", "Nigeria", "Brazil", "Papua New Guinea"]
ROWS = [
    {"subject": f"{subject} {n}", "answer": COUNTRIES[(i + n) % 4]}
    for i, subject in enumerate(SUBJECTS)
    for n in range(3)
]


def main(out: str, checkpoints: str, context_bytes: str) -> None:
    lm = pt.load_lm("tiny", device="cpu")
    task = pt.Task.from_rows(ROWS[:16], dev=ROWS[16:])
    tuner = pt.PromptTuner(
        lm,
        "{subject} is in [V:3] {answer}",
        encoder=pt.EncoderConfig("lstm", dropout=0.2, residual=True),
    )
    history = pt.fit(
        tuner,
        task,
        steps=40,
        batch_size=4,
        evaluate_every=4,
        seed=3,
        lr=0.01,
        context_bytes=int(context_bytes),
        checkpoint_dir=checkpoints if checkpoints != "none" else None,
        resume=True,
        progress=False,
    )
    result = {
        "table": tuner.fold().prompt_embeddings().tolist(),
        "losses": [record["loss"] for record in history.records],
        "best_step": history.best_step,
    }
    Path(out).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
