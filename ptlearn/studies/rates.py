"""The search for an arm's learning rate, as the settling study demands it.

An encoder multiplies the learning rate: at one rate the table moves 30 to 170 times as
far behind an LSTM or MLP as by itself. So each arm's grid is centred by a probe of how
far its table moves, and all arms try the same moves. The grid goes on until a worse
rate lies on both sides of the best. Only dev rows choose, over several seeds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf, log10
from statistics import fmean, median

from .job import Job

MOST_RATES = 14
"""More than seven decades of rates; a search that is not over by then never is."""


@dataclass(frozen=True)
class Protocol:
    """How a staged study chooses rates, and what it then runs.

    Attributes
    ----------
    rates : int
        Half-decade steps in the first grid; odd.
    tuning_fold : int or None
        The cross-validation fold that rates are chosen on; see ``Job.cv_fold``.
    tuning_seeds : tuple of int
        Seeds of the runs that choose. No confirming run has one of them.
    probe_steps, probe_lr
        The probe: so many steps at a rate so low that the move is in proportion to it.
    centre_move : float
        Root-mean-square move of a coordinate of the table in one step, at the rate in
        the middle of the grid.
    search_steps, halving_steps, confirm_steps : int
        Steps of a run in each stage; in the last, the most that a plateau may take.
    folds : tuple of int or None
        What the confirming runs are tested on; None is the task's own test split.
    seeds_per_fold : int
        Confirming runs of each arm and fold.
    first_seed : int
        The confirming runs' seeds follow from it.
    """

    rates: int = 5
    tuning_fold: int | None = 0
    tuning_seeds: tuple[int, ...] = (101, 102)
    probe_steps: int = 10
    probe_lr: float = 1e-4
    centre_move: float = 0.02
    search_steps: int = 60
    halving_steps: int = 120
    confirm_steps: int = 300
    folds: tuple[int | None, ...] = (0, 1, 2, 3, 4)
    seeds_per_fold: int = 3
    first_seed: int = 1000

    def confirming_seeds(self) -> list[tuple[int | None, int]]:
        """Return (fold, seed) of each confirming run; no seed comes twice."""
        return [
            (fold, self.first_seed + 10 * i + j)
            for i, fold in enumerate(self.folds)
            for j in range(self.seeds_per_fold)
        ]


def with_seeds(job: Job, seed: int) -> Job:
    """Return the job with seeds of their own for start, weights and order of rows."""
    own = {"start_seed": 3 * seed, "weights_seed": 3 * seed + 1}
    return replace(job, seed=seed, order_seed=3 * seed + 2, **own)


def rate_of(half_decades: int) -> float:
    """Return the rate 10 ** (n / 2), in two significant digits: 0.01, 0.032, 0.1."""
    return float(f"{10 ** (half_decades / 2):.2g}")


class RateSearch:
    """The search for one arm's rate: what it needs to run, and what it chose.

    Rates are counted in half decades: 0 is 1, -2 is 0.1, -3 is 0.032.

    Parameters
    ----------
    job : Job
        The arm's.
    protocol : Protocol
    rows : mapping
        The rows there are, by key.

    Attributes
    ----------
    jobs : dict of Job to str
        All jobs that are known to be needed, with their stage: "probe", "search",
        "halving" or "widening".
    tried : dict of float to float
        Mean dev loss of each rate, at the longest horizon that it was run to.
    chosen : float or None
        The rate; None until it is known.
    bracketed : bool
        Whether a worse rate lies on both sides of the chosen one.
    """

    def __init__(self, job: Job, protocol: Protocol, rows: Mapping[str, dict]):
        self.protocol, self.rows = protocol, rows
        self.job = replace(job, cv_fold=protocol.tuning_fold, score_test=False)
        self.jobs: dict[Job, str] = {}
        self.tried: dict[float, float] = {}
        self.chosen: float | None = None
        self.bracketed = False
        self._search()

    def _search(self) -> None:
        centre = self._probe()
        if centre is None:
            return
        reach = self.protocol.rates // 2
        grid = range(centre - reach, centre + reach + 1)
        short = self._losses(grid, self.protocol.search_steps, "search")
        if short is None:
            return
        best, *others = sorted(grid, key=short.__getitem__)
        # A short run favours a hot rate, so the winner's lower neighbour goes on too.
        long, stage = {best, *others[:1], best - 1}, "halving"
        while True:
            losses = self._losses(sorted(long), self.protocol.halving_steps, stage)
            if losses is None:
                return
            best = min(losses, key=losses.__getitem__)
            missing = {best - 1, best + 1} - long
            if not missing or len(long) >= MOST_RATES:
                self.chosen, self.bracketed = rate_of(best), not missing
                return
            long, stage = long | missing, "widening"

    def _probe(self) -> int | None:
        """Return the rate that moves the table by ``centre_move`` a step."""
        steps, lr = self.protocol.probe_steps, self.protocol.probe_lr
        probe = {"steps": steps, "evaluate_every": steps, "warmup": 0.0, "dev_rows": 16}
        jobs = [
            replace(with_seeds(self.job, seed), lr=lr, schedule="linear", **probe)
            for seed in self.protocol.tuning_seeds
        ]
        self.jobs |= dict.fromkeys(jobs, "probe")
        if any(job.key not in self.rows for job in jobs):
            return None
        # Adam's very first steps are longer than those that follow.
        moves = [median(self.rows[job.key]["moves"][1 : steps // 2]) for job in jobs]
        rate = self.protocol.centre_move / (fmean(moves) / lr)
        return round(2 * log10(rate))

    def _losses(
        self, rates: Iterable[int], steps: int, stage: str
    ) -> dict[int, float] | None:
        """Return the mean of the lowest dev losses of each rate; None if one lacks."""
        found, complete = {}, True
        for rate in rates:
            jobs = [
                replace(with_seeds(self.job, seed), lr=rate_of(rate), steps=steps)
                for seed in self.protocol.tuning_seeds
            ]
            for job in jobs:
                self.jobs.setdefault(job, stage)
            if any(job.key not in self.rows for job in jobs):
                complete = False
                continue
            found[rate] = fmean(lowest_dev_loss(self.rows[job.key]) for job in jobs)
            self.tried[rate_of(rate)] = found[rate]
        return found if complete else None


def lowest_dev_loss(row: Mapping) -> float:
    """Return the lowest dev loss of a run, in nats; infinite for one that broke off."""
    if row["error"]:
        return inf
    return min((loss for _, loss in row["dev_losses"]), default=inf)
