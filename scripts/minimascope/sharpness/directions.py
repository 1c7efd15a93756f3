"""Directions in the space of parameters along which a loss is looked at."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import nn

from ..errors import InputError
from .flat import selected_parameters

Normalisation = Literal["filter", "layer", "none"]


def random_direction(
    model: nn.Module,
    generator: torch.Generator,
    normalisation: Normalisation = "filter",
    ignore: Literal["biases_and_norms", "none"] = "biases_and_norms",
) -> dict[str, torch.Tensor]:
    """Return a Gaussian direction, scaled to the network, by name of parameter.

    ``filter`` gives every filter of the direction (a slice of a parameter along its first axis)
    the norm of the network's filter; ``layer`` does so with whole parameters; ``none`` leaves
    the draws as they are (Li et al. 2018, arXiv:1712.09913, section 4). Parameters of one
    dimension or none have no filters: with ``filter`` each counts as one.

    Args:
        model: any module.
        generator: on the CPU, so that every device gets the same direction.
        normalisation: see above.
        ignore: ``biases_and_norms`` leaves parameters of one dimension or none where they are.
    """
    direction = {}
    for name, parameter in selected_parameters(model).items():
        values = parameter.detach()
        draws = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        draws = draws.to(values)
        if ignore == "biases_and_norms" and parameter.ndim <= 1:
            draws = torch.zeros_like(draws)
        elif normalisation != "none":
            by_filter = normalisation == "filter" and parameter.ndim > 1
            draws = draws * _norms(values, by_filter) / _norms(draws, by_filter)
        direction[name] = draws
    return direction


def _norms(values: torch.Tensor, by_filter: bool) -> torch.Tensor:
    if not by_filter:
        return values.norm()
    return values.flatten(1).norm(dim=1).reshape(-1, *[1] * (values.ndim - 1))


def difference(start: nn.Module, end: nn.Module) -> dict[str, torch.Tensor]:
    """Return the direction that leads from one network to another of the same shape.

    Besides parameters it holds BatchNorm's running statistics: without them the end of the
    direction would be another function than the second network.

    Raises:
        InputError: the networks differ in their parameters.
    """
    check_same_shape({"the start": start, "the end": end})
    second = state_of(end)
    return {name: second[name] - tensor for name, tensor in state_of(start).items()}


def check_same_shape(models: Mapping[str, nn.Module]) -> None:
    """Refuse networks, by name, that no line connects.

    Raises:
        InputError: they differ in the shape of parameters or statistics, or in buffers that are not
            saved, such as the normalisation of their inputs, which do not move along a line.
    """
    shapes = {
        name: {key: list(tensor.shape) for key, tensor in state_of(model).items()}
        for name, model in models.items()
    }
    (first, expected), *others = shapes.items()
    for other, found in others:
        for key in [*expected, *found]:
            if expected.get(key) != found.get(key):
                raise InputError(
                    f"no line leads from {first} to {other}: {key} is"
                    f" {expected.get(key, 'missing')} in one and {found.get(key, 'missing')} in the"
                    " other; name networks of the same shape"
                )
    fixed = {name: dict(_unsaved(model)) for name, model in models.items()}
    for other, found in fixed.items():
        for key, tensor in fixed[first].items():
            if not torch.equal(tensor, found[key]):
                raise InputError(
                    f"no line leads from {first} to {other}: they differ in {key} (the"
                    " normalisation of inputs?), which stays as it is along a line; name networks"
                    " that are alike in it"
                )


def _unsaved(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    saved = model.state_dict().keys()
    return ((name, tensor) for name, tensor in model.named_buffers() if name not in saved)


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return all floating-point parameters and buffers that are saved with a network.

    A tensor that several layers share is there once.
    """
    saved = model.state_dict().keys()
    return {
        name: tensor
        for name, tensor in itertools.chain(model.named_parameters(), model.named_buffers())
        if name in saved and tensor.is_floating_point()
    }
