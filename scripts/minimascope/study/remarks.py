"""What a valid study will not be able to say."""

from collections.abc import Iterator
from typing import Any

from ..analysis.rank_correlation import fewest_of
from ..analysis.tables import MAIN_MEASURES
from ..data.other_kinds import KINDS
from ..registry import SHARPNESS
from .checks import OTHER_DEVICES, TRAINING_DEVICES, WITH_DEVICES
from .corruptions import corruption_names
from .own_data import OVER_BOTH
from .study import Study

# Evaluations of the main table that every network has: accuracy, generalisation gap, ECE.
ALWAYS_EVALUATED = 3


def remarks(study: Study) -> Iterator[str]:
    """Yield a line for each kind of finding that a study is too small for, or switches off."""
    conditions = len(study.conditions)
    if not study.pairs:
        return
    yield from _uncorrupted(study)
    yield from _unseen_devices(study)
    if conditions == 1:
        yield "note: 1 condition: there is nothing to compare it with; add others"
        return
    if study.baseline is None:
        yield (
            "note: no condition is called baseline, and analysis.baseline names none: claims 1 and"
            " 2, the tables statistics and outcomes and their figures stay empty; set"
            f" analysis.baseline, such as to {study.conditions[0]}"
        )
    yield from _unchanged(study)
    one_seed = len(study.seeds) == 1
    if one_seed:
        yield "note: 1 seed: differences have no error, so no claim can be decided; use two or more"
    tested = min(_tested(study, *pair) for pair in study.pairs)
    if conditions < (fewest := fewest_of(tested)):
        unsure = one_seed or study.baseline is None
        yield (
            f"note: {conditions} conditions: none of {tested} or more correlations over conditions,"
            f" tested together, can be sure with fewer than {fewest}"
            f"{'' if unsure else '; differences between conditions can'}"
        )


def _tested(study: Study, dataset: str, network: str) -> int:
    """Return how many correlations the report tests together in a network, or a few less.

    Domains that are not seen, and measures that main tables do not have, are known only later.
    """
    families = (name for name in study.families if name in SHARPNESS)
    measured = [name for name in families if study.is_measured(name, dataset, network)]
    sharpness = {name for family in measured for name in SHARPNESS[family].gives}
    further = [
        *(bool(study.config["datasets"][dataset][kind]) for kind in KINDS),
        bool(corruption_names(study, dataset)),
        study.has_domains(dataset),
        len(study.seeds) > 1,
    ]
    return max(1, len(sharpness & {*MAIN_MEASURES})) * (ALWAYS_EVALUATED + sum(further))


def _uncorrupted(study: Study) -> Iterator[str]:
    """Yield a line for each data set whose corrupted copies the study switches off."""
    if study.config["evaluation"]["corruptions"] is not None:
        return
    for dataset, spec in study.config["datasets"].items():
        if spec["corrupted"] not in (None, "none"):
            yield (
                f"note: datasets.{dataset}.corrupted: {spec['corrupted']} does nothing, since"
                " evaluation.corruptions is null; leave one of them out"
            )


def _unseen_devices(study: Study) -> Iterator[str]:
    """Yield a line for each data set whose test split is known to have unseen domains."""
    for dataset, spec in study.config["datasets"].items():
        if spec["source"] in WITH_DEVICES:
            trained = spec["train_domains"] or TRAINING_DEVICES
            held_out = [name for name in TRAINING_DEVICES if name not in trained]
            yield (
                f"note: {dataset} is tested on seen domains ({', '.join(map(str, trained))}) and"
                f" unseen ones ({', '.join([*held_out, *OTHER_DEVICES])}): {OVER_BOTH}"
            )


def _unchanged(study: Study) -> Iterator[str]:
    """Yield a line for each condition that is trained as its baseline is, on all data sets."""
    for condition in study.trained_conditions:
        baseline = study.baseline_of(condition)
        if baseline in study.trained_conditions and all(
            _trained_as(study, *pair, condition) == _trained_as(study, *pair, baseline)
            for pair in study.pairs
        ):
            yield (
                f"note: conditions.{condition}: changes nothing of {baseline}, so both are the same"
                " networks; change a setting, or leave it out"
            )


def _trained_as(study: Study, dataset: str, network: str, condition: str) -> dict[str, Any]:
    """Return how a condition's networks are trained, with the norm that they have."""
    training = study.training[dataset, condition]
    return {**training, "norm": study.norm(dataset, network, condition)}
