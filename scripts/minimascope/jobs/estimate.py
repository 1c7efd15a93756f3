"""How long a run will take, before any of its jobs has finished.

By the records of earlier runs of the study, and, for what these have not, by the work of each job:
a batch of each network is trained to see how fast this machine is. In the default study that is
within a factor of two. No torch is imported here.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from snakemake.jobs import Job

from ..attacks.spec import passes_of
from ..files import write_text
from ..registry import REESTIMATED, library_of
from ..study import between
from ..study.corruptions import corruption_names, corruption_spec
from ..study.moments import TRAJECTORY, times_measured, trajectory_jobs
from ..study.sizes import Size, counted_size
from ..study.study import SHARED, Study
from .pace import duration, earlier_seconds, kind_of_job, rule_of

LIBRARY = Path(__file__).parents[2]
# What a run expects of the duration of each kind of jobs, for those who ask how far it is.
EXPECTED = Path(".snakemake", "expected")
# Seconds that the timing may take; a run that has to wait longer begins without.
LONGEST = 60
# Seconds that a job takes which computes little.
LIGHT = 2.0
# Seconds that corrupting a second of sound takes, with its features (docs/audio.md).
PER_SECOND_OF_SOUND = 3e-3
# Seconds from which on a run on a CPU is warned of.
LONG = 12 * 60 * 60
# Data set, network, optimiser, and the size of m-SAM's groups where there are any.
Key = tuple[str, str, str, int | None]


@dataclass(frozen=True)
class Speed:
    """What this machine takes, in seconds.

    Attributes:
        start: of a process with torch.
        per_sample: for an input: in an epoch of training without SAM, in batches of the size of
            m-SAM's groups where there are any, and in a prediction.
        sizes: of the data sets, in samples.
    """

    start: float
    per_sample: Mapping[Key, tuple[float, float]]
    sizes: Mapping[str, Size]


@dataclass(frozen=True)
class Machine:
    """What jobs run on: cores and GPUs for so many at once, here or on a cluster's machines."""

    cores: int
    gpus: int
    remote: bool = False


@dataclass(frozen=True)
class Forecast:
    """What is said of a run before it begins.

    Attributes:
        seconds: duration of each kind of jobs (`pace.kind_of`), empty where that is not known.
        time: of the whole run, as part of a sentence.
        warning: a sentence about what will take very long; empty if nothing will.
    """

    seconds: Mapping[str, float]
    time: str
    warning: str


