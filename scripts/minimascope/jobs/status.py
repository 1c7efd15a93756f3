"""How far a study has come, from its files alone. No torch is imported here."""

import fcntl
import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from snakemake.dag import DAG
from snakemake.jobs import Job

from ..safetensors_files import METADATA_KEY
from .pace import duration, earlier_seconds

# How a log tells epochs (`progress`).
EPOCHS = re.compile(r"^training: epoch (\d+) of (\d+)", re.MULTILINE)
RUNNING = Path(".snakemake", "running")


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


def running(folder: Path) -> bool:
    """Return whether a run is going on in a folder: it holds a file there locked."""
    with suppress(FileNotFoundError), (folder / RUNNING).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def training_of(job: Job) -> Training | None:
    """Return how far a training has come, by its log and checkpoint; None if it has not begun."""
    log = Path(job.log[0])
    if not log.exists():
        return None
    text = log.read_text(encoding="utf-8", errors="replace")
    bars = EPOCHS.findall(text)
    done, epochs = map(int, bars[-1]) if bars else (0, None)
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    name = " ".join(job.wildcards_dict[key] for key in ("dataset", "network", "condition"))
    loss = _loss(Path(job.output[0]).with_name("checkpoint.safetensors"), done)
    return Training(
        f"{name}, seed {job.wildcards_dict['seed']}", done, epochs, loss, "".join(errors[-1:])
    )


def _loss(checkpoint: Path, done: int) -> float | None:
    # One with more epochs is of an earlier training.
    with suppress(FileNotFoundError, SafetensorError), safe_open(checkpoint, "numpy") as file:
        metadata = json.loads(file.metadata()[METADATA_KEY])
        if 0 < metadata["epoch"] <= done:
            return dict(metadata["history"][-1])["train_loss"]
    return None


def screen(dag: DAG, cores: int, going_on: bool) -> list[str]:
    """Return lines about a study as Snakemake plans it.

    Args:
        dag: of the study.
        cores: jobs at once.
        going_on: whether a run is.
    """
    jobs = [job for job in dag.jobs if job.output]
    left = [job for job in jobs if dag.needrun(job)]
    trainings = [job for job in jobs if job.rule.name == "train"]
    open_ = [job for job in left if job.rule.name == "train"]
    trained = f"{len(trainings) - len(open_)} of {len(trainings)} networks trained; "
    lines = [
        f"{trained if trainings else ''}{len(jobs) - len(left)} of {len(jobs)} jobs done"
        f"{_time_left(jobs, left, cores)}"
    ]
    begun = filter(None, map(training_of, open_))
    return lines + [_line(training, going_on) for training in begun]


def _line(training: Training, going_on: bool) -> str:
    if training.failed:
        return f"failed: {training.name}: {training.failed.removeprefix('error: ')}"
    epochs = f"epoch {training.done} of {training.epochs}" if training.epochs else "starting"
    loss = "" if training.loss is None else f", training loss {training.loss:.4g}"
    return f"{'in training' if going_on else 'interrupted'}: {training.name}: {epochs}{loss}"


def _time_left(jobs: Sequence[Job], left: Sequence[Job], cores: int) -> str:
    """Return the time left by what the jobs of each rule have taken, as the end of a sentence."""
    if not left:
        return ""
    seconds = earlier_seconds(jobs)
    counts = Counter(job.rule.name for job in left)
    known = sum(count * seconds[rule] for rule, count in counts.items() if rule in seconds)
    # Light jobs at the end have no records yet.
    if "train" in counts and "train" not in seconds:
        return "; the time left is known after the first training"
    return f"; about {duration(known / cores)} left with {cores} at once" if known else ""
