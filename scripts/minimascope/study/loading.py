"""From a configuration to a study in which every run is resolved.

What a file says is read (`file`), checked against the schema and completed with its defaults
(`schema`), resolved to the settings of every run (here), and checked as a whole (`checks`).
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import reduce
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from ..attacks.spec import in_name
from ..errors import InputError
from ..registry import OF_SNAPSHOTS, SHARPNESS, bare, is_family
from .adopted import adopted_conditions, adopted_spec, check_keys, is_adopted, known_training
from .checks import check_study, known
from .file import with_text_keys
from .keys import own_key
from .left_out import with_left_out_domains
from .other_sets import with_splits
from .parts_file import own_file
from .schema import complete, definition, schema_of
from .selection import Selection
from .study import Study
from .validation import check

# Sections that a study has all of, or none.
OF_NETWORKS = ("datasets", "networks", "training", "conditions")
FRACTION = re.compile(r"\d+/\d+")
# Of one sweep; more would be years of training.
MOST_CELLS = 10_000


def load_study(config: Mapping[str, Any], schema_path: Path, folder: Path = Path()) -> Study:
    """Check a configuration and resolve every run.

    Args:
        config: what the study's file says.
        schema_path: of the schema.
        folder: of the study's file.

    Raises:
        InputError: one line that names the path of the faulty key and the remedy.
    """
    config = with_text_keys(config)
    given = config.get("parts")
    parts = own_file(given, folder) if given and isinstance(given, str) else None
    schema = schema_of(config, schema_path, parts)
    config = _of_protocol(config, schema)
    if config.get("parts") != given:
        raise InputError("published.parts: both protocols have one file; move it to parts")
    _check_published(config)
    missing = [key for key in OF_NETWORKS if key not in config]
    if missing == ["training"] and all(map(is_adopted, config["conditions"].values())):
        config = {**config, "training": {}}
        missing = []
    if missing and (len(missing) < len(OF_NETWORKS) or config.get("toy_fits") is None):
        raise InputError(f"configuration: '{missing[0]}' is missing; add it")
    config = _with_families(with_splits(with_left_out_domains(config)), schema)
    config = complete(config, schema, schema) | {key: {} for key in missing}
    if config["sharpness"]["view"] == ["augmented"]:
        # What is asked for is of studies with both views; of others figures show what there is.
        config["analysis"]["figure_view"] = "augmented"
    check_keys(config, schema)
    bases, swept, sweep_of = _conditions(config)
    training = {
        (dataset, condition): _training(
            config, dataset, own_key(condition, sweep_of), base, swept[condition], schema
        )
        for dataset, (condition, base) in product(config["datasets"], bases.items())
    }
    adopted = {
        (dataset, condition): adopted_spec(_of_condition(config, dataset, condition), schema)
        for dataset, condition in product(config["datasets"], adopted_conditions(config))
    }
    sharpness = {dataset: _sharpness(config, dataset, schema) for dataset in config["datasets"]}
    selections = {dataset: _selections(families) for dataset, families in sharpness.items()}
    study = Study(config, bases, swept, sweep_of, training, sharpness, adopted, selections, parts)
    check_study(study)
    return study


def deep_merge(base: Mapping[str, Any], *overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with the overrides merged into it, mapping by mapping, the last one winning.

    A mapping with another ``name`` than the one below it replaces that as a whole: settings of
    one optimiser mean nothing to another.
    """
    merged = copy.deepcopy(dict(base))
    for override in overrides:
        for key, value in override.items():
            below = merged.get(key)
            both = isinstance(below, dict) and isinstance(value, Mapping)
            # A mapping there is not a setting, but something that somebody calls "name".
            name = value.get("name") if both else None
            if both and (not isinstance(name, str) or name == below.get("name")):
                merged[key] = deep_merge(below, value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def _of_protocol(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of the wanted protocol."""
    check(config, schema)
    # Checked under either protocol, so that a fault does not wait for the other.
    published = deep_merge(config, config.get("published", {}))
    check(published, schema, "published")
    return published if config.get("protocol") == "published" else config


def _check_published(config: Mapping[str, Any]) -> None:
    """Refuse settings of published procedures that are switched off."""
    overrides = (spec.get("sharpness", {}) for spec in config.get("datasets", {}).values())
    for override in [{}, *overrides]:
        for family, settings in deep_merge(config.get("sharpness", {}), override).items():
            if not isinstance(settings, Mapping) or settings.get("published") is not False:
                continue
            for key in settings:
                if key.startswith("published_"):
                    raise InputError(
                        f"sharpness.{family}.{key}: does nothing with published: false; leave one"
                        " of them out"
                    )


def _with_families(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with the default families of measures, if it names none itself."""
    sharpness = config.get("sharpness", {})
    of_minima = (key for key, value in sharpness.items() if value is not None)
    named = any(is_family(key) and key not in OF_SNAPSHOTS for key in of_minima)
    default = {} if named else schema["properties"]["sharpness"]["default"]
    return {**config, "sharpness": default | sharpness}


def _conditions(
    config: Mapping[str, Any],
) -> tuple[dict[str, str], dict[str, dict[str, Any]], dict[str, str]]:
    """Return the base of each condition and cell, what a sweep sets there, and cells' sweeps."""
    swept: dict[str, dict[str, Any]] = {condition: {} for condition in config["conditions"]}
    bases, sweep_of = {condition: condition for condition in swept}, {}
    for name, sweep in config["sweeps"].items():
        for base, cell, settings in _cells(name, sweep, config["conditions"]):
            if cell in swept:
                raise InputError(f"sweeps.{name}: condition '{cell}' exists already; rename one")
            swept[cell] = settings
            bases[cell], sweep_of[cell] = base, name
    return bases, swept, sweep_of


def _cells(
    name: str, sweep: Mapping[str, Any], conditions: Mapping[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (condition it varies, name, swept settings) for each cell of a sweep's grid."""
    axes = sweep["axes"]
    if (cells := prod(map(len, axes.values()))) > MOST_CELLS:
        raise InputError(f"sweeps.{name}.axes: {cells:,} cells; at most {MOST_CELLS:,}")
    where = f"sweeps.{name}.conditions"
    trained = [condition for condition in conditions if not is_adopted(conditions[condition])]
    chosen = trained if sweep["conditions"] is None else sweep["conditions"]
    known("condition", chosen, conditions, where)
    if adopted := [condition for condition in chosen if condition not in trained]:
        raise InputError(
            f"{where}: {adopted[0]} was trained elsewhere, and a sweep varies training; leave it"
            " out"
        )
    for condition in chosen:
        for values in product(*axes.values()):
            override: dict[str, Any] = {}
            label = condition
            for path, value in zip(axes, values, strict=True):
                keys = path.split(".")[1:]
                nested = reduce(lambda inner, key: {key: inner}, reversed(keys), value)
                override = deep_merge(override, nested)
                label += f"-{keys[-1]}{bare(_in_label(value))}"
            yield condition, label, override


def _in_label(value: Any) -> str:
    """Return a swept value as a part of a condition's name; a fraction has no place in a path."""
    return in_name(value) if FRACTION.fullmatch(str(value)) else str(value)


def _training(
    config: Mapping[str, Any],
    dataset: str,
    where: str,
    base: str,
    swept: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> dict[str, Any]:
    """Return training settings: the study's, the data set's, the condition's, then the sweep's.

    Of an adopted condition what is known. ``where`` is the key of the last of these.
    """
    of_dataset = config["datasets"][dataset]["training"]
    of_condition = _of_condition(config, dataset, base)
    if is_adopted(of_condition):
        return known_training(of_condition, schema)
    merged = deep_merge(config["training"], of_dataset, of_condition, swept)
    return _settled(merged, definition(schema, "training"), where)


def _of_condition(config: Mapping[str, Any], dataset: str, condition: str) -> dict[str, Any]:
    """Return the settings of a condition, those for a data set alone merged into them."""
    own = config["datasets"][dataset]["conditions"].get(condition, {})
    return deep_merge(config["conditions"][condition], own)


def _sharpness(
    config: Mapping[str, Any], dataset: str, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of all families on a data set; which families there are stays."""
    where = f"datasets.{dataset}.sharpness"
    override = config["datasets"][dataset]["sharpness"]
    for key, value in override.items():
        if not is_family(key) or None in (value, config["sharpness"].get(key)):
            raise InputError(
                f"{where}.{key}: a data set can change the settings of measures that the study"
                " has, nothing else; move it to sharpness"
            )
    merged = deep_merge(config["sharpness"], override)
    settled = _settled(merged, definition(schema, "sharpness"), where)
    return {bare(name): settings for name, settings in settled.items()}


def _selections(families: Mapping[str, Any]) -> dict[str, Selection]:
    """Take out of the settings of registered families which networks they are of."""
    keys = {field.name for field in fields(Selection)}
    return {
        family: Selection(**{key: own.pop(key) for key in keys & own.keys()})
        for family in (*SHARPNESS, *OF_SNAPSHOTS)
        if (own := families.get(family)) is not None
    }


def _settled(settings: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    check(settings, schema, where)
    return complete(settings, schema, schema)
