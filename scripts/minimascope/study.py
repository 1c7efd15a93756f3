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
from .data.corruption_names import CORRUPTIONS, VALIDATION_ONLY
from .errors import InputError, nearest
from .registry import FIGURES, INITIAL, NETWORKS, OPTIMIZERS, SHARPNESS, SOURCES, Component

# Keys of a data set that say what is done with it, not what it is.
NOT_OF_THE_SOURCE = (
    "training",
    "conditions",
    "normalize",
    "networks",
    "corrupted",
    "augment_test",
    "sharpness",
    "printed",
)
PRINTED_DATASETS = ("cifar10", "cifar100", "tiny_imagenet")


@dataclass(frozen=True)
class Study:
    """A checked study; build it with `load_study`."""

    config: Mapping[str, Any]
    controls: Mapping[str, str]
    training: Mapping[tuple[str, str], Mapping[str, Any]]
    sharpness: Mapping[str, Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Name of the study; its two protocols are kept apart."""
        published = self.config["protocol"] == "published"
        return self.config["study"] + ("-published" if published else "")

    @property
    def conditions(self) -> list[str]:
        """Conditions with the cells of sweeps."""
        return list(self.controls)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All (data set, network) whose networks are trained on the data set."""
        return [
            (dataset, network)
            for dataset, spec in self.config["datasets"].items()
            for network in self.config["networks"]
            if spec["networks"] is None or network in spec["networks"]
        ]

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
        """Figures whose tables the study has; whether anything is in print is not known here."""
        sharpness = self.config["sharpness"]
        absent = {name for name, spec in sharpness.items() if spec is None}
        figures = [name for name, figure in FIGURES.items() if not figure.options & absent]
        unwanted = set() if self.config["sweeps"] else {"sweep"}
        unwanted |= {"minima"} if sharpness["forward"] is None else set()
        return [name for name in figures if name not in unwanted]

    def corruption_names(self, dataset: str) -> list[str]:
        """Corruptions under which a data set is tested, of those that its corrupted set has."""
        corruptions = self.config["evaluation"]["corruptions"]
        if corruptions is None or self.corrupted_set(dataset) == "none":
            return []
        absent = VALIDATION_ONLY if self.corrupted_set(dataset) == "tiny_imagenet_c" else ()
        return [name for name in corruptions["names"] if name not in absent]

    def corrupted_set(self, dataset: str) -> str:
        """Corrupted set of a data set: its name, ``generated`` or ``none``."""
        return self.config["datasets"][dataset]["corrupted"]

    def corruption_spec(self, dataset: str) -> dict[str, Any]:
        """Corrupted set, severities and number of samples of a data set."""
        settings = self.config["evaluation"]["corruptions"]
        return {
            "set": self.corrupted_set(dataset),
            "severities": settings["severities"],
            "samples": settings["samples"],
        }

    def test_augmentation(self, dataset: str, condition: str) -> Mapping[str, Any] | None:
        """Augmentation of the test images of a condition, or None."""
        wanted = self.config["datasets"][dataset]["augment_test"]
        return self.training[dataset, condition]["augment"] if wanted else None

    def label_noise(self, dataset: str, condition: str) -> float:
        """Share of random training labels of a condition; none for the initial weights."""
        return 0.0 if condition == INITIAL else self.training[dataset, condition]["label_noise"]

    def source_spec(self, dataset: str) -> dict[str, Any]:
        """Source of a data set and the source's options."""
        spec = self.config["datasets"][dataset]
        return {key: spec[key] for key in spec if key not in NOT_OF_THE_SOURCE}

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

    def printed_dataset(self, dataset: str) -> str | None:
        """Data set of the printed tables that a data set is compared with, or None."""
        spec = self.config["datasets"][dataset]
        return spec["printed"] or (spec["source"] if spec["source"] in PRINTED_DATASETS else None)


def load_study(config: Mapping[str, Any], schema_path: Path) -> Study:
    """Check a configuration and resolve every run.

    Raises:
        InputError: one line that names the path of the faulty key and the remedy.
    """
    schema = load_schema(schema_path)
    config = with_text_keys(config)
    overrides_may_lack_keys = without_required(schema) | {"required": schema["required"]}
    check(config, overrides_may_lack_keys)
    # Checked under either protocol, so that a fault does not wait for the other.
    published = deep_merge(config, config.get("published", {}))
    check(published, overrides_may_lack_keys)
    if config.get("protocol") == "published":
        config = published
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
    swept: dict[str, dict[str, Any]] = {condition: {} for condition in config["conditions"]}
    controls = {condition: condition for condition in swept}
    for name, sweep in config["sweeps"].items():
        for control, cell, settings in _sweep_cells(name, sweep, config["conditions"]):
            if cell in swept:
                raise InputError(f"sweeps.{name}: condition '{cell}' exists already; rename one")
            swept[cell] = settings
            controls[cell] = control
    training = {
        (dataset, condition): _resolve(
            config, dataset, condition, control, swept[condition], schema
        )
        for dataset, (condition, control) in product(config["datasets"], controls.items())
    }
    sharpness = {
        name: _resolve_sharpness(config, name, spec["sharpness"], schema)
        for name, spec in config["datasets"].items()
    }
    study = Study(config, controls, training, sharpness)
    _check_networks(study)
    _check_corrupted_sets(study)
    _check_initial(study)
    return study


def _resolve_sharpness(
    config: Mapping[str, Any], dataset: str, override: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of all families on a data set; which families there are stays."""
    where = f"datasets.{dataset}.sharpness"
    for key, value in override.items():
        if key not in SHARPNESS or None in (value, config["sharpness"][key]):
            raise InputError(
                f"{where}.{key}: a data set can change the settings of measures that the study"
                " has, nothing else; move it to sharpness"
            )
    merged = deep_merge(config["sharpness"], override)
    complete = {**schema["$defs"]["sharpness"], "$defs": schema["$defs"]}
    check(merged, complete, where)
    return with_defaults(merged, complete, schema)


def _check_networks(study: Study) -> None:
    """Refuse networks and conditions of a data set that do not exist, and unused networks."""
    networks, conditions = study.config["networks"], study.config["conditions"]
    for dataset, spec in study.config["datasets"].items():
        for name in set(spec["conditions"]) - set(conditions):
            raise InputError(
                f"datasets.{dataset}.conditions: no condition {name!r}; {nearest(name, conditions)}"
            )
        for name in set(spec["networks"] or ()) - set(networks):
            raise InputError(
                f"datasets.{dataset}.networks: no network {name!r}; {nearest(name, networks)}"
            )
    if unused := set(networks) - {network for _, network in study.pairs}:
        raise InputError(
            f"networks.{min(unused)}: no data set lists it under networks; add it to one"
        )


def _check_corrupted_sets(study: Study) -> None:
    """Refuse a published corrupted set that does not belong to a data set's test split."""
    for dataset, spec in study.config["datasets"].items():
        name = spec["corrupted"]
        if name in ("generated", "none"):
            continue
        if spec["source"] != name.removesuffix("_c"):
            raise InputError(
                f"datasets.{dataset}.corrupted: {name} is no corrupted copy of {spec['source']};"
                " set it to generated"
            )
        if study.config["evaluation"]["corruptions"] and not study.corruption_names(dataset):
            raise InputError(f"evaluation.corruptions.names: {name} has none of them; add another")
        if name != "tiny_imagenet_c" and spec["test_samples"] is not None:
            raise InputError(
                f"datasets.{dataset}.test_samples: {name} belongs to the whole test split; leave"
                " it out, or set corrupted to generated"
            )


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
    control: str,
    swept: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> dict[str, Any]:
    """Return training settings: the study's, the data set's, the condition's, then the sweep's."""
    where = f"conditions.{condition}"
    of_dataset = config["datasets"][dataset]
    of_condition = config["conditions"][control], of_dataset["conditions"].get(control, {})
    merged = deep_merge(config["training"], of_dataset["training"], *of_condition, swept)
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
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (condition it varies, name, swept settings) for each cell of a sweep's grid."""
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
            yield condition, label, override


def _nest(value: Any, key: str) -> dict[str, Any]:
    return {key: value}
