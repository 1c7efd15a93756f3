"""From a checked configuration to a study in which every run is resolved."""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from ..data.corruptions.severities import CORRUPTIONS
from ..data.log_mel_spec import LogMel
from ..errors import InputError, nearest
from ..registry import (
    AVERAGES,
    IMAGES,
    INITIAL,
    NETWORKS,
    OPTIMIZERS,
    RECORDINGS,
    SHARPNESS,
    SOURCES,
    TOY_FUNCTIONS,
    TUNED,
    Component,
    kind_of,
)
from .config import (
    check,
    deep_merge,
    load_schema,
    with_defaults,
    with_text_keys,
    without_required,
)
from .names import fault_of_name
from .study import Study

# Sections that a study has all of, or none.
OF_NETWORKS = ("datasets", "networks", "training", "conditions")
# Of the features: what is done to the sounds themselves.
OF_THE_SIGNAL = ("seconds", "mixed_rates")
# Of an augmentation: what moves pixels, and what blanks parts of a spectrogram.
AUGMENTATIONS = {
    IMAGES: ("crop_padding", "horizontal_flip", "resized_crop"),
    RECORDINGS: ("band_masks", "time_masks"),
}
# Of one sweep; more would be years of training.
MOST_CELLS = 10_000
# Names become folders, and most file systems allow 255 bytes; Snakemake stops at a value whose end
# is 20 times the same, as a rule that feeds itself makes it.
LONGEST_NAME = 200
LONGEST_PART = 255
LONGEST_PATH = 1000
# Control characters, halves of characters, and what Snakemake fills in.
NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff{}<>]")
REPETITIVE = re.compile(r"(.+)\1{19}$")


def load_study(config: Mapping[str, Any], schema_path: Path) -> Study:
    """Check a configuration and resolve every run.

    Raises:
        InputError: one line that names the path of the faulty key and the remedy.
    """
    schema = load_schema(schema_path)
    config = _complete(config, schema)
    _check_components(config, schema)
    controls, swept = _conditions(config)
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
    _check_names(study)
    _check_capitals(study)
    _check_paths(config)
    _check_networks(study)
    _check_kinds(study)
    _check_corrupted_sets(study)
    _check_initial(study)
    _check_baseline(study)
    return study


def _complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration of the wanted protocol, checked by the schema, with all defaults."""
    config = with_text_keys(config)
    overrides_may_lack_keys = without_required(schema) | {"required": schema["required"]}
    check(config, overrides_may_lack_keys)
    # Checked under either protocol, so that a fault does not wait for the other.
    published = deep_merge(config, config.get("published", {}))
    check(published, overrides_may_lack_keys)
    if config.get("protocol") == "published":
        config = published
    _check_sections(config)
    for name, spec in config.get("datasets", {}).items():
        if "features" in spec and (kind := kind_of(spec["source"])) != RECORDINGS:
            raise InputError(
                f"datasets.{name}.features: {spec['source']} has {kind}, not recordings; leave it"
                " out"
            )
    absent = {key: {} for key in OF_NETWORKS if key not in config}
    config = with_defaults(config | absent, schema, schema)
    if (corruptions := config["evaluation"]["corruptions"]) and "names" not in corruptions:
        corruptions["names"] = list(CORRUPTIONS)
    if (fits := config["toy_fits"]) and "functions" not in fits:
        fits["functions"] = list(TOY_FUNCTIONS)
    return config


def _check_sections(config: Mapping[str, Any]) -> None:
    """Refuse a study that trains no network on data, unless networks learn toy functions."""
    missing = [key for key in OF_NETWORKS if key not in config]
    if missing and (len(missing) < len(OF_NETWORKS) or config.get("toy_fits") is None):
        raise InputError(f"configuration: '{missing[0]}' is missing; add it")


def _check_components(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Refuse a study without measures, and settings of other sources or networks than chosen."""
    sharpness = config["sharpness"]
    if not any(sharpness[family] is not None for family in SHARPNESS):
        raise InputError("sharpness: every family is null; measure at least one")
    if config["analysis"]["minimum_train_accuracy"] and sharpness["forward"] is None:
        raise InputError(
            "analysis.minimum_train_accuracy: training accuracy is of the family forward; set"
            " sharpness.forward to {}"
        )
    for name, spec in config["datasets"].items():
        _check_options(spec, SOURCES, "source", f"datasets.{name}", schema["$defs"]["dataset"])
        if kind_of(spec["source"]) == RECORDINGS:
            _check_features(spec["features"], f"datasets.{name}.features")
    for name, spec in config["networks"].items():
        _check_options(
            spec, NETWORKS, "architecture", f"networks.{name}", schema["$defs"]["network"]
        )


def _check_features(features: Mapping[str, Any], where: str) -> None:
    """Refuse log-mels that cannot be computed, before anything is downloaded."""
    try:
        LogMel(**{key: features[key] for key in features if key not in OF_THE_SIGNAL})
    except InputError as error:
        raise InputError(f"{where}.{error}") from None


