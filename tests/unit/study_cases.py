"""A small study to change, and those that come with the workflow."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from minimascope import registry
from minimascope.errors import InputError
from minimascope.study.file import read_study_file
from minimascope.study.loading import deep_merge, load_study
from minimascope.study.schema import complete, load_schema
from minimascope.study.study import Study

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "resources"
SCHEMA = RESOURCES / "config.schema.yaml"
BASE: dict[str, Any] = {
    "study": "mine",
    "seeds": [0],
    "datasets": {"small": {"source": "digits"}, "large": {"source": "cifar10"}},
    "networks": {"resnet": {"architecture": "resnet18"}, "vgg": {"architecture": "vgg19"}},
    "training": {"epochs": 5, "batch_size": 10, "optimizer": {"name": "sgd", "lr": 0.1}},
    "conditions": {"baseline": {}, "sam": {"sam": {"rho": 0.05}}},
}


ROOT_SCHEMA = load_schema(SCHEMA)
TRAINING = ROOT_SCHEMA["$defs"]["training"]["properties"]
# Sections that choose a component: what they may say, and where the components are registered.
SECTIONS = {
    "dataset": (ROOT_SCHEMA["$defs"]["dataset"], registry.SOURCES),
    "network": (ROOT_SCHEMA["$defs"]["network"], registry.NETWORKS),
    "optimizer": (TRAINING["optimizer"], registry.OPTIMIZERS),
    "averaging": (TRAINING["averaging"], registry.AVERAGES),
    "schedule": (TRAINING["schedule"], registry.SCHEDULES),
}


def completed(section: str, **given: Any) -> dict[str, Any]:
    """Return a section as jobs get it, with its defaults."""
    return complete(given, SECTIONS[section][0], ROOT_SCHEMA)


def component(section: str, name: str) -> Callable:
    """Return a component that takes its defaults where it is given nothing else."""
    schema, components = SECTIONS[section]
    (key,) = schema["options"]
    function = components[name].load()
    settings = completed(section, **{key: name})
    return partial(
        function, **{k: settings[k] for k in signature(function).parameters if k in settings}
    )


def options(architecture: str) -> dict[str, Any]:
    """Return the options of an architecture, with their defaults."""
    spec = completed("network", architecture=architecture)
    others = ("architecture", "width", "weights", "new_head")
    return {key: spec[key] for key in spec if key not in others}


def study(**changes: Any) -> Study:
    """Return the small study with these changes merged into it."""
    return load_study(deep_merge(BASE, changes), SCHEMA)


def refusal(**changes: Any) -> str:
    """Return the one line with which the small study is refused after these changes."""
    with pytest.raises(InputError) as caught:
        study(**changes)
    assert str(caught.value).isprintable()
    return str(caught.value)


def published_study(name: str, **changes: Any) -> Study:
    """Return a study that comes with the workflow, with sections replaced."""
    config = read_study_file(ROOT / "studies" / f"{name}.yaml")
    return load_study(config | changes, SCHEMA, ROOT / "studies")
