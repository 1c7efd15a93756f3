"""How the toy functions are curved, by automatic differentiation in float64."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

from ..errors import InputError
from .functions import toy_function
from .problems import EXTENT

# Cells per axis of the grid that means over the domain are taken on; their error is below 1e-5.
CELLS = 1000


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


@cache
def own_curvature(name: str) -> dict[str, float]:
    """Return how curved a toy function is, at its minima and over the domain of its points.

    ``trace_at_minimum`` and ``eigenvalue_at_minimum`` are the trace and the largest eigenvalue of
    the Hessian, means over global minima. ``trace_over_domain`` and ``eigenvalue_over_domain`` are
    the means of the trace's absolute value and of the largest absolute eigenvalue over the square
    that points are drawn from, and ``variance`` is that of the function there.

    Raises:
        InputError: if the function is unknown.
    """
    function = toy_function(name)
    minima = [hessian_geometry(name, *minimum) for minimum in function.minima]
    middles = (torch.arange(CELLS, dtype=torch.float64) + 0.5) * (2 * EXTENT / CELLS) - EXTENT
    x, y = (axis.flatten() for axis in torch.meshgrid(middles, middles, indexing="ij"))
    xx, xy, yy = _second_derivatives(function.value, x, y)
    eigenvalues = (xx + yy).abs() / 2 + torch.hypot((xx - yy) / 2, xy)
    return {
        "trace_at_minimum": float(np.mean([found["hessian_trace"] for found in minima])),
        "eigenvalue_at_minimum": float(np.mean([found["max_eigenvalue"] for found in minima])),
        "trace_over_domain": (xx + yy).abs().mean().item(),
        "eigenvalue_over_domain": eigenvalues.mean().item(),
        "variance": function.value(x, y).var(correction=0).item(),
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
        raise InputError(f"toy function {name!r}: ({x}, {y}) is no point; give finite numbers")
    return np.array([x, y], dtype=np.float64)


def _gradient(value: Callable[[Tensor, Tensor], Tensor], point: np.ndarray) -> np.ndarray:
    x, y = torch.tensor(point, requires_grad=True)
    return torch.stack(torch.autograd.grad(value(x, y), (x, y))).numpy()


def _hessian(value: Callable[[Tensor, Tensor], Tensor], point: np.ndarray) -> np.ndarray:
    hessian = torch.autograd.functional.hessian
    return hessian(lambda p: value(p[0], p[1]), torch.from_numpy(point)).numpy()


def _second_derivatives(
    value: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ∂²f/∂x², ∂²f/∂x∂y and ∂²f/∂y² at many points."""
    point = x.clone().requires_grad_(), y.clone().requires_grad_()
    along_x, along_y = torch.autograd.grad(value(*point).sum(), point, create_graph=True)
    kind = {"retain_graph": True, "materialize_grads": True}
    xx, xy = torch.autograd.grad(along_x.sum(), point, **kind)
    return xx, xy, torch.autograd.grad(along_y.sum(), point[1:], **kind)[0]
