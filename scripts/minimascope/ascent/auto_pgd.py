"""Auto-PGD: projected gradient ascent whose steps shrink where it stops rising.

Croce & Hein 2020, arXiv:2003.01690, Algorithm 1. They attack a network's inputs with it;
Andriushchenko et al. 2023 search for the worst perturbation of parameters. Every row goes its own
way: it has its own size of step, best point and restarts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch

from .ball import Ball, of_rows

# What the step has in the next point; the rest is the move before.
MOMENTUM = 0.75
# Share of the steps between two checkpoints that must rise.
RISING = 0.75


@dataclass(frozen=True)
class Seen:
    """What is seen at points.

    Attributes:
        values: of the function, [m].
        gradients: of each value with respect to its own row, [m, …].
        done: which rows need not go on, bool [m]; None for none.
    """

    values: torch.Tensor
    gradients: torch.Tensor
    done: torch.Tensor | None = None


# From points [m, …] and the numbers [m] of their rows.
Evaluate = Callable[[torch.Tensor, torch.Tensor], Seen]


@dataclass
class _Climb:
    """Where the rows are that go on; every attribute has one entry for each of them."""

    rows: torch.Tensor
    point: torch.Tensor
    before: torch.Tensor
    value: torch.Tensor
    gradient: torch.Tensor
    best_value: torch.Tensor
    best_point: torch.Tensor
    best_gradient: torch.Tensor
    best_before: torch.Tensor
    size: torch.Tensor
    size_before: torch.Tensor
    rises: torch.Tensor
    done: torch.Tensor

    def kept(self, mask: torch.Tensor) -> "_Climb":
        return _Climb(**{part.name: getattr(self, part.name)[mask] for part in fields(self)})

    def note(self, seen: Seen) -> None:
        """Take note of what is seen at the points."""
        self.rises = self.rises + (seen.values > self.value)
        self.value, self.gradient = seen.values, seen.gradients
        better = seen.values > self.best_value
        self.best_value = torch.where(better, seen.values, self.best_value)
        better = of_rows(better, self.point)
        self.best_point = torch.where(better, self.point, self.best_point)
        self.best_gradient = torch.where(better, seen.gradients, self.best_gradient)
        if seen.done is not None:
            self.done = self.done | seen.done

    def adapt(self, steps: int) -> None:
        """Halve sizes of steps and return to the best points, after so many steps, if need be."""
        stalled = (self.size == self.size_before) & (self.best_value == self.best_before)
        halved = (self.rises < RISING * steps) | stalled
        self.size_before, self.best_before = self.size, self.best_value
        self.size = torch.where(halved, self.size / 2, self.size)
        self.value = torch.where(halved, self.best_value, self.value)
        halved = of_rows(halved, self.point)
        self.point = torch.where(halved, self.best_point, self.point)
        self.gradient = torch.where(halved, self.best_gradient, self.gradient)
        self.rises = torch.zeros_like(self.rises)

    def move(self, ball: Ball) -> None:
        """Go to the next points: a step, and a part of the move before."""
        moved = ball.stepped(self.point, self.gradient, self.size)
        mixed = self.point + MOMENTUM * (moved - self.point)
        mixed = mixed + (1 - MOMENTUM) * (self.point - self.before)
        self.point, self.before = ball.projected(mixed), self.point


def largest_values(
    evaluate: Evaluate, start: torch.Tensor, ball: Ball, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest value that each row met on its way up, [n], and where, [n, …].

    The first step is twice the radius. At checkpoints the step is halved, and the search goes on
    from the best point, if fewer than three quarters of the steps since the last one rose, or if
    neither the step nor the best value has changed since. There, too, rows stop that are done.

    Args:
        evaluate: returns values and gradients at points.
        start: a point of each ball, [n, …].
        ball: of the rows.
        steps: number of gradient steps.
    """
    climb = _begun(evaluate, start, ball)
    values, points = climb.best_value.clone(), climb.best_point.clone()
    marks, last = checkpoints(steps), 0
    for step in range(1, steps + 1):
        climb.note(evaluate(climb.point, climb.rows))
        if step in marks:
            climb.adapt(step - last)
            last = step
            values[climb.rows], points[climb.rows] = climb.best_value, climb.best_point
            if climb.done.any():
                climb, ball = climb.kept(~climb.done), ball.rows(~climb.done)
            if not len(climb.rows):
                break
        if step < steps:
            climb.move(ball)
    values[climb.rows], points[climb.rows] = climb.best_value, climb.best_point
    return values, points


def _begun(evaluate: Evaluate, start: torch.Tensor, ball: Ball) -> _Climb:
    rows = torch.arange(len(start), device=start.device)
    seen, size = evaluate(start, rows), 2 * ball.radius
    return _Climb(
        rows=rows,
        point=ball.stepped(start, seen.gradients, size),
        before=start,
        value=seen.values,
        gradient=seen.gradients,
        best_value=seen.values,
        best_point=start,
        best_gradient=seen.gradients,
        best_before=seen.values,
        size=size,
        size_before=torch.zeros_like(size),
        rises=torch.zeros_like(rows),
        done=torch.zeros_like(rows, dtype=torch.bool) if seen.done is None else seen.done,
    )


def checkpoints(steps: int) -> set[int]:
    """Return after how many steps the size of steps is looked at (equation 3)."""
    shares = [0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    # Rounded, since the fourth share is a little more than 0.7.
    return {math.ceil(round(share * steps, 9)) for share in shares[1:]}
