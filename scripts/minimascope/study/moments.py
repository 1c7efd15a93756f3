"""Which weights on the way a study keeps, and what it measures of them. No torch is imported."""

from typing import Any

from ..errors import InputError
from ..registry import EVALUATION, INITIAL, OF_SNAPSHOTS, SHARPNESS, find
from ..snapshots import Moment, kept_moments
from .keys import key_of
from .study import SHARED, Study

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
    """Return the kept moments that a registered family is measured at, in their order."""
    there = kept(study)
    if family in OF_SNAPSHOTS and family != EVALUATION:
        return there
    wanted = {*_named(study, EVALUATION if family == EVALUATION else "sharpness")}
    return there if KEPT in wanted else [name for name in there if name in wanted]


def is_whole(family: str) -> bool:
    """Return whether a registered family measures all kept moments together."""
    return "path" in find("sharpness", family).takes


def times_measured(study: Study, family: str) -> int:
    """Return how often a family is measured along a training."""
    return 1 if is_whole(family) else len(moments(study, family))


def families_on_the_way(study: Study) -> list[str]:
    """Return the registered families that are measured at kept moments."""
    wanted = {EVALUATION: {}, **study.config["sharpness"]}
    return [
        name
        for name in (*SHARPNESS, *OF_SNAPSHOTS)
        if wanted[name] is not None and moments(study, name)
    ]


def trajectory_jobs(study: Study) -> dict[str, list[str]]:
    """Return families by the job that measures them at kept moments; see `Study.sharpness_jobs`."""
    jobs = study.jobs_of(families_on_the_way(study))
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
        late = [m.count for m in kept_moments(keep, spec["epochs"]) if m.unit == "epoch"]
        if late and late[-1] > spec["epochs"]:
            raise InputError(
                f"{key_of(study, *run, 'epochs')}: {spec['epochs']} epochs do not reach epoch"
                f" {late[-1]} of training.keep; leave that out, or train for longer"
            )
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
    if "path" in wanted and len(there) == 1:
        raise InputError(
            "sharpness.path: takes the weights of two moments or more, and one is kept; add another"
            " to training.keep"
        )


def _named(study: Study, section: str) -> list[str]:
    """Return what a section is to be measured on; epochs by the names of their moments."""
    return [
        Moment("epoch", each).name if isinstance(each, int) else each
        for each in study.config[section]["on"]
    ]
