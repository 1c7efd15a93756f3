"""Auto-PGD: projected gradient ascent whose steps shrink where it stops rising.

Croce & Hein 2020, arXiv:2003.01690, Algorithm 1, with which Andriushchenko et al. 2023 search for
the worst perturbation of parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

Norm = Literal["l2", "linf"]
Evaluate = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
# What the step has in the next point; the rest is the move before.
MOMENTUM = 0.75
# Share of the steps between two checkpoints that must rise.
RISING = 0.75


@dataclass(frozen=True)
class Ascent:
    """How the largest value in a ball around 0 is searched for.

    Attributes:
        radius: ρ, of the ball.
        norm: ``l2`` or ``linf``, of the ball.
        steps: number of gradient steps from each start.
        starts: number of starts, 0 and random points of the ball.
    """

    radius: float
    norm: Norm = "linf"
    steps: int = 20
    starts: int = 5


def largest_value(evaluate: Evaluate, start: torch.Tensor, ascent: Ascent) -> torch.Tensor:
    """Return the largest value met on the way up from a start.

    The first step is twice the radius. At checkpoints the step is halved, and the search goes on
    from the best point, if fewer than three quarters of the steps since the last one rose, or if
    neither the step nor the best value has changed since.

    Args:
        evaluate: returns a value, of no dimension, and its gradient at a point.
        start: a point of the ball.
        ascent: the ball and the number of steps.
    """
    value, gradient = evaluate(start)
    best, best_before = (value, start, gradient), value
    size, size_before, checkpoint, rises = 2 * ascent.radius, 0.0, 0, 0
    checkpoints = _checkpoints(ascent.steps)
    point, before = _stepped(start, gradient, size, ascent), start
    for step in range(1, ascent.steps + 1):
        found, gradient = evaluate(point)
        rises += bool(found > value)
        value = found
        if value > best[0]:
            best = value, point, gradient
        if step in checkpoints:
            stalled = size == size_before and best[0] == best_before
            size_before, best_before = size, best[0]
            if rises < RISING * (step - checkpoint) or stalled:
                size /= 2
                value, point, gradient = best
            checkpoint, rises = step, 0
        moved = _stepped(point, gradient, size, ascent)
        mixed = point + MOMENTUM * (moved - point) + (1 - MOMENTUM) * (point - before)
        point, before = _projected(mixed, ascent), point
    return best[0]


def random_point(like: torch.Tensor, ascent: Ascent, generator: torch.Generator) -> torch.Tensor:
    """Return a random point of the ball: uniform, or for ``l2`` uniform on its surface.

    Args:
        like: a vector of the point's length, type and device.
        ascent: the ball.
        generator: on the CPU, so that every device gets the same point.
    """
    draws = torch.empty(like.shape, dtype=torch.float64)
    if ascent.norm == "linf":
        draws.uniform_(-ascent.radius, ascent.radius, generator=generator)
    else:
        draws.normal_(generator=generator)
        draws *= ascent.radius / draws.norm()
    return draws.to(like)


def _checkpoints(steps: int) -> set[int]:
    """Return after how many steps the size of steps is looked at (equation 3)."""
    shares = [0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    # Rounded, since the fourth share is a little more than 0.7.
    return {math.ceil(round(share * steps, 9)) for share in shares[1:]}


def _stepped(
    point: torch.Tensor, gradient: torch.Tensor, size: float, ascent: Ascent
) -> torch.Tensor:
    """Return the point after a step in the direction of unit norm in which the value rises most."""
    if ascent.norm == "linf":
        direction = gradient.sign()
    else:
        direction = gradient / gradient.norm().clamp(min=torch.finfo(gradient.dtype).tiny)
    return _projected(point + size * direction, ascent)


def _projected(point: torch.Tensor, ascent: Ascent) -> torch.Tensor:
    """Return the nearest point of the ball."""
    if ascent.norm == "linf":
        return point.clamp(-ascent.radius, ascent.radius)
    return point * (ascent.radius / point.norm()).clamp(max=1)
