"""Which weights on the way a study keeps, and what it measures of them. No torch is imported."""

import math
from typing import Any

from ..batch_of_one import held_out
from ..errors import InputError
from ..registry import EVALUATION, INITIAL, OF_SNAPSHOTS, SHARPNESS, find
from ..snapshots import Moment, kept_moments
from .keys import key_of
from .sizes import known_size
from .study import FULL, SHARED, Study

# What is measured of finished networks, and of all that is kept, where moments are named.
FINAL, KEPT = "final", "kept"
# How jobs about weights on the way begin.
TRAJECTORY = "trajectory"


def kept(study: Study) -> list[str]:
    """Return the names of the moments (`snapshots.Moment`) whose weights every training keeps."""
    trained = study.trained_conditions
    epochs = [spec["epochs"] for run, spec in study.training.items() if run[1] in trained]
    if not epochs or not study.pairs:
        return []
    return [moment.name for moment in kept_moments(_keep(study), min(epochs))]


def _keep(study: Study) -> Any:
    """Return what trainings are to keep; nothing in a study that trains no networks on data."""
    return study.config.get("training", {}).get("keep")


def moments(study: Study, family: str) -> list[str]:
    """Return the kept moments that a family is measured at, in their order."""
    there = kept(study)
    if family in OF_SNAPSHOTS and family != EVALUATION:
        return there
    wanted = {*_named(study, EVALUATION if family == EVALUATION else "sharpness")}
    return there if KEPT in wanted else [name for name in there if name in wanted]


def is_whole(family: str) -> bool:
    """Return whether a family measures all kept moments together."""
    return "path" in find("sharpness", family).takes


def times_measured(study: Study, family: str) -> int:
    """Return how often a family is measured along a training."""
    return 1 if is_whole(family) else len(moments(study, family))


def families_on_the_way(study: Study) -> list[str]:
    """Return the families that are measured at kept moments, registered ones first."""
    return [*_registered(study), *own_on_the_way(study)]


def own_on_the_way(study: Study) -> list[str]:
    """Return those of them that are of the user's own file."""
    return [name for name in study.own("sharpness") if moments(study, name)]


def _registered(study: Study) -> list[str]:
    wanted = {EVALUATION: {}, **study.config["sharpness"]}
    return [
        name
        for name in (*SHARPNESS, *OF_SNAPSHOTS)
        if wanted[name] is not None and moments(study, name)
    ]


def trajectory_jobs(study: Study) -> dict[str, list[str]]:
    """Return registered families by the job that measures them at kept moments.

    See `Study.sharpness_jobs`.
    """
    jobs = study.jobs_of(_registered(study))
    return {
        TRAJECTORY if job == SHARED else f"{TRAJECTORY}_{job}": own for job, own in jobs.items()
    }


def check_moments(study: Study) -> None:
    """Refuse moments that are not kept, or that some trainings do not reach."""
    keep = _keep(study)
    for run, spec in study.training.items():
        if run[1] not in study.trained_conditions:
            continue
        if spec["keep"] != keep:
            raise InputError(
                f"{key_of(study, *run, 'keep')}: all conditions keep the weights of the same"
                " moments; set it in training alone"
            )
        _check_reached(study, *run)
    there = kept(study)
    for section in ("sharpness", EVALUATION):
        if FINAL not in _named(study, section):
            raise InputError(
                f"{section}.on: lists no 'final', without which nothing can be compared"
            )
        for name in _named(study, section):
            if name in (INITIAL, FINAL) or (name == KEPT and there) or name in there:
                continue
            if name == KEPT:
                raise InputError(f"{section}.on: nothing is kept; set training.keep")
            moment = Moment.named(name)
            raise InputError(
                f"{section}.on: {moment.unit} {moment.count} is not kept; add it to training.keep"
            )
    others = [name for name in OF_SNAPSHOTS if name != EVALUATION]
    wanted = [name for name in others if study.config["sharpness"][name] is not None]
    if wanted and not there:
        raise InputError(
            f"sharpness.{wanted[0]}: measures weights on the way, and none are kept; set"
            " training.keep"
        )
    if len(there) < 2 and any(map(is_whole, wanted)):
        whole = next(filter(is_whole, wanted))
        raise InputError(
            f"sharpness.{whole}: runs through two moments or more, and training.keep has one; add"
            " another"
        )


def _check_reached(study: Study, *run: str) -> None:
    """Refuse a moment behind the end of a training; a step where it is known how many there are."""
    spec = study.training[run]
    moments_of_run = kept_moments(spec["keep"], spec["epochs"])
    if not moments_of_run:
        return
    last = moments_of_run[-1]
    ends = spec["epochs"] if last.unit == "epoch" else _steps(study, *run)
    if ends is not None and last.count > ends:
        key, keys = "training.keep", ["epochs"]
        if last.unit == "step":
            key, keys = f"{key}.steps", ["epochs", "batch_size"]
        raise InputError(
            f"{key_of(study, *run, *keys)}: {ends} {last.unit}s do not reach {last.unit}"
            f" {last.count} of {key}; leave that out, or train for longer"
        )


def _steps(study: Study, *run: str) -> int | None:
    """Return how many steps a training has, or None where its number of samples is not known."""
    spec, size = study.training[run], known_size(study, run[0]).train
    # Parts of data by class or domain have about so many samples.
    data = study.config["datasets"][run[0]]
    if size is None or data["classes"] is not None or data.get("train_domains") is not None:
        return None
    if share := (spec["averaging"] or {}).get("validation"):
        size -= held_out(share, size)
    batch = size if spec["batch_size"] == FULL else spec["batch_size"]
    return spec["epochs"] * math.ceil(size / batch)


def _named(study: Study, section: str) -> list[str]:
    """Return what a section is to be measured on; epochs by the names of their moments."""
    return [
        Moment("epoch", each).name if isinstance(each, int) else each
        for each in study.config[section]["on"]
    ]
