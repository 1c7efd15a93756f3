"""Optimisers, averages of weights, sharpness-aware minimisation and learning-rate schedules.

Besides what torch asks of an optimiser, one may have

- ``observe(inputs, generator)``, called with each step's batch before its gradient is computed,
  the model in training mode: to look at the model, drawing random numbers from the generator;
- ``learning_rate``, if it sets its own: the present one, a tensor that later steps leave alone;
- ``remedy``, what a user can do against divergence, as a phrase.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..registry import find


def build(model: nn.Module, spec: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return the optimiser ``spec["name"]`` (`registry.OPTIMIZERS`) of all of the model."""
    return find("optimizers", spec["name"]).load()(model, **_settings(spec))


def build_average(model: nn.Module, spec: Mapping[str, Any]) -> nn.Module:
    """Return the average ``spec["name"]`` (`registry.AVERAGES`) of a model's weights.

    It has the methods of `averaging.Average`.
    """
    return find("averages", spec["name"]).load()(model, **_settings(spec))


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "name"}


@torch.no_grad()
def follow_memory_format(optimizer: torch.optim.Optimizer) -> None:
    """Lay the optimiser's state out in memory as its parameters are; files do not keep that.

    The kernels that update all parameters at once need equal strides.
    """
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if not isinstance(value, torch.Tensor) or value.shape != parameter.shape:
                continue
            if value.stride() != parameter.stride():
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
