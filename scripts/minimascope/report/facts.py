"""What the captions of a report depend on, so that they describe only what the study has."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from ..analysis.agreement import UNCERTAIN
from ..analysis.wording import listed
from ..attacks.spec import AttackSpec
from ..registry import INITIAL, INTERPOLATED, REESTIMATED

# Measures of sharpness as the papers' code computes them.
PUBLISHED_TWINS = (
    "fisher_rao_norm_l5",
    "sam_sharpness_published",
    "relative_flatness_published",
)
# The table of all measures of a study in which no network learns data.
NO_MODELS = pd.DataFrame(
    columns=["network", "condition", "seed", "family", "measure", "n", "trained", "converged"]
)


class Facts(NamedTuple):
    """What report/contents.yaml can ask for.

    Attributes:
        networks: how many the study trains.
        conditions: how many of a network trained at most, with the cells of sweeps.
        points: how many conditions of all networks trained.
        seeds: how many of a condition trained at most.
        spectrum_seeds: of how many of a condition there are spectra at most.
        landscape_seeds: the same of landscapes.
        test_samples: how many the smallest of its data sets has for testing, or 0.
        sweeps: whether it sweeps settings.
        augmented: whether a condition augments its training data.
        augmented_view: whether figures of a network show sharpness on augmented data there.
        averaged: whether a condition ends with an average of its weights.
        attacked: whether a condition trains on attacked inputs.
        attack: what attacks on inputs are, in words; empty without any.
        untrained: whether a network did not train.
        unconverged: whether a solver stopped before all eigenvalues had converged.
        published: whether there are measures of sharpness as the papers' code computes them.
        null: whether the published SAM-sharpness has a null.
        reversal: whether a trend over all networks surely runs against that of each.
        recordings: whether there are data of recordings.
        unseen: whether the test data have domains that the training data do not.
        cities: whether the data name cities.
        doubtful: whether a published value that ours are compared with is in doubt.
        unmatched: whether networks were trained elsewhere, from other initial weights.
        matched: whether there are lines between networks whose hidden units are matched.
        curved: whether there are curves of low loss between networks.
        planes: whether there are planes through networks.
        between_seeds: whether there are lines between networks of different seeds.
        reestimated: whether BatchNorm's statistics are estimated anew at points between networks.
        interpolated: whether they are on the line between those of both networks there.
        toy_width: of both hidden layers of the networks that learn toy functions, or 0.
        noise: σ of small, medium and large noise of the inputs in words, if it is measured.
    """

    networks: int
    conditions: int
    points: int
    seeds: int
    spectrum_seeds: int
    landscape_seeds: int
    test_samples: int
    sweeps: bool
    augmented: bool
    augmented_view: bool
    averaged: bool
    attacked: bool
    attack: str
    untrained: bool
    unconverged: bool
    published: bool
    null: bool
    reversal: bool
    recordings: bool
    unseen: bool
    cities: bool
    doubtful: bool
    unmatched: bool
    matched: bool
    curved: bool
    planes: bool
    between_seeds: bool
    reestimated: bool
    interpolated: bool
    toy_width: int
    noise: str


def facts_of(config: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Facts:
    """Return the facts of a study.

    Args:
        config: the study, its defaults filled in.
        tables: those of `contents.TABLES_OF_FACTS` that the study has, by name.
    """

    def any_of(table: str, column: str, value: object) -> bool:
        return table in tables and bool(tables[table][column].eq(value).any())

    def is_set(setting: str) -> bool:
        """Whether a condition has a setting, as data sets and sweeps have it, too."""
        settings = tables.get("conditions", pd.DataFrame())
        return setting in settings and bool(settings[setting].notna().any())

    models = tables.get("measures", NO_MODELS)
    models = models[models["condition"] != INITIAL]
    names = set(models["measure"])
    tested = models.loc[models["measure"] == "test_accuracy", "n"]
    keys = ["network", "condition", "seed"]
    trained = models.loc[models["trained"].eq(True), keys].drop_duplicates()
    points = trained[keys[:2]].drop_duplicates()
    conditions = config.get("conditions", {}).values()
    here = [settings for settings in conditions if "checkpoint" not in settings]
    augmenting = [config.get("training", {}), *here]
    lines = config.get("sharpness", {}).get("interpolation") or {}
    augmented = any(settings.get("augment") for settings in augmenting)
    return Facts(
        networks=models["network"].nunique(),
        conditions=int(points["network"].value_counts().max()) if len(points) else 0,
        points=len(points),
        seeds=int(trained[keys[:2]].value_counts().max()) if len(trained) else 0,
        spectrum_seeds=_seeds_of(models, "hessian"),
        landscape_seeds=_seeds_of(models, "landscape"),
        test_samples=0 if tested.empty else int(tested.min()),
        sweeps=bool(config.get("sweeps")),
        augmented=augmented,
        augmented_view=augmented and config["analysis"]["figure_view"] == "augmented",
        averaged=is_set("averaging.name"),
        attacked=is_set("adversarial.radius"),
        attack=_attack_of((config.get("evaluation") or {}).get("adversarial")),
        untrained=bool(models["trained"].eq(False).any()),
        unconverged=bool(models.loc[models["family"] == "hessian", "converged"].eq(False).any()),
        published=not names.isdisjoint(PUBLISHED_TWINS),
        null="sam_sharpness_null" in names,
        reversal=any_of("trends", "certain", True),
        recordings="domains" in tables
        and any(not spec.get("domains") for spec in config.get("datasets", {}).values()),
        unseen=any_of("domains", "seen", False),
        cities=any_of("domains", "kind", "city"),
        doubtful=any_of("agreement", "verdict", UNCERTAIN),
        unmatched=any_of("adopted", "matched", False),
        matched=bool(lines.get("matched")),
        curved=bool(lines.get("bezier")),
        planes=bool(lines.get("planes")),
        between_seeds=bool(lines.get("seeds")),
        reestimated=any_of("barriers", "batchnorm", REESTIMATED),
        interpolated=any_of("barriers", "batchnorm", INTERPOLATED),
        toy_width=(config.get("toy_fits") or {"width": 0})["width"],
        noise=_noise(config),
    )


def _noise(config: Mapping[str, Any]) -> str:
    """Return σ of the three sizes of noise, by data set where they differ; nothing without."""
    common = config.get("sharpness", {}).get("input")
    if not common:
        return ""
    found: dict[str, list[str]] = {}
    for dataset, spec in config["datasets"].items():
        own = spec["sharpness"].get("input", {}).get("noise", common["noise"])
        found.setdefault(listed([*map(str, own)]), []).append(dataset)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{sizes} on {listed(names)}" for sizes, names in found.items())


def _attack_of(section: Mapping[str, Any] | None) -> str:
    """Return what a section ``evaluation.adversarial`` attacks with, in words."""
    if section is None:
        return ""
    # Of two classes there is no ratio of logits.
    many = AttackSpec.from_config(section, classes=3).in_words
    return many if section["losses"] else f"{many}, of two classes on cross-entropy alone"


def _seeds_of(models: pd.DataFrame, family: str) -> int:
    """Return of how many seeds of a condition a family was measured at most."""
    own = models[models["family"] == family]
    counts = own.groupby(["network", "condition"])["seed"].nunique()
    return int(counts.max()) if len(counts) else 0
