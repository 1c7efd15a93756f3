"""Projected gradient ascent with steps of one size (Madry et al. 2018, arXiv:1706.06083)."""

import torch

from .auto_pgd import Evaluate, checkpoints
from .ball import Ball

# All steps together are so many radii long (Madry et al. 2018 take 2.5 · radius / steps).
LENGTH = 2.5


def ascended(evaluate: Evaluate, start: torch.Tensor, ball: Ball, steps: int) -> torch.Tensor:
    """Return where each row is after so many steps up, [n, …].

    Steps are `LENGTH` radii over their number long, and a single one (FGSM) is a radius long. At
    the checkpoints of Auto-PGD rows stop that are done.

    Args:
        evaluate: returns values and gradients at points.
        start: a point of each ball, [n, …].
        ball: of the rows.
        steps: number of gradient steps.
    """
    rows = torch.arange(len(start), device=start.device)
    done = torch.zeros_like(rows, dtype=torch.bool)
    point, found, marks = start, None, checkpoints(steps)
    size = ball.radius * (LENGTH / steps if steps > 1 else 1)
    for step in range(1, steps + 1):
        seen = evaluate(point, rows)
        point = ball.stepped(point, seen.gradients, size)
        if seen.done is None:
            continue
        done = done | seen.done
        if step in marks and done.any():
            found = point.new_empty(start.shape) if found is None else found
            found[rows] = point
            rows, point, size, ball = rows[~done], point[~done], size[~done], ball.rows(~done)
            done = done[~done]
            if not len(rows):
                break
    if found is None:
        return point
    found[rows] = point
    return found
