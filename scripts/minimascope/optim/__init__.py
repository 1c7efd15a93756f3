"""Optimisers, averages of weights and sharpness-aware minimisation.

Besides what torch asks of an optimiser, one may have

- ``observe(inputs, generator)``, called with each step's batch before its gradient is computed,
  the model in training mode: to look at the model, drawing random numbers from the generator;
- ``learning_rate``, if it sets its own: the present one, a tensor that later steps leave alone;
- ``remedy``, what a user can do against divergence, as a phrase.
"""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..registry import find


def build(model: nn.Module, spec: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Return the optimiser ``spec["name"]`` (`registry.OPTIMIZERS`) of all of the model.

    Raises:
        InputError: the user's own function returned something that cannot train.
    """
    component, settings = find("optimizers", spec["name"]), _settings(spec)
    given = {"model": model} | ({"params": model.parameters()} if component.file else {})
    given |= {key: settings.pop(key) for key in ("lr", "weight_decay") if key in settings}
    optimizer = component.call(given, **settings)
    component.checked(optimizer, torch.optim.Optimizer, "a torch.optim.Optimizer")
    if needed := _without_default(optimizer.step):
        raise InputError(
            f"{component.location}: its step needs {needed[0]}; let it be called without arguments"
        )
    return optimizer


def build_average(model: nn.Module, spec: Mapping[str, Any]) -> nn.Module:
    """Return the average ``spec["name"]`` (`registry.AVERAGES`) of a model's weights.

    It has the methods of `averaging.Average`.
    """
    return find("averages", spec["name"]).call({"model": model}, **_settings(spec))


def preconditioner(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return what an adaptive optimiser divides the gradient of each parameter by at present.

    Of Adam that is √(v / (1 − β₂ᵗ)) + ε, v being the running mean of squared gradients after t
    steps, of RMSprop √v + ε. Nothing for other optimisers, and before the first step.
    """
    if not isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop)):
        return {}
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: _divisor(optimizer.state[parameter], group)
        for group in optimizer.param_groups
        for parameter in group["params"]
        # One of a user's own file may have parameters besides the network's.
        if parameter in names and optimizer.state.get(parameter)
    }


def _divisor(state: Mapping[str, Any], group: Mapping[str, Any]) -> torch.Tensor:
    if "square_avg" in state:
        return state["square_avg"].sqrt() + group["eps"]
    weight = 1 - group["betas"][1] ** float(state["step"])
    return (state["exp_avg_sq"] / weight).sqrt() + group["eps"]


def _without_default(function: Callable) -> list[str]:
    found = signature(function).parameters.values()
    plain = (p for p in found if p.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD))
    return [parameter.name for parameter in plain if parameter.default is Parameter.empty]


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
