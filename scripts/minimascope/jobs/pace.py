"""How long what is left of a run will take, by the jobs that have finished."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import mean, median
from typing import Any

from snakemake.jobs import Job

# What a time left that was told counts beside one that is new: it moves in small steps. One that is
# wrong by more than this factor does not count.
STEADINESS = 0.7
WRONG = 3.0
# So many seconds of a run count for as many jobs at once as the machine has room for.
WARMING_UP = 120


def kind_of(rule: str, wildcards: Mapping[str, Any]) -> str:
    """Return what jobs have in common that take about the same time: all but the seed.

    >>> kind_of("train", {"dataset": "digits", "condition": "sam", "seed": "0"})
    'train digits sam'
    """
    return " ".join([rule, *(str(wildcards[key]) for key in wildcards if key != "seed")])


def rule_of(kind: str) -> str:
    """Return the rule of a kind of jobs."""
    return kind.partition(" ")[0]


@dataclass
class Pace:
    """The jobs of a run that are left, under way and finished. All times are in seconds.

    Attributes:
        left: how many jobs of each kind (`kind_of`) have not finished.
        earlier: duration of the jobs of a kind, from earlier runs or as estimated.
        at_once: how many jobs can run at once; None where that is for a cluster to say.
        finished: durations of the jobs of a kind that have finished in this run.
        running: kind and beginning of the jobs under way, by Snakemake's number of the job.
        began: when the first job began.
        told: what was last said of the time left, and when.
    """

    left: Counter[str]
    earlier: Mapping[str, float]
    at_once: int | None = None
    finished: dict[str, list[float]] = field(default_factory=dict)
    running: dict[int, tuple[str, float]] = field(default_factory=dict)
    began: float | None = None
    told: tuple[float, float] | None = None

    def begin(self, job: int, kind: str, now: float) -> None:
        """Take note that a job has begun."""
        self.began = now if self.began is None else self.began
        self.running[job] = kind, now

    def finish(self, job: int, now: float) -> float:
        """Take note that a job has finished, and return its duration."""
        kind, began = self.running.pop(job)
        self.left[kind] -= 1
        self.finished.setdefault(kind, []).append(now - began)
        return now - began

    def time_left(self, now: float) -> str:
        """Return the time left as part of a sentence; nothing as long as there is no basis for it.

        It is the sum over jobs left of the duration of their kind, over the mean number of jobs at
        once so far: cores, GPUs or a cluster's queue may be what limits these. Jobs of rules that
        never ran count as the median; if they are more than half of the sum, that is no basis. What
        was said before counts, too, less the time that has passed.
        """
        if not self.finished:
            return ""
        known = self._known()
        seconds = {kind: known.get(kind, median(known.values())) for kind in self.left}
        work = {kind: count * seconds[kind] for kind, count in self.left.items()}
        elapsed = [(kind, now - began) for kind, began in self.running.values()]
        for kind, time in elapsed:
            work[kind] -= min(time, seconds[kind])
        total = sum(work.values())
        if not total or 2 * sum(work[kind] for kind in work if kind in known) < total:
            return ""
        spent = sum(map(sum, self.finished.values())) + sum(time for _, time in elapsed)
        return f"about {duration(self._steady(total / self._rate(spent, now), now))} left"

    def _known(self) -> dict[str, float]:
        """Return the duration of each kind of which something is known.

        That is the mean of this run, or what was expected, times how much longer than expected
        other jobs of the rule have taken, or their mean.
        """
        found: dict[str, float] = {}
        for _, kinds in groupby(sorted({*self.left, *self.earlier}, key=rule_of), rule_of):
            kinds = [*kinds]
            means = {kind: mean(self.finished[kind]) for kind in kinds if kind in self.finished}
            both = means.keys() & self.earlier.keys()
            expected = sum(self.earlier[kind] for kind in both)
            factor = sum(means[kind] for kind in both) / expected if expected else 1.0
            others = {} if not means else dict.fromkeys(kinds, mean(means.values()))
            scaled = {kind: factor * self.earlier[kind] for kind in kinds if kind in self.earlier}
            found |= others | scaled | means
        return found

    def _rate(self, spent: float, now: float) -> float:
        """Return how many jobs run at once, in the beginning as many as there is room for."""
        passed = now - self.began
        if self.at_once is None:
            return spent / passed
        return (spent + WARMING_UP * self.at_once) / (passed + WARMING_UP)

    def _steady(self, seconds: float, now: float) -> float:
        if self.told is not None:
            before = max(self.told[0] - (now - self.told[1]), 0.0)
            if seconds < WRONG * before and before < WRONG * seconds:
                seconds += STEADINESS * (before - seconds)
        self.told = seconds, now
        return seconds


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that it is at least two of."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def earlier_seconds(jobs: Iterable[Job]) -> dict[str, float]:
    """Return the mean duration of each kind of jobs in earlier runs, from their benchmark files."""
    seconds: dict[str, list[float]] = {}
    for job in jobs:
        if job.benchmark and Path(job.benchmark).exists():
            with Path(job.benchmark).open(encoding="utf-8") as file:
                times = [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
            seconds.setdefault(kind_of_job(job), []).extend(times)
    return {kind: mean(times) for kind, times in seconds.items() if times}


def kind_of_job(job: Job) -> str:
    """Return the `kind_of` a job."""
    return kind_of(job.rule.name, job.wildcards_dict)
