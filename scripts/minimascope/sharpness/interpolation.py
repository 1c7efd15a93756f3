"""The training loss between networks: along paths through two, over planes of three."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..batches import in_memory, inputs_at_once
from ..batchnorm import reestimate, tracking
from ..errors import InputError
from ..registry import REESTIMATED
from ..seeding import child
from .bezier import bezier
from .directions import difference
from .matching import matched
from .objective import BATCH_SIZE, Objective, in_dtype_of
from .subject import check_finite
from .surface import loss_surface


def line(
    start: nn.Module,
    end: nn.Module,
    objective: Objective,
    points: int = 25,
    margin: float = 0.25,
    batchnorm: str = REESTIMATED,
) -> dict[str, np.ndarray]:
    """Return the loss on the straight line through two networks (Goodfellow et al. 2015).

    Args:
        start: at x = 0; in evaluation mode.
        end: at x = 1, of the same shape.
        objective: the mean loss.
        points: on the line, besides the two networks.
        margin: how far the line goes beyond them.
        batchnorm: ``reestimated`` for running statistics that are estimated anew at every point,
            both networks among them (`reestimation`), or ``interpolated`` for those on the line, so
            that both ends are the networks themselves.

    Returns:
        ``x`` [m] in increasing order, with 0 and 1 among them, and ``losses`` [m] in nats.

    Raises:
        InputError: the networks differ in shape.
    """
    x = _points(points, margin)
    arrive = reestimation(start, objective) if batchnorm == REESTIMATED else None
    direction = difference(start, end)
    losses = loss_surface(start, objective, [direction], [torch.from_numpy(x)], arrive=arrive)
    return {"x": x, "losses": losses.numpy()}


def paths(
    start: nn.Module,
    end: nn.Module,
    objective: Objective,
    wanted: Mapping[str, Any],
    generator: torch.Generator,
) -> dict[str, dict[str, np.ndarray]]:
    """Return the loss on all paths from one network to another that are wanted, by their kind.

    ``straight`` is a `line`; ``matched`` one to the network that computes the same, with its hidden
    units in the places of those of the first (`matching.matched`); ``bezier`` a curve of low loss
    (`bezier.bezier`), at the points of a line that are between the networks.

    Args:
        start: at x = 0; in evaluation mode.
        end: at x = 1, of the same shape.
        objective: the mean loss over a split.
        wanted: ``points``, ``margin`` and ``batchnorm`` of lines, whether ``matched`` is wanted,
            and settings of ``bezier``, None for none.
        generator: of what is drawn, on the CPU.

    Raises:
        InputError: a network that is not finite, or see these.
    """
    for network in (start, end):
        check_finite(network, objective)
    spacing, batchnorm = (wanted["points"], wanted["margin"]), wanted["batchnorm"]
    found = {"straight": line(start, end, objective, *spacing, batchnorm)}
    if wanted["matched"]:
        there = matched(start, end, child(generator, "matched"))
        found["matched"] = line(start, there, objective, *spacing, batchnorm)
    if wanted["bezier"]:
        x = _points(*spacing)
        x = x[(x >= 0) & (x <= 1)]
        draws = child(generator, "bezier")
        arrive = reestimation(start, objective) if batchnorm == REESTIMATED else None
        found["bezier"] = bezier(start, end, objective, x, draws, arrive, **wanted["bezier"])
    return found


def reestimation(model: nn.Module, objective: Objective) -> Callable[[nn.Module], None] | None:
    """Return what gives a network BatchNorm's statistics of the data, or None without BatchNorm.

    Those of all samples in one batch, or, where they are too many, the mean over batches of equal
    size in an order that is always the same (`batchnorm.reestimate`); a batch in the order of the
    data could hold one class alone. Garipov et al. 2018 and Jordan et al. 2023 (arXiv:2211.08403)
    do so at each point.

    Args:
        model: of the shape of those to come.
        objective: whose samples are in memory (`Split`).
    """
    if not tracking(model):
        return None
    inputs = objective.samples.inputs
    n, order = len(inputs), torch.Generator().manual_seed(0)
    order = torch.randperm(n, generator=order).to(inputs.device)

    def arrive(model: nn.Module) -> None:
        def renew(size: int) -> None:
            parts = order.tensor_split(-(-n // size))
            reestimate(model, (in_dtype_of(model, inputs[rows]) for rows in parts))

        in_memory(renew, min(n, inputs_at_once(inputs, BATCH_SIZE)), inputs)

    return arrive


def barrier(path: Mapping[str, np.ndarray]) -> float:
    """Return the loss barrier of one of the `paths`, in nats.

    The largest excess of the loss between two networks over the straight line between their own
    losses (Entezari et al. 2022, arXiv:2110.06296, section 2); 0 where there is none.
    """
    x, losses = _between(path)
    return float((losses - (1 - x) * losses[0] - x * losses[-1]).max())


def instability(path: Mapping[str, np.ndarray]) -> float:
    """Return the instability of one of the `paths`, in nats; of a line that of interpolation.

    The largest loss between two networks minus the mean of their own losses (Frankle et al. 2020,
    arXiv:1912.05671, section 2). Where these differ, it is at least half their difference, and
    other than the `barrier` even if the loss falls all the way.
    """
    _, losses = _between(path)
    return float(losses.max() - (losses[0] + losses[-1]) / 2)


def _points(points: int, margin: float) -> np.ndarray:
    return np.union1d(np.linspace(-margin, 1 + margin, points), [0.0, 1.0])


def _between(path: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a path from one network to the other."""
    between = (path["x"] >= 0) & (path["x"] <= 1)
    if not np.isfinite(path["losses"][between]).all():
        raise InputError("the loss is not finite on the line between two networks; name others")
    return path["x"][between], path["losses"][between]


