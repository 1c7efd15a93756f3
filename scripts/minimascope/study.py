"""What a study consists of: its conditions, and for each job the part of the configuration it uses.

A job depends on the canonical text of its part alone (`Study.…_spec`), so a change elsewhere in
the configuration, or another order of keys, reruns nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any

from .canonical import canonical_json
from .config import (
    check,
    deep_merge,
    load_schema,
    with_defaults,
    with_text_keys,
    without_required,
)
from .data.corruption_names import CORRUPTIONS
from .errors import InputError, nearest
from .registry import FIGURES, INITIAL, NETWORKS, OPTIMIZERS, SHARPNESS, SOURCES, Component


@dataclass(frozen=True)
class Study:
    """A checked study; build it with `load_study`."""

    config: Mapping[str, Any]
    conditions: Mapping[str, Mapping[str, Any]]
    training: Mapping[tuple[str, str], Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.config["study"]

    @property
    def seeds(self) -> list[int]:
        """Seeds in increasing order: their order in the file changes nothing."""
        return sorted(self.config["seeds"])

    @property
    def families(self) -> list[str]:
        """Families of sharpness measures that are switched on."""
        return [name for name in SHARPNESS if self.config["sharpness"][name] is not None]

    @property
    def interpolation(self) -> Mapping[str, Any] | None:
        """Lines and planes between networks of the same seed, or None."""
        return self.config["sharpness"]["interpolation"]

    @property
    def figures(self) -> list[str]:
        """Figures whose tables the study has."""
        absent = {name for name, spec in self.config["sharpness"].items() if spec is None}
        return [name for name, figure in FIGURES.items() if not figure.options & absent]

    @property
    def corruptions(self) -> Mapping[str, Any] | None:
        """Names, severities and number of samples of the corrupted test set, or None."""
        return self.config["evaluation"]["corruptions"]

    def source_spec(self, dataset: str) -> dict[str, Any]:
        """Source of a data set and the source's options."""
        spec = self.config["datasets"][dataset]
        return {key: spec[key] for key in spec if key not in ("training", "normalize")}

    def input_spec(self, dataset: str) -> dict[str, Any]:
        """Normalisation of a data set's inputs."""
        return self.config["datasets"][dataset]["normalize"]

    def network_spec(self, network: str) -> dict[str, Any]:
        """Architecture of a network and its settings."""
        return self.config["networks"][network]

    def augmentation(self, dataset: str, condition: str) -> Mapping[str, Any] | None:
        """Augmentation of a condition; of the initial weights the one that all conditions share."""
        if condition != INITIAL:
            return self.training[dataset, condition]["augment"]
        return next(iter(self.augmentations(dataset).values()), None)

    def weight_decay(self, dataset: str, condition: str) -> float:
        """Weight decay that a condition is trained with; none for the initial weights."""
        if condition == INITIAL:
            return 0.0
        return self.training[dataset, condition]["optimizer"]["weight_decay"]

    def augmentations(self, dataset: str) -> dict[str, Mapping[str, Any]]:
        """The different augmentations of a data set, by their canonical text."""
        specs = [self.training[dataset, condition]["augment"] for condition in self.conditions]
        return {canonical_json(spec): spec for spec in specs if spec is not None}

    def views(self, dataset: str, condition: str) -> list[str]:
        """Views of the training data on which sharpness of a condition is measured."""
        wanted = self.config["sharpness"]["view"]
        if self.augmentation(dataset, condition) is None:
            return ["clean"]
        return [view for view in ("clean", "augmented") if view in wanted]

    @property
    def measured(self) -> list[str]:
        """Conditions whose sharpness is measured, with the initial weights if that is wanted."""
        initial = [INITIAL] if "initial" in self.config["sharpness"]["on"] else []
        return [*self.conditions, *initial]

    def training_spec(self, dataset: str, condition: str) -> Mapping[str, Any]:
        """Resolved training settings: the study's, then the data set's, then the condition's."""
        return self.training[dataset, condition]


