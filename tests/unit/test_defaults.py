"""Options stand in the schema alone: a default that is written out changes nothing."""

import copy
import inspect
import json
from collections.abc import Iterator, Set
from dataclasses import fields
from functools import reduce
from typing import Any

import pytest
from study_cases import BASE, SCHEMA, SECTIONS, study
from study_cases import ROOT_SCHEMA as ROOT
from torch.optim import SGD, Adam, AdamW, RMSprop

from minimascope import registry, tables_and_figures
from minimascope.canonical import canonical_json
from minimascope.study.conditions import condition_rows
from minimascope.study.loading import load_study
from minimascope.study.schema import (
    complete,
    component_of,
    options_of,
    resolved,
)
from minimascope.study.study import Study
from minimascope.training import TrainingSpec

DEFINITIONS = ROOT["$defs"]
TRAINED = DEFINITIONS["training"]
# Where a study says what it changes of settings below: only jobs can tell whether it does.
OVERRIDES = ("training", "conditions", "sharpness")
TRAINING = {
    "epochs": 5,
    "batch_size": 10,
    "schedule": {"name": "constant"},
    "augment": {},
    "sam": {"rho": 0.1},
    "adversarial": {"radius": "8/255"},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "averaging": {"name": "swa"},
    "keep": [0, 1],
}
FAMILIES = {
    "forward": {},
    "perturbation": {"adaptive": {}},
    "hessian": {},
    "landscape": {"only": {}, "more_directions": {"direction_seeds": [7], "only": {}}},
    "input": {},
    "norms": {},
    "edge_of_stability": {},
    "path": {},
    "interpolation": {"lines": [["initial", "baseline"]], "bezier": {}},
}
DATASET = {
    "source": "digits",
    "normalize": {},
    "training": TRAINING,
    "conditions": {"baseline": TRAINING},
    "sharpness": {name: FAMILIES[name] for name in registry.SHARPNESS},
    "unseen": {"far": {"source": "letters"}},
}
# A study that has every section.
FULL = {
    "study": "full",
    "seeds": [0],
    "toy_fits": {},
    "analysis": {"trained": {}},
    "datasets": {"data": DATASET},
    "networks": {"network": {"architecture": "vit"}},
    "training": TRAINING,
    "conditions": {"baseline": {}, "other": TRAINING, "theirs": {"checkpoint": "a.pt"}},
    "sweeps": {"grid": {"axes": {"training.optimizer.lr": [0.5]}}},
    "sharpness": FAMILIES,
    "evaluation": {"corruptions": {}, "adversarial": {"radii": {"linf": ["8/255"]}}},
}
REQUIRED = {
    "path": "pictures",
    "table": "table.csv",
    "weights": "weights.pth",
    "milestones": [2],
    "blocks": [1],
    "style": "thick",
}
COMPONENTS = {
    (section, name): schema
    for section, (schema, registered) in SECTIONS.items()
    for name in registered
}
IDS = [" ".join(component) for component in COMPONENTS]


def chosen(section: str, name: str) -> dict[str, Any]:
    """Return the full study with another component, and what of its own has no default."""
    schema = COMPONENTS[section, name]
    (key,) = schema["options"]
    own = options_of(name, schema)
    spec = {key: name} | {key: REQUIRED[key] for key in own if "default" not in own[key]}
    config = unshared(FULL)
    if name == "dcase2020":
        spec["features"] = {}
    if section in ("dataset", "network"):
        config[f"{section}s"] = {"data": spec}
        return config
    spec |= {"lr": 0.1} if section == "optimizer" else {}
    dataset = config["datasets"]["data"]
    layers = [config["training"], config["conditions"]["other"]]
    for training in (*layers, dataset["training"], dataset["conditions"]["baseline"]):
        training[section] = spec
    return unshared(config)


def unshared(config: Any) -> Any:
    """Return a copy in which no section stands in two places."""
    return json.loads(json.dumps(config))


