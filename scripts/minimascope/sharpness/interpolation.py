"""The training loss between networks: along the line through two, over the plane through three."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from .directions import difference
from .objective import Objective
from .surface import loss_surface


def line(
    start: nn.Module, end: nn.Module, objective: Objective, points: int = 25, margin: float = 0.25
) -> dict[str, np.ndarray]:
    """Return the loss on the straight line through two networks (Goodfellow et al. 2015).

    BatchNorm's running statistics are interpolated with the parameters, so that both ends are
    the networks themselves.

    Args:
        start: at x = 0; in evaluation mode.
        end: at x = 1, of the same shape.
        objective: the mean loss.
        points: on the line, besides the two networks.
        margin: how far the line goes beyond them.

    Returns:
        ``x`` [m] in increasing order, with 0 and 1 among them, and ``losses`` [m] in nats.

    Raises:
        InputError: the networks differ in shape.
    """
    x = np.union1d(np.linspace(-margin, 1 + margin, points), [0.0, 1.0])
    losses = loss_surface(start, objective, [difference(start, end)], [torch.from_numpy(x)])
    return {"x": x, "losses": losses.numpy()}


def barrier(path: Mapping[str, np.ndarray]) -> float:
    """Return the loss barrier of a `line`, in nats.

    The largest excess of the loss between two networks over the straight line between their own
    losses (Entezari et al. 2022, arXiv:2110.06296, section 2); 0 where there is none.
    """
    x, losses = _between(path)
    return float((losses - (1 - x) * losses[0] - x * losses[-1]).max())


def instability(path: Mapping[str, np.ndarray]) -> float:
    """Return the linear interpolation instability of a `line`, in nats.

    The largest loss between two networks minus the mean of their own losses (Frankle et al. 2020,
    arXiv:1912.05671, section 2). Where these differ, it is at least half their difference, and
    other than the `barrier` even if the loss falls all the way.
    """
    _, losses = _between(path)
    return float(losses.max() - (losses[0] + losses[-1]) / 2)


def _between(path: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a line from one network to the other."""
    between = (path["x"] >= 0) & (path["x"] <= 1)
    if not np.isfinite(path["losses"][between]).all():
        raise InputError("the loss is not finite on the line between two networks; name others")
    return path["x"][between], path["losses"][between]


def plane(
    models: Sequence[nn.Module], objective: Objective, points: int = 25, margin: float = 0.25
) -> dict[str, np.ndarray]:
    """Return the loss on the plane through three networks (Garipov et al. 2018, arXiv:1802.10026).

    Axes are orthogonal in the space of parameters, in units of Euclidean distance: the first
    leads from the first network to the second. Running statistics move along linearly.

    Args:
        models: three networks of the same shape, not on one line, in evaluation mode.
        objective: the mean loss.
        points: on each side of the grid.
        margin: how far it goes beyond the networks, as a share of their extent.

    Returns:
        ``x`` [m], ``y`` [m], ``losses`` [m, m] in nats, and for the networks themselves
        ``model_x`` [3], ``model_y`` [3], ``model_losses`` [3].

    Raises:
        InputError: the networks differ in shape, or lie on one line.
    """
    origin, second, third = models
    u, v = difference(origin, second), difference(origin, third)
    parameters = [name for name, _ in origin.named_parameters()]

    def dot(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> float:
        return sum((a[name].double() * b[name].double()).sum().item() for name in parameters)

    length = dot(u, u) ** 0.5
    along = dot(u, v) / length
    height = max(dot(v, v) - along**2, 0.0) ** 0.5
    if height <= 1e-6 * length:
        raise InputError("three networks on one line span no plane; name others")
    first = {name: u[name] / length for name in u}
    second_axis = {name: (v[name] - along * first[name]) / height for name in v}

    corners_x, corners_y = np.array([0, length, along]), np.array([0, 0, height])
    x, y = (_axis(corners, points, margin) for corners in (corners_x, corners_y))
    axes = [first, second_axis]
    grid = loss_surface(origin, objective, axes, [torch.from_numpy(x), torch.from_numpy(y)])
    corners = [
        loss_surface(origin, objective, axes, [torch.tensor([a]), torch.tensor([b])]).item()
        for a, b in zip(corners_x, corners_y, strict=True)
    ]
    return {
        "x": x,
        "y": y,
        "losses": grid.numpy(),
        "model_x": corners_x,
        "model_y": corners_y,
        "model_losses": np.array(corners),
    }


def _axis(corners: np.ndarray, points: int, margin: float) -> np.ndarray:
    extent = np.ptp(corners)
    return np.linspace(corners.min() - margin * extent, corners.max() + margin * extent, points)