def load_study(config: Mapping[str, Any], schema_path: Path) -> Study:
    """Check a configuration and resolve every run.

    Raises:
        InputError: one line that names the path of the faulty key and the remedy.
    """
    schema = load_schema(schema_path)
    config = with_text_keys(config)
    check(config, without_required(schema) | {"required": schema["required"]})
    config = with_defaults(config, schema, schema)
    if (corruptions := config["evaluation"]["corruptions"]) and "names" not in corruptions:
        corruptions["names"] = list(CORRUPTIONS)
    if not any(config["sharpness"][family] is not None for family in SHARPNESS):
        raise InputError("sharpness: every family is null; measure at least one")
    for name, spec in config["datasets"].items():
        _check_options(spec, SOURCES, "source", f"datasets.{name}", schema["$defs"]["dataset"])
    for name, spec in config["networks"].items():
        _check_options(
            spec, NETWORKS, "architecture", f"networks.{name}", schema["$defs"]["network"]
        )
    conditions = {**config["conditions"]}
    for name, sweep in config["sweeps"].items():
        for cell, override in _sweep_cells(name, sweep, config["conditions"]):
            if cell in conditions:
                raise InputError(f"sweeps.{name}: condition '{cell}' exists already; rename one")
            conditions[cell] = override
    training = {
        (dataset, condition): _resolve(config, dataset, condition, override, schema)
        for dataset, (condition, override) in product(config["datasets"], conditions.items())
    }
    study = Study(config, conditions, training)
    _check_initial(study)
    return study


def _check_initial(study: Study) -> None:
    """Refuse what the initial weights cannot be measured on, or a condition of their name."""
    if INITIAL in study.conditions:
        raise InputError(
            f"conditions.{INITIAL}: this is the name of the weights before training; rename it"
        )
    wanted = study.config["sharpness"]
    if "final" not in wanted["on"]:
        raise InputError("sharpness.on: lists no 'final', without which nothing can be compared")
    if "initial" in wanted["on"] and "augmented" in wanted["view"]:
        for dataset in study.config["datasets"]:
            if len(study.augmentations(dataset)) > 1:
                raise InputError(
                    "sharpness.view: augmented data of the initial weights need one augmentation,"
                    f" but conditions on {dataset} differ in theirs; leave out view augmented"
                )
    if study.interpolation and not (study.interpolation["lines"] or study.interpolation["planes"]):
        raise InputError("sharpness.interpolation: has neither lines nor planes; add one")
    for kind in ("lines", "planes"):
        paths = (study.interpolation or {}).get(kind, [])
        for name in {name for path in paths for name in path} - {INITIAL, *study.conditions}:
            raise InputError(
                f"sharpness.interpolation.{kind}: no condition {name!r};"
                f" {nearest(name, [INITIAL, *study.conditions])}"
            )


def _resolve(
    config: Mapping[str, Any],
    dataset: str,
    condition: str,
    override: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> dict[str, Any]:
    where = f"conditions.{condition}"
    merged = deep_merge(config["training"], config["datasets"][dataset]["training"], override)
    complete = schema["$defs"]["training"] | {"partial": False}
    check(merged, complete, where)
    resolved = with_defaults(merged, complete, schema)
    _check_options(
        resolved["optimizer"],
        OPTIMIZERS,
        "name",
        f"{where}.optimizer",
        complete["properties"]["optimizer"],
    )
    if resolved["optimizer"].get("nesterov") and not resolved["optimizer"].get("momentum"):
        raise InputError(f"{where}.optimizer.nesterov: needs a momentum above 0; add it")
    return resolved


def _check_options(
    spec: Mapping[str, Any],
    registry: Mapping[str, Component],
    key: str,
    where: str,
    schema: Mapping[str, Any],
) -> None:
    """Refuse a setting of another component of the registry, and the lack of one of its own."""
    options = registry[spec[key]].options
    if missing := sorted(registry[spec[key]].required - set(spec)):
        raise InputError(f"{where}: '{missing[0]}' is missing; add it")
    others = set().union(*(component.options for component in registry.values())) - options
    if foreign := sorted(others & set(spec)):
        own = sorted(options | (set(schema["properties"]) - others - {key}))
        raise InputError(
            f"{where}.{foreign[0]}: not a setting of {spec[key]}; {nearest(foreign[0], own)}"
        )


def _sweep_cells(
    name: str, sweep: Mapping[str, Any], conditions: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (condition name, override) for each cell of a sweep's grid."""
    for condition in sweep.get("conditions", conditions):
        if condition not in conditions:
            raise InputError(
                f"sweeps.{name}.conditions: no condition {condition!r};"
                f" {nearest(condition, conditions)}"
            )
        axes = sweep["axes"]
        for values in product(*axes.values()):
            override: dict[str, Any] = {}
            label = condition
            for path, value in zip(axes, values, strict=True):
                keys = path.split(".")[1:]
                override = deep_merge(override, reduce(_nest, reversed(keys), value))
                label += f"-{keys[-1]}{value}"
            yield label, deep_merge(conditions[condition], override)


def _nest(value: Any, key: str) -> dict[str, Any]:
    return {key: value}
