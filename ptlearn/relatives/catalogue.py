"""What the comparison consists of, in the order in which it is run.

First a few steps of every method at a rate at which nothing moves: numbers, bytes and
memory do not depend on what was learnt. Then one seed of every method with few rows on
each task, so that there is something of everything; then the other seeds; then all
rows. Before a method's first seed its rate is searched for: a half-decade grid that
goes on until a worse rate lies on both sides of the best, by the lowest dev loss of
runs that are as long as the ones that count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from ..studies.rates import rate_of
from .trial import METHODS, SETTINGS, UNTRAINED, WITH_RATE, Trial

FEW, ALL = 32, 0
CENTRES = {
    "prompt tuning": -2,
    "P-Tuning, LSTM": -5,
    "P-Tuning, MLP": -6,
    "prefix tuning": -4,
    "LoRA": -6,
    "full fine-tuning": -9,
}
"""Where each grid begins, in half decades: -2 is a rate of 0.1, -9 is 3.2e-5."""
MOST_RATES = 9
NO_STEP = 1e-12
"""A rate at which nothing moves: what a method costs does not depend on it."""
SHORT = {"steps": 4, "evaluate_every": 2, "test_rows": 8, "other_rows": 8}
"""What is enough to see what a method costs."""
LONGER = {"steps": 240, "evaluate_every": 20}
"""What trials with all rows have more of."""
SECONDS = {
    "best wording": 40,
    "8 demonstrations": 80,
    "prompt tuning": 75,
    "P-Tuning, LSTM": 80,
    "P-Tuning, MLP": 75,
    "prefix tuning": 150,
    "LoRA": 150,
    "full fine-tuning": 200,
    "linear probe": 60,
}
"""Guessed seconds of a trial with few rows, used until a CPU's row says better."""
SHORT_SECONDS = 30