def plane(
    models: Sequence[nn.Module],
    objective: Objective,
    points: int = 25,
    margin: float = 0.25,
    batchnorm: str = REESTIMATED,
) -> dict[str, np.ndarray]:
    """Return the loss on the plane through three networks (Garipov et al. 2018, arXiv:1802.10026).

    Axes are orthogonal in the space of parameters, in units of Euclidean distance: the first
    leads from the first network to the second.

    Args:
        models: three networks of the same shape, not on one line, in evaluation mode.
        objective: the mean loss.
        points: on each side of the grid.
        margin: how far it goes beyond the networks, as a share of their extent.
        batchnorm: see `line`.

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
    # Of two networks that are the same, everything lies on one line with the third.
    along = dot(u, v) / length if length else 0.0
    height = max(dot(v, v) - along**2, 0.0) ** 0.5
    if not length or height <= 1e-6 * length:
        raise InputError("three networks on one line span no plane; name others")
    first = {name: u[name] / length for name in u}
    second_axis = {name: (v[name] - along * first[name]) / height for name in v}

    corners_x, corners_y = np.array([0, length, along]), np.array([0, 0, height])
    x, y = (_axis(corners, points, margin) for corners in (corners_x, corners_y))
    axes = [first, second_axis]
    arrive = reestimation(origin, objective) if batchnorm == REESTIMATED else None

    def losses(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        coordinates = [torch.from_numpy(x), torch.from_numpy(y)]
        return loss_surface(origin, objective, axes, coordinates, arrive=arrive).numpy()

    pairs = zip(np.split(corners_x, 3), np.split(corners_y, 3), strict=True)
    return {
        "x": x,
        "y": y,
        "losses": losses(x, y),
        "model_x": corners_x,
        "model_y": corners_y,
        "model_losses": np.array([losses(*pair).item() for pair in pairs]),
    }


def _axis(corners: np.ndarray, points: int, margin: float) -> np.ndarray:
    extent = np.ptp(corners)
    return np.linspace(corners.min() - margin * extent, corners.max() + margin * extent, points)
