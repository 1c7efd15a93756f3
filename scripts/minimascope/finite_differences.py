"""Whether derivatives by torch are the changes that finite differences find."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from .batches import in_batches
from .network_copy import in_type

# Samples whose changes with their inputs are looked at.
SAMPLES = 8
# How far from where a function is used the two are compared, relative to what is moved: far enough
# that no rectifier's input is exactly 0, as many are where a network is fresh.
SHIFT = 1e-2
# Lengths of the steps of finite differences, likewise, and what may differ then, relative to the
# product: short ones cross few kinks, long ones round little. One that agrees will do.
STEPS = ((1e-8, 1e-3), (1e-9, 1e-3), (1e-7, 1e-3), (1e-10, 1e-3))
# Parts of networks compute in float32 whatever their input, as do many of attention.
ROUNDED_STEPS = (*STEPS, (1e-4, 1e-2), (1e-3, 1e-2))
# What may differ besides, in units of rounding over the step.
ROUNDINGS = 1e3
# The same in float32, where steps must be long. Where the differences over two steps are not alike,
# they say nothing.
STEPS_32, TOLERANCE_32 = (3e-3, 1e-2), 0.1


class Slope(NamedTuple):
    """How a function changes along a line, in two ways.

    Attributes:
        product: by torch.
        difference: the same by central differences, for the length of a step.
        size: of what differences are taken of, for its rounding.
    """

    product: torch.Tensor
    difference: Callable[[float], torch.Tensor]
    size: float


def agree(slope_at: Callable[[float], Slope], steps: Sequence[tuple[float, float]] = STEPS) -> bool:
    """Return whether a product is what finite differences in float64 say.

    Args:
        slope_at: from a distance to the slope so far away.
        steps: lengths of steps, and what may differ at each.
    """
    for place in (SHIFT, -SHIFT):
        product, difference, size = slope_at(place)
        rounding = ROUNDINGS * torch.finfo(product.dtype).eps * size
        if any(near(difference(step), product, share, rounding / step) for step, share in steps):
            return True
    return False


def agree_32(slope: Slope) -> bool | None:
    """Return whether a product in float32 is what finite differences say; None if these vary."""
    product, difference, size = slope
    rounding = ROUNDINGS * torch.finfo(product.dtype).eps * size
    found = [difference(step) for step in STEPS_32]
    for one, step in zip(found, STEPS_32, strict=True):
        if near(one, product, TOLERANCE_32, rounding / step):
            return True
    return False if near(*found, TOLERANCE_32, 0.0) else None


def near(one: torch.Tensor, other: torch.Tensor, share: float, rounding: float) -> bool:
    """Return whether two vectors differ by no more than a share of them and a rounding."""
    largest = max(one.norm().item(), other.norm().item())
    return (one - other).norm().item() <= share * largest + rounding


def follows_its_inputs(
    model: nn.Module,
    outputs: Callable[[nn.Module, torch.Tensor], torch.Tensor],
    inputs: torch.Tensor,
) -> bool:
    """Return whether gradients with respect to inputs are the changes of a network's outputs.

    They are not where a part is cut out of the graph, or rounds and passes gradients on. In
    float64; where the network does not run in it, in float32 as far as that can tell.

    Args:
        model: in evaluation mode.
        outputs: from a network and inputs to its outputs, [n, …], each of its own input.
        inputs: floating, of the network's type, [n, …]; the first ones are looked at.
    """
    inputs = inputs[:SAMPLES].detach()
    double = in_type(
        model, torch.float64, lambda own: _in_batches(partial(outputs, own), inputs.double())
    )
    if double is None:
        slope = _input_slope(partial(outputs, model), inputs, 0.0)
        return agree_32(slope) is not False
    return agree(partial(_input_slope, partial(outputs, double), inputs.double()), ROUNDED_STEPS)


def _input_slope(
    outputs: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, place: float
) -> Slope:
    """Return how a weighted sum of each input's outputs changes in a random direction, [n].

    The direction is as large as the inputs, number by number, and so is the way to the place.
    """
    draws = torch.Generator().manual_seed(0)

    def drawn(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=draws).to(like)

    sizes = inputs.square().mean(0).sqrt()
    usual = sizes.square().mean().sqrt().item() or 1.0
    sizes = torch.where(sizes > 0, sizes, usual)
    points, direction = inputs + place * sizes * drawn(inputs), sizes * drawn(inputs)
    weights = drawn(_in_batches(lambda part: outputs(part).reshape(len(part), -1), points))

    def sums(part: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        return (outputs(part).reshape(len(part), -1) * own).sum(1)

    @torch.enable_grad()
    def slopes(part: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        part = part.detach().requires_grad_()
        found = sums(part, own)
        if not found.requires_grad:
            return torch.zeros_like(part)
        (gradient,) = torch.autograd.grad(found.sum(), part, materialize_grads=True)
        return gradient

    def difference(step: float) -> torch.Tensor:
        ends = [_in_batches(sums, points + move * direction, weights) for move in (step, -step)]
        return (ends[0] - ends[1]) / (2 * step)

    found = _in_batches(sums, points, weights)
    product = (_in_batches(slopes, points, weights) * direction).flatten(1).sum(1)
    return Slope(product, difference, found.norm().item())


@torch.no_grad()
def _in_batches(compute: Callable[..., torch.Tensor], *parts: torch.Tensor) -> torch.Tensor:
    """Return what a function gives of all inputs, as many at once as fit into memory."""
    return in_batches(lambda batches: torch.cat([compute(*one) for one in batches]), parts, SAMPLES)
