"""Curves of low loss between two networks."""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from ..batches import enough_memory
from ..batchnorm import by_batch
from ..errors import InputError
from ..jobs.progress import progress
from ..network_copy import copied
from ..schedule import cosine
from .directions import difference, state_of
from .flat import FlatTensors
from .objective import Objective
from .surface import Direction, loss_surface

MOMENTUM = 0.9


def bezier(
    start: nn.Module,
    end: nn.Module,
    objective: Objective,
    x: np.ndarray,
    generator: torch.Generator,
    arrive: Callable[[nn.Module], None] | None = None,
    *,
    steps: int,
    lr: float,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Return the loss along a trained Bézier curve between two networks.

    The curve (1 − x)² θ₀ + 2 x (1 − x) θ + x² θ₁ begins as the straight line; its middle point θ
    then follows the gradient of the loss of random batches at points x that are drawn uniformly
    from [0, 1] (Garipov et al. 2018, arXiv:1802.10026, section 3), by SGD with momentum 0.9 and a
    learning rate that falls along a cosine. The loss is that of a `line`, in evaluation mode. As in
    the paper, BatchNorm's statistics are those of each batch in training, where they are estimated
    anew at each point in the end; otherwise they are on the straight line between those of both
    networks all the time.

    Args:
        start: at x = 0; in evaluation mode.
        end: at x = 1, of the same shape.
        objective: the mean loss over a split.
        x: points of the curve [m], from 0 to 1.
        generator: of points and batches, on the CPU.
        arrive: gives a network at a point of the curve BatchNorm's statistics of the data
            (`interpolation.reestimation`); None for those on the straight line.
        steps: of SGD.
        lr: its learning rate at first.
        batch_size: samples of a step.

    Returns:
        ``x`` [m] and ``losses`` [m] in nats.

    Raises:
        InputError: the networks differ in shape, or the training diverged.
    """
    straight = difference(start, end)
    model = copied(start)
    with by_batch(model) if arrive else nullcontext():
        bend = _trained_bend(model, straight, objective, generator, steps, lr, batch_size)
    directions = [straight, bend]
    losses = [
        loss_surface(
            start, objective, directions, [_at(point), _at(_share(point))], arrive=arrive
        ).item()
        for point in x.tolist()
    ]
    if not np.isfinite(losses).all():
        raise InputError("sharpness.interpolation.bezier.lr: the curve diverged; take a lower rate")
    return {"x": x, "losses": np.array(losses)}


def _at(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def _share(x: float) -> float:
    """Return how much of the bend is in a point of the curve."""
    return 2 * x * (1 - x)


def _trained_bend(
    model: nn.Module,
    straight: Direction,
    objective: Objective,
    generator: torch.Generator,
    steps: int,
    lr: float,
    batch_size: int,
) -> Direction:
    """Return where the middle point ends, from the middle of the straight line, by parameter.

    The network at the start is moved along.
    """
    tensors = state_of(model)
    state = FlatTensors(list(tensors.values()))
    origin, towards = state.vector.clone(), state.pack([straight[name] for name in tensors])
    bend = torch.zeros_like(origin)
    optimizer = torch.optim.SGD([bend], lr, momentum=MOMENTUM)
    learnt = {name: each for name, each in model.named_parameters() if each.requires_grad}
    samples = objective.samples
    for step in progress(range(steps), "curve", "step"):
        x = torch.rand((), generator=generator).item()
        chosen = torch.randperm(len(samples), generator=generator)[:batch_size]
        chosen = chosen.to(samples.labels.device)
        batch = samples.rows(chosen)
        state.vector.copy_(origin).add_(towards, alpha=x).add_(bend, alpha=_share(x))
        # At once, since BatchNorm's statistics are those of the whole batch.
        with enough_memory("lower sharpness.interpolation.bezier.batch_size"):
            loss = objective.of(batch).share(model, batch.first(batch_size))
            found = torch.autograd.grad(loss, list(learnt.values()), materialize_grads=True)
        moved = dict(zip(learnt, found, strict=True))
        gradient = [moved.get(name, torch.zeros_like(tensor)) for name, tensor in tensors.items()]
        bend.grad = _share(x) * state.pack(gradient)
        optimizer.param_groups[0]["lr"] = lr * cosine(step, steps, 0)
        optimizer.step()
    return dict(zip(tensors, state.unpack(bend), strict=True))
