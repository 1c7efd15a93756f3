"""Inputs as they are attacked: floating, in the units that a user sees, and what they must keep."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..ascent import Norm
from ..surroundings import differentiable_kernels

Box = tuple[float, float]
# The values of a pixel of a picture, as fractions of its range.
PICTURES: Box = (0.0, 1.0)


def box_of(inputs: torch.Tensor) -> Box | None:
    """Return the box that inputs must not leave: that of pictures in bytes.

    Features have no natural range, and so no box.
    """
    return PICTURES if inputs.dtype == torch.uint8 else None


def largest_radius(inputs: torch.Tensor, norm: Norm, box: Box | None) -> float:
    """Return a radius at which every input can become any other one, or any in the box.

    Without a box that is of inputs in the range of those that are given.

    Args:
        inputs: in the units of radii, [n, …].
        norm: of the ball.
        box: that inputs must not leave.
    """
    low, high = box or (inputs.min().item(), inputs.max().item())
    return (high - low) * (1 if norm == "linf" else math.sqrt(inputs[0].numel()))


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Keep a model in evaluation mode in the block, and leave every module in its mode after it.

    cuDNN differentiates recurrent layers in training alone, so these do without.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with differentiable_kernels(model):
            yield
    finally:
        for module, training in modes:
            module.training = training
