"""How far a study has come, from its files alone. No torch is imported here."""

import fcntl
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from snakemake.dag import DAG
from snakemake.jobs import Job

from ..files import read_json
from ..safetensors_files import METADATA_KEY
from .pace import duration, kind_of_job

# Gives, for jobs, the duration of each kind of them (`pace.kind_of`), or None if it is not known.
Expected = Callable[[Sequence[Job]], Mapping[str, float] | None]
# What rules that train call that in their logs (`progress`).
TRAININGS = {"train": "training", "toy_fits": "fits"}
# What a job of a rule is one of, if the jobs of that rule are counted.
COUNTED = {
    "train": "networks trained",
    "adopt": "networks adopted",
    "toy_fits": "fits of toy functions finished",
}
# How the log of a job ends that has finished (`job`).
FINISHED = re.compile(r"^finished in .* s\s*\Z", re.MULTILINE)


@dataclass(frozen=True)
class Training:
    """A training that has begun and not ended.

    Attributes:
        name: what is trained.
        done: epochs that have ended.
        epochs: all.
        loss: training loss of the last of them whose checkpoint was kept; None before there is one.
        failed: why it failed; empty if it has not.
    """

    name: str
    done: int
    epochs: int | None
    loss: float | None
    failed: str


def running(held: Path) -> bool:
    """Return whether a run is going on: it holds a file locked."""
    with suppress(FileNotFoundError), held.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def training_of(job: Job) -> Training | None:
    """Return how far a training has come, by its log and checkpoint; None if it has not begun."""
    log = Path(job.log[0])
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    # A log that ends like this is of an earlier job, such as a fit of fewer epochs.
    if not text or FINISHED.search(text):
        return None
    bars = re.findall(rf"^{TRAININGS[job.rule.name]}: epoch (\d+) of (\d+)", text, re.MULTILINE)
    done, epochs = map(int, bars[-1]) if bars else (0, None)
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    loss = _loss(Path(job.output[0]).with_name("checkpoint.safetensors"), done)
    return Training(_name(job), done, epochs, loss, "".join(errors[-1:]))


def _loss(checkpoint: Path, done: int) -> float | None:
    # One with more epochs is of an earlier training.
    with suppress(FileNotFoundError, SafetensorError), safe_open(checkpoint, "numpy") as file:
        metadata = json.loads(file.metadata()[METADATA_KEY])
        if 0 < metadata["epoch"] <= done:
            return dict(metadata["history"][-1])["train_loss"]
    return None


def screen(dag: DAG, cores: int, going_on: bool, expected: Expected) -> list[str]:
    """Return lines about a study as Snakemake plans it.

    Args:
        dag: of the study.
        cores: jobs at once.
        going_on: whether a run is.
        expected: gives, for all jobs, the duration of each kind of them, or None.
    """
    jobs = [job for job in dag.jobs if job.output]
    left = [job for job in jobs if dag.needrun(job)]
    needed = set(left)
    begun = {
        job: training
        for job in left
        if job.rule.name in TRAININGS and (training := training_of(job))
    }
    by_rule = {rule: [job for job in jobs if job.rule.name == rule] for rule in COUNTED}
    networks = "".join(
        f"{sum(job not in needed for job in of_rule)} of {len(of_rule)} {COUNTED[rule]}; "
        for rule, of_rule in by_rule.items()
        if of_rule
    )
    time = _time_left(left, begun, expected(jobs) if left else {}, cores)
    done = f"{networks}{len(jobs) - len(left)} of {len(jobs)} jobs done{time}"
    doubts = filter(None, (_doubt(job) for job in by_rule["adopt"] if job not in needed))
    return [done, *(_line(training, going_on) for training in begun.values()), *doubts]


def _doubt(job: Job) -> str:
    """Return why an adopted network is to be doubted, as a line; empty if it is not."""
    doubt = read_json(job.output.about)["doubt"]
    return f"in doubt: {_name(job)}: {doubt}" if doubt else ""


def _name(job: Job) -> str:
    """Return the network of a job in words."""
    names = dict(job.wildcards_dict)
    seed = names.pop("seed")
    return f"{' '.join(names.values())}, seed {seed}"


def _line(training: Training, going_on: bool) -> str:
    if training.failed:
        return f"failed: {training.name}: {training.failed.removeprefix('error: ')}"
    epochs = f"epoch {training.done} of {training.epochs}" if training.epochs else "starting"
    loss = "" if training.loss is None else f", training loss {training.loss:.4g}"
    return f"{'in training' if going_on else 'interrupted'}: {training.name}: {epochs}{loss}"


def _time_left(
    left: Sequence[Job],
    begun: Mapping[Job, Training],
    seconds: Mapping[str, float] | None,
    cores: int,
) -> str:
    """Return the time left by what each kind of jobs takes, as the end of a sentence."""
    if not left:
        return ""
    if not seconds:
        return "; the time left is known after the first training"
    total = 0.0
    for job in left:
        training = begun.get(job)
        done = training.done / training.epochs if training and training.epochs else 0.0
        # Light jobs that are new have no record yet.
        total += (1 - done) * seconds.get(kind_of_job(job), 0.0)
    return f"; about {duration(total / cores)} left with {cores} at once"
