"""Seven analytic functions of the plane whose minima and curvature are known exactly.

They are functions f(x, y) of two arrays or tensors of the same shape, evaluated element by element.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..errors import InputError, nearest

# Arrays or tensors.
Numbers = TypeVar("Numbers")


def sphere(x: Numbers, y: Numbers) -> Numbers:
    """Return x² + y²."""
    return x**2 + y**2


def rosenbrock(x: Numbers, y: Numbers) -> Numbers:
    """Return (1 − x)² + 100 (y − x²)² (Rosenbrock 1960, a = 1, b = 100)."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rastrigin(x: Numbers, y: Numbers) -> Numbers:
    """Return 20 + x² − 10 cos 2πx + y² − 10 cos 2πy (Rastrigin 1974, A = 10)."""
    return 20 + x**2 + y**2 - 10 * (_cos(2 * math.pi * x) + _cos(2 * math.pi * y))


def _cos(x: Numbers) -> Numbers:
    return np.cos(x) if isinstance(x, np.ndarray) else x.cos()


def beale(x: Numbers, y: Numbers) -> Numbers:
    """Return (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)² (Beale 1958)."""
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def booth(x: Numbers, y: Numbers) -> Numbers:
    """Return (x + 2y − 7)² + (2x + y − 5)²."""
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def three_hump_camel(x: Numbers, y: Numbers) -> Numbers:
    """Return 2x² − 1.05 x⁴ + x⁶/6 + xy + y²."""
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


def himmelblau(x: Numbers, y: Numbers) -> Numbers:
    """Return (x² + y − 11)² + (x + y² − 7)² (Himmelblau 1972)."""
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


@dataclass(frozen=True)
class ToyFunction:
    """A function of the plane and where it is smallest.

    Attributes:
        label: name for readers.
        value: the function f(x, y).
        minima: (x, y) of every global minimum, where f = 0. Exact, but for three of Himmelblau's,
            which are irrational and rounded to six decimals (see `curvature.refine`).
    """

    label: str
    value: Callable[[Numbers, Numbers], Numbers]
    minima: tuple[tuple[float, float], ...]


FUNCTIONS = {
    "sphere": ToyFunction("Sphere", sphere, ((0.0, 0.0),)),
    "rosenbrock": ToyFunction("Rosenbrock", rosenbrock, ((1.0, 1.0),)),
    "rastrigin": ToyFunction("Rastrigin", rastrigin, ((0.0, 0.0),)),
    "beale": ToyFunction("Beale", beale, ((3.0, 0.5),)),
    "booth": ToyFunction("Booth", booth, ((1.0, 3.0),)),
    "three_hump_camel": ToyFunction("Three-hump camel", three_hump_camel, ((0.0, 0.0),)),
    "himmelblau": ToyFunction(
        "Himmelblau",
        himmelblau,
        (
            (3.0, 2.0),
            (-2.805118, 3.131312),
            (-3.779310, -3.283186),
            (3.584428, -1.848126),
        ),
    ),
}


def toy_function(name: str) -> ToyFunction:
    """Return the function of that name.

    Raises:
        InputError: there is none.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise InputError(f"toy function {name!r}: unknown name; {nearest(name, FUNCTIONS)}")
