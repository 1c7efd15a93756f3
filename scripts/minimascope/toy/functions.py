"""Seven analytic functions of the plane whose minima and curvature are known exactly.

They are functions f(x, y) of two tensors of the same shape, evaluated element by element.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

from ..errors import InputError


def sphere(x: Tensor, y: Tensor) -> Tensor:
    """Return x² + y²."""
    return x**2 + y**2


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """Return (1 − x)² + 100 (y − x²)² (Rosenbrock 1960, a = 1, b = 100)."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rastrigin(x: Tensor, y: Tensor) -> Tensor:
    """Return 20 + x² − 10 cos 2πx + y² − 10 cos 2πy (Rastrigin 1974, A = 10)."""
    ripples = torch.cos(2 * math.pi * x) + torch.cos(2 * math.pi * y)
    return 20 + x**2 + y**2 - 10 * ripples


def beale(x: Tensor, y: Tensor) -> Tensor:
    """Return (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)² (Beale 1958)."""
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def booth(x: Tensor, y: Tensor) -> Tensor:
    """Return (x + 2y − 7)² + (2x + y − 5)²."""
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def three_hump_camel(x: Tensor, y: Tensor) -> Tensor:
    """Return 2x² − 1.05 x⁴ + x⁶/6 + xy + y²."""
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


def himmelblau(x: Tensor, y: Tensor) -> Tensor:
    """Return (x² + y − 11)² + (x + y² − 7)² (Himmelblau 1972)."""
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


@dataclass(frozen=True)
class ToyFunction:
    """A function of the plane and where it is smallest.

    Attributes:
        label: name for readers.
        value: the function f(x, y).
        minima: (x, y) of every global minimum, where f = 0. Exact, but for three of Himmelblau's,
            which are irrational and rounded to six decimals (see `refine`).
    """

    label: str
    value: Callable[[Tensor, Tensor], Tensor]
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
        InputError: if there is none; the message has the nearest name.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    (nearest,) = get_close_matches(name, FUNCTIONS, n=1, cutoff=0)
    raise InputError(f"toy function {name!r}: unknown name; did you mean {nearest!r}?")


def hessian_geometry(name: str, x: float, y: float) -> dict[str, float]:
    """Return the curvature of a toy function at a point, from its exact 2 × 2 Hessian.

    The Hessian comes from automatic differentiation in float64. The condition number is the
    largest over the smallest absolute eigenvalue (infinite for a singular Hessian); at a minimum
    no eigenvalue is negative. The units are those of the function, which has none.

    >>> hessian_geometry("booth", 1, 3)["hessian_determinant"]
    36.0

    Raises:
        InputError: if the function is unknown or the point is not finite.
    """
    hessian = _hessian(toy_function(name).value, _point(name, x, y))
    (a, b), (c, d) = hessian
    return {
        "condition_number": float(np.linalg.cond(hessian)),
        "hessian_trace": float(a + d),
        "hessian_determinant": float(a * d - b * c),
        "max_eigenvalue": float(np.linalg.eigvalsh(hessian)[-1]),
    }


def refine(name: str, x: float, y: float) -> tuple[float, float]:
    """Return the stationary point of a toy function next to a rounded one, in float64.

    Raises:
        InputError: if the function is unknown, the point is not finite or the search from there
            does not converge.
    """
    value = toy_function(name).value
    found = optimize.root(
        lambda point: _gradient(value, point),
        _point(name, x, y),
        jac=lambda point: _hessian(value, point),
        options={"xtol": 1e-14},
    )
    # Status 3 means that float64 has no better point, which is what is asked for.
    if found.status not in (1, 3):
        raise InputError(
            f"toy function {name!r}: no stationary point found from ({x}, {y}); start nearer to one"
        )
    return float(found.x[0]), float(found.x[1])


def _point(name: str, x: float, y: float) -> np.ndarray:
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"toy function {name!r}: ({x}, {y}) is no point; give finite coordinates")
    return np.array([x, y], dtype=np.float64)


def _gradient(value: Callable[[Tensor, Tensor], Tensor], point: np.ndarray) -> np.ndarray:
    x, y = torch.tensor(point, requires_grad=True)
    return torch.stack(torch.autograd.grad(value(x, y), (x, y))).numpy()


def _hessian(value: Callable[[Tensor, Tensor], Tensor], point: np.ndarray) -> np.ndarray:
    hessian = torch.autograd.functional.hessian
    return hessian(lambda p: value(p[0], p[1]), torch.from_numpy(point)).numpy()