def timed(study: Study) -> Speed | None:
    """Return how fast this machine is with the networks of a study.

    None where the size of some data set is not known before it is read, nothing is trained, the
    study has parts of its own, or torch cannot train one of the networks; the job that trains it
    will say why.
    """
    if study.parts is not None:
        # Planning runs nothing of the user's own file.
        return None
    cases: dict[Key, dict[str, Any]] = {}
    sizes = {dataset: counted_size(study, dataset) for dataset in study.config["datasets"]}
    for (dataset, network), condition in product(study.pairs, study.trained_conditions):
        size = sizes[dataset]
        if None in (size.train, size.classes, size.shape):
            return None
        training = study.training[dataset, condition]
        key = _key(dataset, network, training)
        settings = training | {"batch_size": key[-1] or training["batch_size"]}
        case = {"network": study.network_spec(network), "training": settings, **vars(size)}
        cases.setdefault(key, case)
    path = os.pathsep.join(filter(None, [str(LIBRARY), os.environ.get("PYTHONPATH")]))
    if not cases:
        return None
    try:
        result = subprocess.run(
            [*shlex.split(sys.executable), "-m", f"{__package__}.timing"],
            input=json.dumps(list(cases.values())),
            env={**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1"},
            capture_output=True,
            check=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.SubprocessError:
        return None
    found = json.loads(result.stdout)
    return Speed(found["start"], dict(zip(cases, found["seconds"], strict=True)), sizes)


def _key(dataset: str, network: str, training: Mapping[str, Any]) -> Key:
    group_size = (training["sam"] or {}).get("group_size")
    return dataset, network, training["optimizer"]["name"], group_size


def work_of(study: Study, speed: Speed, rule: str, wildcards: Mapping[str, str]) -> float:
    """Return about how long a job takes, in seconds."""
    if rule not in _working(study):
        return speed.start
    if rule == "network_ensembles":
        return _seconds_together(study, speed, wildcards["dataset"], wildcards["condition"])
    if rule == "corrupt_recordings":
        size = speed.sizes[wildcards["dataset"]]
        return speed.start + _seconds_of_copies(
            study, wildcards["dataset"], wildcards["kind"], size
        )
    dataset, network = wildcards["dataset"], wildcards["network"]
    size = speed.sizes[dataset]
    condition = wildcards.get("condition")
    trained = study.trained_conditions
    spec = study.training[dataset, condition if condition in trained else trained[0]]
    training, prediction = speed.per_sample[_key(dataset, network, spec)]
    if rule == "train":
        # SAM and its variants take two gradients in a step; a step of an attack is about as long as
        # one of training.
        attacks = spec["adversarial"]["steps"] if spec["adversarial"] else 0
        passes = spec["epochs"] * ((2 if spec["sam"] else 1) + attacks)
        return speed.start + passes * size.train * training
    return speed.start + _inputs(study, rule, wildcards, size) * prediction


def _seconds_together(study: Study, speed: Speed, dataset: str, condition: str) -> float:
    """Return about how long the corrupted copies take with all networks that predict together."""
    trained = study.trained_conditions
    spec = study.training[dataset, condition if condition in trained else trained[0]]
    size = speed.sizes[dataset]
    where = {"dataset": dataset, "condition": condition}
    inputs = _inputs(study, "evaluate", where, size) - len(study.seeds) * (size.test or 0)
    keys = (_key(dataset, each, spec) for each in study.network_ensembles[dataset])
    return speed.start + inputs * sum(speed.per_sample[key][1] for key in keys)


def _seconds_of_copies(study: Study, dataset: str, kind: str, size: Size) -> float:
    """Return about how long corrupted copies of recordings take, of a kind at all severities."""
    spec, features = corruption_spec(study, dataset, kind), study.features_spec(dataset)
    copies = len(spec["names"]) * len(spec["severities"])
    clips = min(spec["samples"] or size.test, size.test)
    sound = (size.shape[2] - 1) * features["hop_length"] / features["sample_rate"]
    return copies * clips * sound * PER_SECOND_OF_SOUND


def _inputs(study: Study, rule: str, wildcards: Mapping[str, str], size: Size) -> int:
    """Return how many inputs a job of measures passes through its networks, gradients as more."""
    dataset = wildcards["dataset"]
    if rule == "evaluate":
        corruptions = study.config["evaluation"]["corruptions"] or {}
        test = size.test or 0
        copies = len(corruption_names(study, dataset)) * len(corruptions.get("severities", ()))
        return len(study.seeds) * (test + copies * min(corruptions.get("samples") or test, test))
    if rule == "attack":
        section = study.config["evaluation"]["adversarial"]
        test = size.test or 0
        return passes_of(section, size.classes) * min(section["samples"] or test, test)
    if rule == "interpolate":
        wanted, network = study.interpolation, wildcards["network"]
        points, curve = wanted["points"], wanted["bezier"] or {"steps": 0, "batch_size": 0}
        # BatchNorm's statistics are a further pass.
        anew = wanted["batchnorm"] == REESTIMATED and any(
            study.has_batchnorm(dataset, network, each) for each in between.interpolated(study)
        )
        of_point = size.train * (1 + anew)
        of_line = of_point * points * (1 + wanted["matched"] + bool(curve["steps"]))
        # A step on a curve has a gradient, which counts as three.
        of_line += 3 * curve["steps"] * min(curve["batch_size"], size.train)
        lines = between.lines(study, int(wildcards["seed"]))
        return len(lines) * of_line + len(wanted["planes"]) * of_point * points**2
    run = {key: wildcards[key] for key in ("network", "condition", "seed") if key in wildcards}
    if rule in study.sharpness_jobs:
        times = dict.fromkeys(study.sharpness_jobs[rule], 1)
    else:
        families = trajectory_jobs(study)[rule]
        times = {family: times_measured(study, family) for family in families}
    passes = sum(study.passes(family, dataset, **run) * n for family, n in times.items())
    samples = min(size.train, study.config["sharpness"]["samples"] or size.train)
    return (len(study.seeds) if rule in (SHARED, TRAJECTORY) else 1) * passes * samples


def _working(study: Study) -> set[str]:
    """Return the rules whose jobs take as long as what they compute."""
    rules = {"train", "evaluate", "network_ensembles", "interpolate", "toy_fits", "toy_sharpness"}
    rules |= {"attack", "corrupt_recordings", *study.sharpness_jobs}
    return rules | {*trajectory_jobs(study)}


def job_seconds(study: Study, jobs: Sequence[Job], remote: bool) -> dict[str, float] | None:
    """Return the duration of each kind of jobs (`pace.kind_of`), or None where it is not known yet.

    Args:
        study: of the jobs.
        jobs: all that the study consists of.
        remote: whether they run on other machines than this one.
    """
    earlier = earlier_seconds(jobs)
    unknown = {*map(kind_of_job, jobs)} - earlier.keys()
    rules = {rule_of(kind) for kind in unknown}
    if not rules & _working(study):
        return dict.fromkeys(unknown, LIGHT) | earlier
    if remote or rules & {"toy_fits", "toy_sharpness"} or (speed := timed(study)) is None:
        return None
    works: dict[str, list[float]] = {kind: [] for kind in unknown}
    for job in jobs:
        kind = kind_of_job(job)
        # Seeds take the same time, except where only some have a measure, or more directions.
        if kind in unknown and (not works[kind] or _varies(study, rule_of(kind))):
            works[kind].append(work_of(study, speed, rule_of(kind), job.wildcards_dict))
    return {kind: mean(found) for kind, found in works.items()} | earlier


def _varies(study: Study, rule: str) -> bool:
    """Return whether networks differ in how a family of measures, the rule's, is measured."""
    chosen = (families.get(rule) for families in study.selections.values())
    return any(selection is not None and selection.selects for selection in chosen)


def keep_expected(study: str, seconds: Mapping[str, float]) -> None:
    """Keep what a run expects of the duration of each kind of jobs of a study."""
    write_text(EXPECTED / f"{study}.json", json.dumps(seconds))


def kept_expected(study: str) -> dict[str, float]:
    """Return what the last run of a study expected; nothing before there was one."""
    with suppress(FileNotFoundError):
        return json.loads((EXPECTED / f"{study}.json").read_text(encoding="utf-8"))
    return {}


def run_seconds(jobs: Iterable[Job], seconds: Mapping[str, float], machine: Machine) -> float:
    """Return how long jobs take on a machine, as many at once as it has cores, or GPUs for some."""
    of_all = of_gpus = 0.0
    for job in jobs:
        of_all += seconds[kind_of_job(job)]
        of_gpus += seconds[kind_of_job(job)] if "gpu" in job.rule.resources else 0.0
    return max(of_all / machine.cores, of_gpus / machine.gpus if machine.gpus else 0.0)


def forecast(
    study: Study, machine: Machine, jobs: Sequence[Job], needed: Sequence[Job]
) -> Forecast:
    """Return how long a run will take.

    Args:
        study: of the jobs.
        machine: that they run on.
        jobs: all that the study consists of.
        needed: those that have to run.
    """
    seconds = job_seconds(study, jobs, machine.remote)
    if seconds is None:
        return Forecast({}, "the time is not known yet", _warning(study, machine, needed, None))
    total = run_seconds(needed, seconds, machine)
    if machine.remote:
        return Forecast(seconds, f"about {duration(total * machine.cores)} of computing", "")
    warning = _warning(study, machine, needed, total)
    return Forecast(seconds, f"about {duration(total)}", warning)


def _has_full_width(architecture: str) -> bool:
    return architecture != "mlp" and (":" not in architecture or bool(library_of(architecture)))


def _warning(study: Study, machine: Machine, needed: Sequence[Job], total: float | None) -> str:
    """Return what is to be said where large networks are trained on a CPU."""
    names = [job.wildcards_dict["network"] for job in needed if job.rule.name == "train"]
    specs = map(study.network_spec, names)
    # That of an MLP is small, and that of the user's own network means what its code says.
    full = sum(spec["width"] >= 1 and _has_full_width(spec["architecture"]) for spec in specs)
    if machine.gpus or machine.remote or not full or (total is not None and total < LONG):
        return ""
    time = "" if total is None else f", about {duration(total)}"
    return (
        f"{full} {'network' if full == 1 else 'networks'} of full width"
        f" {'is' if full == 1 else 'are'} to be trained on a CPU{time}; use smaller ones (width"
        " below 1, as in config.yaml, or a smaller network of the library), train fewer seeds or"
        " epochs, or use a GPU (docs/cluster.md)"
    )