def written_out(config: Any, schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Yield path and schema of every key with a default that a configuration could have, too."""
    of_condition = DEFINITIONS["adopted"] if "checkpoint" in config else TRAINED
    kinds = dict.fromkeys(("base", "override"), TRAINED) | {"condition": of_condition}
    schema = resolved(schema, {"$defs": DEFINITIONS | kinds})
    properties = schema.get("properties", {})
    if "options" in schema:
        properties = properties | options_of(component_of(config, schema), schema)
    if path[:1] == ("datasets",) and path[2:] == ("sharpness",):
        properties = {key: DEFINITIONS["sharpness"]["properties"][key] for key in config}
    for key, child in properties.items():
        child = resolved(child, ROOT)
        if key not in config and "default" in child:
            yield (*path, key), child
    for key, value in config.items():
        child = properties.get(key, schema.get("additionalProperties"))
        if isinstance(value, dict) and isinstance(child, dict):
            yield from written_out(value, child, (*path, key))


def as_written(default: Any) -> Any:
    """Return a default as a hasty hand writes it: 0 for 0.0."""
    return int(default) if isinstance(default, float) and default.is_integer() else default


def of_jobs(loaded: Study, path: tuple[str, ...] = ()) -> str:
    """Return all that jobs depend on, as a text; without the overrides, if a path is in one."""
    config = copy.deepcopy(loaded.config)
    if path[:1] == ("conditions",) or (path[:1] == ("datasets",) and path[2] in OVERRIDES):
        config.pop("conditions")
        for spec in config["datasets"].values():
            for section in OVERRIDES:
                spec.pop(section)
    runs = [[*each.items()] for each in (loaded.training, loaded.adopted)]
    parts = config, loaded.base_conditions, runs, loaded.sharpness
    return canonical_json([*parts, condition_rows(loaded)])


SOME = {
    "perturbation": {},
    "landscape": {},
    "interpolation": {"planes": [["initial", "baseline", "sam"]]},
}
# Configurations, and the keys that are tried in them: all, or the options of a component.
CONFIGS = {
    "small": (BASE, None),
    "full": (unshared(FULL), None),
    "some": (BASE | {"sharpness": SOME}, None),
    "others": (BASE | {"sharpness": {"forward": {}}, "evaluation": {}, "analysis": {}}, None),
} | {
    " ".join(component): (chosen(*component), own)
    for component in COMPONENTS
    if (own := options_of(component[1], COMPONENTS[component]).keys())
}


def tried(config: dict[str, Any], own: Set[str] | None) -> list[tuple[tuple[str, ...], Any]]:
    """Return paths and schemas of the keys that are written out."""
    return [found for found in written_out(config, ROOT) if own is None or own & {*found[0]}]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_default_that_is_written_out_changes_nothing(name):
    config, own = CONFIGS[name]
    plain = load_study(config, SCHEMA)
    for path, child in tried(config, own):
        longer = unshared(config)
        *parents, key = path
        reduce(dict.__getitem__, parents, longer)[key] = as_written(child["default"])
        assert of_jobs(load_study(longer, SCHEMA), path) == of_jobs(plain, path), path


def test_no_default_is_left_out_of_these_configurations():
    met = {canonical_json(child) for case in CONFIGS.values() for _, child in tried(*case)}
    for child in subschemas(
        {**ROOT, "$defs": DEFINITIONS | dict.fromkeys(("base", "override", "condition"))}
    ):
        assert "default" not in child or canonical_json(resolved(child, ROOT)) in met, child


def subschemas(node: Any) -> Iterator[Any]:
    """Yield a schema and all schemas in it."""
    if isinstance(node, dict):
        yield node
        for key, child in node.items():
            if key != "default":
                yield from subschemas(child)


def test_a_pair_with_and_without_sam_is_found_whoever_writes_a_default_out():
    conditions = {"sam": {"sam": {"rho": 0.1}, "optimizer": {"momentum": 0}}}
    rows = condition_rows(study(conditions=conditions))
    assert {row["without_sam"] for row in rows if row["condition"] == "sam"} == {"baseline"}


# Every option reaches the function that it configures

NOT_OPTIONS = {
    "dataset": {"data_dir", "folder"},
    # A condition can set the norm.
    "network": {"channels", "input_size", "classes", "width", "dropout", "norm"},
    "optimizer": {"model", "lr", "weight_decay"},
    "averaging": {"model"},
    "schedule": {"step", "steps", "first"},
}
# What another job reads, or another function.
ELSEWHERE = {"features", "weights"}
TORCHS_OWN = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


@pytest.mark.parametrize(("section", "name"), COMPONENTS, ids=IDS)
def test_options_are_the_parameters_of_their_component_and_have_no_other_default(section, name):
    options = options_of(name, COMPONENTS[section, name])
    own = options.keys() - ELSEWHERE
    if name in TORCHS_OWN:
        parameters = inspect.signature(TORCHS_OWN[name]).parameters
        for key in own:
            agree(parameters[key], options[key])
        return
    component = registry.SCENES if name == "synthetic_scenes" else SECTIONS[section][1][name]
    parameters = inspect.signature(component.load()).parameters
    named = {key for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    assert named - NOT_OPTIONS[section] == own
    for key in own:
        # What asks for nothing may be left out where there is no study.
        if parameters[key].default is not inspect.Parameter.empty:
            agree(parameters[key], options[key])


def agree(parameter: inspect.Parameter, option: dict[str, Any]) -> None:
    default = parameter.default
    default = list(default) if isinstance(default, tuple) else default
    assert default == option["default"], parameter


@pytest.mark.parametrize("name", registry.SHARPNESS)
def test_settings_of_a_family_are_the_parameters_of_its_function_and_defaults_agree(name):
    settings = dict(DEFINITIONS["sharpness"]["properties"][name]["properties"])
    # Which networks, and which of their data, are measured is no setting of a measurement.
    for key in ("only", "by_domain", "more_directions"):
        settings.pop(key, None)
    parameters = inspect.signature(registry.SHARPNESS[name].load()).parameters
    assert settings.keys() <= parameters.keys()
    # What a study never changes, or says for some networks alone.
    own = {"subject", "generator", "batch_size", "gradient", "finished", "more_direction_seeds"}
    assert parameters.keys() - settings.keys() <= own | {*registry.SHARPNESS[name].takes}
    for key, setting in settings.items():
        agree(parameters[key], resolved(setting, ROOT))


def test_tables_that_figures_need_are_the_parameters_of_their_functions():
    for name, figure in tables_and_figures.FIGURES.items():
        parameters = inspect.signature(figure.load()).parameters
        assert parameters.keys() - {"dataset", "network", "view"} == set(figure.needs), name


def test_every_training_key_reaches_the_training():
    names = {field.name for field in fields(TrainingSpec)}
    renamed = {"augment": "augmentation"}
    # Label noise is a matter of the data; what a training starts from is loaded before it, and what
    # it keeps decides nothing.
    keys = TRAINED["properties"].keys() - {"label_noise", "weights", "new_head", "keep"}
    assert {renamed.get(key, key) for key in keys} == names
    full = load_study(FULL, SCHEMA)
    for place, spec in full.training.items():
        if place not in full.adopted:
            TrainingSpec.from_config({key: spec[key] for key in keys})


def test_each_section_has_a_list_of_its_own():
    schema = {"additionalProperties": {"properties": {"a": {"default": [1]}}}}
    filled = complete({"x": {}, "y": {}}, schema, schema)
    filled["x"]["a"].append(2)
    assert filled["y"]["a"] == [1]
