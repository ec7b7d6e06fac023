"""The checks of lesson 07: other tasks."""

from ..expect import done, exercise, expect, require

CLASSES = ["animal", "food", "place"]


@exercise
def ex07_1(classify):
    """Check classes with several label words each, on drawn log-probabilities."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(7)
    for sizes in ((1, 1), (3, 1), (1, 4, 2)):
        words = {
            name: [f"{name}-{i}" for i in range(size)]
            for name, size in zip(CLASSES, sizes, strict=False)
        }
        columns = [word for own in words.values() for word in own] + ["unused"]
        table = pd.DataFrame(rng.normal(-5, 2, (60, len(columns))), columns=columns)
        given, names = table.copy(), {name: list(own) for name, own in words.items()}
        shares = pd.DataFrame(
            {c: np.exp(table[w]).sum(axis=1) for c, w in words.items()}
        )
        wanted = shares.idxmax(axis=1).tolist()
        got = done(classify(given, names))
        tried = f"60 drawn rows, {' and '.join(map(str, sizes))} words a class"
        require(hasattr(got, "__len__"), f"{tried}: got {got!r}, not a list.")
        got = [str(one) for one in got]
        require(len(got) == len(wanted), f"{tried}: got {len(got)} classes.")
        wrong = sum(g != w for g, w in zip(got, wanted, strict=True))
        require(not wrong, f"{tried}: {wrong} rows get another class.")
        require(given.equals(table), f"{tried}: your function changed the table.")


@exercise
def ex07_2(calibrated):
    """Check contextual calibration, on drawn log-probabilities."""
    import numpy as np

    rng = np.random.default_rng(2)
    for rows, inputs, answers in ((4, 1, 2), (5, 3, 2), (6, 4, 5)):
        table = rng.normal(-6, 2, (rows, answers))
        # Some inputs make all answers improbable: normalised, they count as much.
        free = rng.normal(-6, 2, (inputs, answers)) - 3 * np.arange(inputs)[:, None]
        shares = np.exp(free) / np.exp(free).sum(axis=1, keepdims=True)
        tried = f"{rows} rows, {inputs} content-free inputs, {answers} answers"
        got = calibrated(table.copy(), free.copy())
        expect(tried, got, table - np.log(shares.mean(axis=0)), tol=1e-8)


@exercise
def ex07_3(tune):
    """Check tuning with label words, on two tasks whose majorities are opposite."""
    words = {"hot": "great", "cold": "terrible"}
    for common, rare in (("hot", "cold"), ("cold", "hot")):
        task = _tea_or_milk(common, rare)
        classify = done(tune(task, words))
        require(callable(classify), f"tune(...) gave a {type(classify).__name__}.")
        rows = [{"text": row["text"]} for row in task.train]
        got = [str(one) for one in done(list(classify(rows)))]
        tried = f"a task with {len(rows)} rows, nearly all {common!r}"
        expect(f"{tried}: number of classes", len(got), len(rows))
        strange = sorted(set(got) - set(words))
        require(not strange, f"{tried}: {strange} are no classes of the task.")
        share = got.count(common) / len(got)
        require(
            share > 0.5,
            f"{tried}: only {share:.0%} of the rows are classified so.",
        )


def _tea_or_milk(common: str, rare: str):
    from ...tasks.task import Task, load_task

    names = [row["subject"] for row in load_task("capital").train][:24]
    rows = [
        {"text": name, "answer": rare if i % 12 == 0 else common}
        for i, name in enumerate(names)
    ]
    return Task.from_rows(rows)


@exercise
def ex07_4(swapped):
    """Check the control of word in context: second sentences of other rows."""
    import copy

    for number in (2, 3, 12):
        rows = [
            {
                "word": f"word {i}",
                "sentence1": f"first {i}",
                "sentence2": f"second {i}",
                "answer": "yes" if i % 2 else "no",
            }
            for i in range(number)
        ]
        found = []
        for seed in range(12):
            given = copy.deepcopy(rows)
            got = [dict(row) for row in done(swapped(given, seed))]
            tried = f"{number} rows, seed {seed}"
            require(given == rows, f"{tried}: your function changed the rows given.")
            expect(f"{tried}: number of rows", len(got), number)
            for column in ("word", "sentence1", "answer"):
                kept = [row[column] for row in got]
                require(
                    kept == [row[column] for row in rows],
                    f"{tried}: the column {column} is not as it was.",
                )
            second = [row["sentence2"] for row in got]
            own = [row["sentence2"] for row in rows]
            require(
                sorted(second) == sorted(own),
                f"{tried}: not each second sentence is there once.",
            )
            same = sum(a == b for a, b in zip(second, own, strict=True))
            require(not same, f"{tried}: {same} rows keep their own second sentence.")
            again = [row["sentence2"] for row in swapped(copy.deepcopy(rows), seed)]
            require(second == again, f"{tried}: a second call gives another result.")
            found.append(tuple(second))
        require(
            number < 12 or len(set(found)) > 1,
            f"{number} rows: all seeds give the same.",
        )
