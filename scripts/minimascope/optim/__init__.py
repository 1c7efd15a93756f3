"""Optimisers, sharpness-aware minimisation and learning-rate schedules."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ..registry import OPTIMIZERS


def build(
    parameters: Iterable[torch.nn.Parameter], spec: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """Return the optimiser ``spec["name"]`` (`registry.OPTIMIZERS`) with the spec's settings."""
    settings = {key: value for key, value in spec.items() if key != "name"}
    return OPTIMIZERS[spec["name"]].load()(parameters, **settings)
