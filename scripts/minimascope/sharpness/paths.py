"""The path norm, and whether a network is a sum over paths at all."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..network_copy import copied
from ..networks.normalised import NormalisedInput
from ..seeding import generator
from .layer_calls import tensors_in
from .layers import is_batchnorm, scale_and_shift, set_scale_and_shift
from .objective import Objective

# Multiples of an argument between which a function must go straight; the first two say how.
ALONG_A_RAY = (1.0, 2.0, 2.0**-10, 2.0**10)
ROUNDING = 1e-6


@torch.no_grad()
def log_path_norm(model: nn.Module, objective: Objective) -> float | None:
    """Return ln Σ_c f_{w²}(1)_c, f_{w²} being the network with squared parameters (44).

    For rectifiers that is the sum over all paths of the products of their squared weights
    (Neyshabur et al. 2015, arXiv:1503.00036), biases as weights of a unit that is always 1. The
    ones are the inputs behind the normalisation of the data.

    Args:
        model: see `layers.folded`.
        objective: for the shape of an input.

    Returns:
        None where the network is no sum over paths, by `Straight`, or takes no numbers.
    """
    inner = model.network if isinstance(model, NormalisedInput) else model
    inputs, _ = objective.samples.first()
    if not isinstance(inputs, torch.Tensor) or inputs.ndim < 2:
        return None
    if not (inputs.is_floating_point() or inner is not model):
        return None
    paths = squared(inner).double()
    ones = torch.ones(inputs.shape, dtype=torch.float64, device=inputs.device)
    with Straight(ones) as straight:
        one = objective.read(paths(ones)).sum().item()
    zero, two = (objective.read(paths(factor * ones)).sum().item() for factor in (0, 2))
    # What functions of a user's own do inside is not seen, but then seldom this.
    affine = straight.throughout and abs(two - 2 * one + zero) <= ROUNDING * two
    return math.log(one) if affine and one > 0 and math.isfinite(two) else None


def squared(model: nn.Module) -> nn.Module:
    """Return a copy with the square of every parameter; a BatchNorm counts as scale and shift.

    Args:
        model: in evaluation mode; see `layers.folded`.
    """
    model = copied(model)
    with torch.no_grad():
        for module in model.modules():
            if is_batchnorm(module):
                set_scale_and_shift(module, *(each.square() for each in scale_and_shift(module)))
        for parameter in model.parameters():
            parameter.square_()
    return model


class Straight(TorchFunctionMode):
    """While active, it looks whether functions of what depends on the inputs have paths.

    Layers, rectifiers, pooling and sums are straight along each ray of their arguments, t x for
    t > 0, and do not fall where all arguments rise from zero. Smooth activations, normalisations
    of a sample, attention and products of activations are not straight, differences fall. That is
    asked of each function alone, with random arguments of any sign, so that the answer depends on
    neither the weights nor the depth of the network.

    Attributes:
        throughout: whether all functions were so.
    """

    def __init__(self, inputs: torch.Tensor) -> None:
        super().__init__()
        self.throughout = True
        # By their ids; held, so that no other tensor takes one.
        self._dependent = {id(inputs): inputs}
        self._draws = generator(0, "rays", device=inputs.device)

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        depends = any(id(tensor) in self._dependent for tensor in tensors_in((args, kwargs)))
        if depends and self.throughout:
            self.throughout = self._has_paths(func, args, kwargs)
        result = func(*args, **kwargs)
        if depends:
            # What is assigned to a part of a tensor is a part of that.
            changed = args[:1] if result is None else result
            found = (each for each in tensors_in(changed) if each.is_floating_point())
            self._dependent |= {id(each): each for each in found}
        return result

    def _has_paths(self, func: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        arguments = {
            id(tensor): torch.randn(
                tensor.shape, dtype=tensor.dtype, device=tensor.device, generator=self._draws
            )
            for tensor in tensors_in((args, kwargs))
            if id(tensor) in self._dependent
        }

        def value(factor: float, of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
            moved = {key: factor * of(tensor) for key, tensor in arguments.items()}
            given = _replaced((args, kwargs), moved)
            found = func(*given[0], **given[1])
            found = given[0][:1] if found is None else found
            # Masks and places, too: those of a rectifier are the same along a ray.
            parts = [each.double().flatten() for each in tensors_in(found) if not each.is_complex()]
            return torch.cat(parts) if sum(map(len, parts)) else torch.zeros(1)

        rays = (lambda tensor: tensor), torch.neg, torch.abs
        along = [[value(factor, of) for factor in ALONG_A_RAY] for of in rays]
        if not all(_is_straight(values) for values in along):
            return False
        one, two = along[-1][:2]
        return bool((two - one >= -ROUNDING * two.abs().amax()).all())


def _is_straight(values: Sequence[torch.Tensor]) -> bool:
    one, two, *others = values
    if any(other.shape != one.shape for other in (two, *others)):
        return False
    for factor, other in zip(ALONG_A_RAY[2:], others, strict=True):
        expected = one + (factor - 1) * (two - one)
        size = max(each.abs().amax().item() for each in (one, two, other))
        if not (other - expected).abs().amax() <= ROUNDING * size:
            return False
    return True


def _replaced(values: Any, tensors: Mapping[int, torch.Tensor]) -> Any:
    """Return arguments with other tensors by the ids of those, all of them copies."""
    if isinstance(values, torch.Tensor):
        return tensors[id(values)] if id(values) in tensors else values.clone()
    if isinstance(values, dict):
        return {key: _replaced(value, tensors) for key, value in values.items()}
    if type(values) in (list, tuple):
        return type(values)(_replaced(value, tensors) for value in values)
    return values