@dataclass(frozen=True)
class RelativesStudy:
    """The whole comparison.

    Attributes
    ----------
    tasks, sizes, methods : tuple
        ``sizes`` are numbers of training rows; 0 is all.
    seeds : tuple of int
        Of the trials that count.
    tuning_seeds : tuple of int
        Of the trials that choose a rate; none of ``seeds``.
    own : dict
        Further settings of every trial, such as another model.
    """

    tasks: tuple[str, ...] = tuple(SETTINGS)
    sizes: tuple[int, ...] = (FEW, ALL)
    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] = (1000, 1001, 1002, 1003, 1004)
    tuning_seeds: tuple[int, ...] = (101,)
    own: tuple[tuple[str, object], ...] = ()

    def on_model(self, model: str, **settings) -> "RelativesStudy":
        """Return the same comparison on another model, or with other settings."""
        own = dict(self.own) | {"model": model} | settings
        return replace(self, own=tuple(own.items()))

    def trial(self, method: str, task: str, rows: int, **more) -> Trial:
        """Return a trial with this study's settings."""
        longer = {} if rows else LONGER
        return Trial(method, task, rows=rows, **longer | dict(self.own) | more)

    def cost_trial(self, method: str, task: str) -> Trial:
        """Return the short trial that shows what a method costs."""
        lr = NO_STEP if method in WITH_RATE else None
        seed = self.tuning_seeds[0]
        return self.trial(method, task, self.sizes[0], seed=seed, lr=lr, **SHORT)

    def seeds_of(self, method: str) -> tuple[int, ...]:
        """Return the seeds of a method; a wording alone has nothing to draw."""
        return self.seeds[:1] if method == "best wording" else self.seeds

    def trials(self, rows: Mapping[str, dict]) -> Iterator[tuple[str, Trial]]:
        """Yield every trial that is known to be needed, with its stage, in order.

        The stages are "cost", "search" and "count".

        Parameters
        ----------
        rows : mapping
            The rows there are, by key: a method's seeds follow when its rate is chosen.
        """
        for task in self.tasks:
            for method in self.methods:
                yield "cost", self.cost_trial(method, task)
        for size in self.sizes:
            for number in range(len(self.seeds)):
                for task in self.tasks:
                    for method in self.methods:
                        found = self._of_round(method, task, size, number, rows)
                        yield from found

    def _of_round(self, method, task, size, number, rows) -> list[tuple[str, Trial]]:
        search, lr = [], None
        if method in WITH_RATE:
            found, lr, _ = self.rate(method, task, size, rows)
            search = [] if number else [("search", trial) for trial in found]
            if lr is None:
                return search
        seeds = self.seeds_of(method)
        if number >= len(seeds):
            return search
        trial = self.trial(method, task, size, seed=seeds[number], lr=lr)
        return [*search, ("count", trial)]

    def rate(
        self, method: str, task: str, size: int, rows: Mapping[str, dict]
    ) -> tuple[list[Trial], float | None, dict[float, float]]:
        """Search a method's rate, as far as the rows go.

        Returns
        -------
        trials : list of Trial
            All that the search is known to need.
        lr : float or None
            The rate; None until it is known, and if no rate gave a finite loss.
        tried : dict of float to float
            The mean of the lowest dev losses at each rate, in nats.
        """
        centre = CENTRES[method]
        grid, trials, losses = {centre - 1, centre, centre + 1}, {}, {}
        while True:
            for half_decades in sorted(grid - set(losses)):
                tried = [
                    self.trial(
                        method,
                        task,
                        size,
                        seed=seed,
                        lr=rate_of(half_decades),
                        score_test=False,
                    )
                    for seed in self.tuning_seeds
                ]
                trials |= dict.fromkeys(tried)
                if all(trial.key in rows for trial in tried):
                    found = [_lowest(rows[trial.key]) for trial in tried]
                    losses[half_decades] = sum(found) / len(found)
            by_rate = {rate_of(n): loss for n, loss in sorted(losses.items())}
            if grid - set(losses):
                return list(trials), None, by_rate
            best = min(sorted(losses), key=losses.__getitem__)
            missing = {best - 1, best + 1} - grid
            if not missing or len(grid) >= MOST_RATES:
                chosen = rate_of(best) if losses[best] < inf else None
                return list(trials), chosen, by_rate
            grid |= missing

    def planned(self) -> dict[tuple[str, str, int], int]:
        """Return how many trials count for each (method, task, size)."""
        return {
            (method, task, size): len(self.seeds_of(method))
            for size in self.sizes
            for task in self.tasks
            for method in self.methods
        }

    def plan(self, rows: Mapping[str, dict]) -> list[dict]:
        """Return what is done and what is left, with the minutes that it will take.

        Returns
        -------
        list of dict
            One for each size, task, method and stage: ``done``, ``left`` (where a rate
            is not known yet, a grid of four is counted), ``seconds`` of one trial and
            ``minutes`` of one process for what is left.
        """
        lines = []
        for task in self.tasks:
            for method in self.methods:
                trial = self.cost_trial(method, task)
                done, seconds = trial.key in rows, seconds_of(trial, rows)
                about = self.sizes[0], task, method, "cost"
                lines.append(_line(*about, int(done), int(not done), seconds))
        for method, task, size in self.planned():
            lr, left, done = None, 0, 0
            if method in WITH_RATE:
                trials, lr, _ = self.rate(method, task, size, rows)
                done = sum(trial.key in rows for trial in trials)
                most = 4 * len(self.tuning_seeds)
                left = 0 if lr else max(len(trials), most) - done
                seconds = seconds_of(replace(trials[0], score_test=False), rows)
                lines.append(_line(size, task, method, "search", done, left, seconds))
            count = [
                self.trial(method, task, size, seed=seed, lr=lr)
                for seed in self.seeds_of(method)
                if lr is not None or method not in WITH_RATE
            ]
            done = sum(trial.key in rows for trial in count)
            left = len(self.seeds_of(method)) - done
            like = count[0] if count else replace(trials[0], score_test=True)
            seconds = seconds_of(like, rows)
            lines.append(_line(size, task, method, "count", done, left, seconds))
        return lines


def seconds_of(trial: Trial, rows: Mapping[str, dict]) -> float:
    """Return a trial's seconds on a CPU: the median of rows like it, or a guess.

    Rows of a GPU say nothing about a CPU's time, so they are passed over.
    """
    same = ("method", "task", "rows", "score_test", "model", "steps")
    alike = sorted(
        row["seconds"]
        for row in rows.values()
        if row.get("kind") == "trial"
        and not (row.get("device") or "").startswith("cuda")
        and all(row[name] == getattr(trial, name) for name in same)
    )
    if alike:
        return alike[len(alike) // 2]
    if trial.steps == SHORT["steps"]:
        return SHORT_SECONDS
    guess = SECONDS[trial.method] * (1 if trial.score_test else 0.6)
    longer = 1 if trial.rows or trial.method in UNTRAINED else LONGER["steps"] / 80
    return guess * longer


def _line(size, task, method, stage, done, left, seconds) -> dict:
    return {
        "rows": size or "all",
        "task": task,
        "method": method,
        "stage": stage,
        "done": done,
        "left": left,
        "seconds": round(seconds),
        "minutes": round(left * seconds / 60, 1),
    }


def _lowest(row: Mapping) -> float:
    """Return the lowest dev loss of a run, in nats; infinite for one that broke off."""
    broke = row["error"] or row["lowest_dev_loss"] is None
    return inf if broke else row["lowest_dev_loss"]
