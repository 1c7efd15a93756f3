"""A small study to change, and those that come with the workflow."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from minimascope.errors import InputError
from minimascope.study.loading import deep_merge, load_study
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
    config = yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text(encoding="utf-8"))
    return load_study(config | changes, SCHEMA)