def _conditions(config: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Return the control of each condition and cell of a sweep, and what the sweep sets there."""
    swept: dict[str, dict[str, Any]] = {condition: {} for condition in config["conditions"]}
    controls = {condition: condition for condition in swept}
    for name, sweep in config["sweeps"].items():
        for control, cell, settings in _sweep_cells(name, sweep, config["conditions"]):
            if cell in swept:
                raise InputError(f"sweeps.{name}: condition '{cell}' exists already; rename one")
            swept[cell] = settings
            controls[cell] = control
    return controls, swept


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


def _check_names(study: Study) -> None:
    """Refuse names that no file can have, or that Snakemake takes for an endless rule."""
    names = [*study.config["datasets"], *study.config["networks"], *study.conditions]
    for name in names:
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"{name}: {len(name)} characters are too many for the name of a folder; at most"
                f" {LONGEST_NAME}"
            )
        if fault := fault_of_name(name):
            raise InputError(f"{name}: {fault}; choose another name")
        if REPETITIVE.search(name):
            raise InputError(f"{name}: ends with 20 times the same; choose another name")


def _check_paths(config: Mapping[str, Any]) -> None:
    """Refuse paths that no system has, or into which Snakemake reads wildcards."""
    paths = {"data_dir": config["data_dir"]}
    for section, keys in (("datasets", ("path", "table")), ("networks", ("weights",))):
        for name, spec in config[section].items():
            paths |= {f"{section}.{name}.{key}": spec[key] for key in keys if key in spec}
    for where, path in paths.items():
        if found := NOT_IN_PATHS.search(path):
            raise InputError(f"{where}: {found[0]!r} cannot stand in a path here; rename the file")
        if len(path) > LONGEST_PATH or any(
            len(part.encode()) > LONGEST_PART for part in path.split("/")
        ):
            raise InputError(f"{where}: {path[:20]!r}… is too long for a path; shorten it")


def _check_capitals(study: Study) -> None:
    """Refuse names whose files some disk would take for those of another name."""
    name, end = study.config["study"], "-published"
    if name.casefold().endswith(end):
        raise InputError(
            f"study: results/{name} is for {name[: -len(end)]} under protocol published; rename it"
        )
    if name.casefold() == "compared":
        raise InputError(f"study: results/{name} is for comparisons of studies; rename it")
    if name.casefold() == "print":
        raise InputError(f"study: results/{name} is for what no study decides; rename it")
    for section in ("datasets", "networks", "conditions"):
        names = study.conditions if section == "conditions" else study.config[section]
        known: dict[str, str] = {}
        for name in names:
            if (other := known.setdefault(name.casefold(), name)) != name:
                raise InputError(
                    f"{section}.{name}: differs from {other} in its capitals alone; rename one"
                )


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
        if name == "generated" and study.kind(dataset) != IMAGES:
            raise InputError(
                f"datasets.{dataset}.corrupted: corruptions are made for images, not for"
                f" {study.kind(dataset)}; leave it out"
            )
        if name in ("generated", "none", None):
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


def _check_kinds(study: Study) -> None:
    """Refuse what is made for images on recordings or points, and the other way round."""
    for (dataset, condition), training in study.training.items():
        where = f"conditions.{condition}"
        for kind, keys in AUGMENTATIONS.items():
            wrong = [key for key in keys if (training["augment"] or {}).get(key)]
            if wrong and kind != study.kind(dataset):
                raise InputError(
                    f"{where}.augment.{wrong[0]}: augments {kind}, which {dataset} has none of;"
                    " leave it out"
                )
        if training["sampling"] == "domain_balanced" and not study.has_recordings(dataset):
            raise InputError(
                f"{where}.sampling: {dataset} has no domains to balance; set it to shuffled"
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


def _check_baseline(study: Study) -> None:
    """Refuse to compare conditions with one that the study does not have."""
    baseline = study.config["analysis"]["baseline"]
    if baseline is not None and baseline not in study.conditions:
        raise InputError(
            f"analysis.baseline: no condition {baseline!r}; {nearest(baseline, study.conditions)}"
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
    if resolved["averaging"]:
        averaging = complete["properties"]["averaging"]
        _check_options(resolved["averaging"], AVERAGES, "name", f"{where}.averaging", averaging)
    if resolved["optimizer"].get("nesterov") and not resolved["optimizer"].get("momentum"):
        raise InputError(f"{where}.optimizer.nesterov: needs a momentum above 0; add it")
    if resolved["optimizer"]["name"] in TUNED and resolved["schedule"]["name"] != "constant":
        raise InputError(
            f"{where}.schedule: {resolved['optimizer']['name']} tunes its learning rate itself;"
            " set the schedule to {name: constant}"
        )
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
    axes = sweep["axes"]
    if (cells := prod(map(len, axes.values()))) > MOST_CELLS:
        raise InputError(f"sweeps.{name}.axes: {cells:,} cells; at most {MOST_CELLS:,}")
    for condition in sweep.get("conditions", conditions):
        if condition not in conditions:
            raise InputError(
                f"sweeps.{name}.conditions: no condition {condition!r};"
                f" {nearest(condition, conditions)}"
            )
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
