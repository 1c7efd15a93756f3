"""What toy networks learn: a function of the plane, from points that a seed's functions share."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from ..seeding import generator
from .functions import toy_function

# Points are uniform in [-EXTENT, EXTENT]².
EXTENT = 3.5


@dataclass(frozen=True)
class Problem:
    """A function to learn with a seed of points and initial weights."""

    function: str
    seed: int


def problems(functions: Iterable[str], seeds: Iterable[int]) -> list[Problem]:
    """Return a problem for each function and seed, in this order."""
    return [Problem(function, seed) for function, seed in product(functions, seeds)]


def samples(problem: Problem, split: str, count: int) -> tuple[Tensor, Tensor]:
    """Return points [count, 2] and the function's values there [count], in float64 on the CPU.

    The points are those of the seed, the same for every function.

    Args:
        problem: which function and seed.
        split: ``train`` or ``test``, which are drawn apart.
        count: number of points.
    """
    draws = generator(problem.seed, "toy points", split)
    points = torch.rand(count, 2, dtype=torch.float64, generator=draws) * (2 * EXTENT) - EXTENT
    return points, toy_function(problem.function).value(*points.unbind(-1))


def all_samples(
    wanted: Iterable[Problem],
    split: str,
    count: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor]:
    """Return the points [problems, count, 2] and values [problems, count] of several problems."""
    pairs = zip(*(samples(problem, split, count) for problem in wanted), strict=True)
    points, values = (torch.stack(tensors).to(device, dtype) for tensors in pairs)
    return points, values
