"""The mean loss along lines and over planes in the space of parameters."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from ..jobs.progress import progress
from ..network_copy import copied
from .directions import state_of
from .flat import FlatTensors
from .objective import BATCH_SIZE, Objective

Direction = Mapping[str, torch.Tensor]


@torch.no_grad()
def loss_surface(
    model: nn.Module,
    objective: Objective,
    directions: Sequence[Direction],
    coordinates: Sequence[torch.Tensor],
    batch_size: int = BATCH_SIZE,
    arrive: Callable[[nn.Module], None] | None = None,
) -> torch.Tensor:
    """Return the mean loss at θ + Σ_i c_i d_i for all combinations of coordinates, float64.

    Args:
        model: in evaluation mode; unchanged by the call.
        objective: the mean loss.
        directions: d_i, tensors by name of a parameter or buffer; others stay as they are.
        coordinates: for each direction the values of c_i, [m_i].
        batch_size: how many inputs are computed at once.
        arrive: called with the network at each point before its loss is computed; may change its
            buffers.

    Returns:
        [m_1, m_2, …], on the CPU.
    """
    model = copied(model)
    tensors = state_of(model)
    moved = [name for name in tensors if any(name in d for d in directions)]
    state = FlatTensors([tensors[name] for name in moved])
    origin = state.vector.clone()
    steps = [
        state.pack([d[name] if name in d else torch.zeros_like(tensors[name]) for name in moved])
        for d in directions
    ]
    # Beyond two networks, the line through their running variances can lead below zero.
    variances = [tensors[name] for name in moved if name.endswith("running_var")]
    points = list(itertools.product(*(values.tolist() for values in coordinates)))
    losses = torch.empty(len(points), dtype=torch.float64, device=origin.device)
    for index, point in enumerate(progress(points, "landscape", "point")):
        state.vector.copy_(origin)
        for step, coordinate in zip(steps, point, strict=True):
            state.vector.add_(step, alpha=coordinate)
        for variance in variances:
            variance.clamp_(min=0)
        if arrive is not None:
            arrive(model)
        losses[index] = objective.mean(model, batch_size)
    return losses.reshape([len(values) for values in coordinates]).cpu()


def symmetric_grid(radius: float, points: int) -> torch.Tensor:
    """Return equally spaced values from -radius to radius, [points] in float64.

    The middle one of an odd number is exactly 0.
    """
    steps = torch.arange(points, dtype=torch.float64)
    return radius * (2 * steps - (points - 1)) / max(points - 1, 1)
