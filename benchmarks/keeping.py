"""What keeping a frozen context costs against reading it anew, in tokens.

``python keeping.py`` on a quiet machine, about three minutes. It measures the guess
``KEEPING_COSTS`` of ``ptlearn.training.contexts``, which decides whether contexts are
kept. Reading anew costs ``plain`` at each visit; keeping costs ``first`` once and
``later`` from then on. Keeping wins after v visits with

    v * plain = first + (v - 1) * later,

and ``pays_to_keep`` puts that point at (v - 1) * tokens = KEEPING_COSTS.
"""

import pandas as pd
import typer
from bench import Times
from peers import CONTEXT, Case, Ours, make_rows
from tqdm import tqdm

import ptlearn as pt
from ptlearn.forward.kv_cache import frozen_context
from ptlearn.training.contexts import KEEPING_COSTS


def keeping_row(lm: pt.LanguageModel, tokens: int, repeats: int, train: bool) -> dict:
    """Medians in milliseconds for a batch of 16, and what they come to."""
    case = Case(f"context {tokens}", CONTEXT, tokens)
    rows, ours = make_rows(lm, tokens, 16 * (repeats + 1)), Ours(lm, case)
    call = ours.step if train else ours.score
    times = Times()
    for start in range(0, len(rows), 16):
        batch = rows[start : start + 16]
        ours.context_cache = None
        times.take("plain", call, batch)
        ours.keep_contexts(batch)
        times.take("first", call, batch)
        times.take("later", call, batch)
    medians = {name: 1e3 * value for name, value in times.medians().items()}
    read = [len(frozen_context(ours.tuner.tokens.encode(row).ids)) for row in rows]
    length = sum(read) / len(read)
    saved = medians["plain"] - medians["later"]
    visits = (medians["first"] - medians["later"]) / saved if saved > 0 else None
    costs = None if visits is None else (visits - 1) * length
    about = {"pass": "training" if train else "evaluation", "tokens": length}
    return about | medians | {"pays after visits": visits, "costs, tokens": costs}


def main(repeats: int = 9, lengths: str = "4,8,16,32,64") -> None:
    """Print a line for each length of context, for training and for evaluation."""
    lm = pt.load_lm(device="cpu")
    asked = [(int(n), train) for train in (True, False) for n in lengths.split(",")]
    lines = [keeping_row(lm, n, repeats, train) for n, train in tqdm(asked)]
    print(pd.DataFrame(lines).to_string(index=False, float_format="%.1f"))
    print(f"KEEPING_COSTS is {KEEPING_COSTS}.")


if __name__ == "__main__":
    typer.run(main)
