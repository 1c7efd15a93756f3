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
