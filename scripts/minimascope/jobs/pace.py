"""How long what is left of a run will take, by the jobs that have finished."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from snakemake.jobs import Job


@dataclass
class Pace:
    """The jobs of a run that are left, under way and finished. All times are in seconds.

    Attributes:
        left: how many jobs of each rule have not finished.
        earlier: mean duration of the jobs of a rule in earlier runs.
        finished: durations of the jobs of a rule that have finished in this run.
        running: rule and beginning of the jobs under way, by Snakemake's number of the job.
        began: when the first job began.
    """

    left: Counter[str]
    earlier: Mapping[str, float]
    finished: dict[str, list[float]] = field(default_factory=dict)
    running: dict[int, tuple[str, float]] = field(default_factory=dict)
    began: float | None = None

    def begin(self, job: int, rule: str, now: float) -> None:
        """Take note that a job has begun."""
        self.began = now if self.began is None else self.began
        self.running[job] = rule, now

    def finish(self, job: int, now: float) -> float:
        """Take note that a job has finished, and return its duration."""
        rule, began = self.running.pop(job)
        self.left[rule] -= 1
        self.finished.setdefault(rule, []).append(now - began)
        return now - began

    def time_left(self, now: float) -> str:
        """Return the time left as part of a sentence; nothing as long as there is no basis for it.

        It is the sum over jobs left of the mean duration of their rule, over the mean number of
        jobs at once so far: cores, GPUs or a cluster's queue may be what limits these. Jobs of
        rules that never ran count as the median rule; if they are more than half of the sum, that
        is no basis.
        """
        if not self.finished:
            return ""
        known = {**self.earlier, **{rule: mean(times) for rule, times in self.finished.items()}}
        seconds = {rule: known.get(rule, median(known.values())) for rule in self.left}
        work = {rule: count * seconds[rule] for rule, count in self.left.items()}
        elapsed = [(rule, now - began) for rule, began in self.running.values()]
        for rule, time in elapsed:
            work[rule] -= min(time, seconds[rule])
        total = sum(work.values())
        if not total or 2 * sum(work[rule] for rule in work if rule in known) < total:
            return ""
        spent = sum(map(sum, self.finished.values())) + sum(time for _, time in elapsed)
        at_once = spent / (now - self.began)
        return f"about {duration(total / at_once)} left"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that it is at least two of."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def earlier_seconds(jobs: Iterable[Job]) -> dict[str, float]:
    """Return the mean duration of each rule's jobs in earlier runs, from their benchmark files."""
    seconds: dict[str, list[float]] = {}
    for job in jobs:
        if job.benchmark and Path(job.benchmark).exists():
            with Path(job.benchmark).open(encoding="utf-8") as file:
                times = [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
            seconds.setdefault(job.rule.name, []).extend(times)
    return {rule: mean(times) for rule, times in seconds.items() if times}
