"""The training loss around a network, along random directions and eigenvectors of the Hessian."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch

from ..errors import InputError
from ..finished import FinishedSection
from ..measurement import Measured, Measurement
from ..seeding import child
from .directions import Normalisation, random_direction
from .eigenvector_surface import eigenvector_surface
from .objective import BATCH_SIZE
from .subject import Subject
from .surface import loss_surface, symmetric_grid


def asc_sharpness(
    losses: torch.Tensor | np.ndarray,
    coordinates: torch.Tensor | np.ndarray,
    radius: float = 0.25,
) -> float:
    """Return the sharpness of a two-dimensional loss surface.

    S = 100 · (max L − min L) / (1 + min L) over the grid points in the disc of the radius
    (Milling et al. 2023, arXiv:2309.16369, after Keskar et al. 2017, arXiv:1609.04836).

    Args:
        losses: [m, m].
        coordinates: [m], of both axes, in units of the (filter-normalised) directions.
        radius: of the disc.

    Raises:
        InputError: shapes that do not match, a loss that is not finite, or no grid point besides
            the centre in the disc.
    """
    losses = np.asarray(losses, dtype=np.float64)
    axis = np.asarray(coordinates, dtype=np.float64)
    if axis.ndim != 1 or losses.shape != (len(axis), len(axis)):
        raise InputError(
            f"losses {losses.shape} and coordinates {axis.shape} do not belong together;"
            " they must be [m, m] and [m]"
        )
    # Grid points on the circle must not fall out of it by rounding.
    inside = np.hypot(axis[:, None], axis) <= radius * (1 + 1e-9)
    if inside.sum() < 2:
        raise InputError(f"radius {radius}: the disc holds {inside.sum()} grid points; enlarge it")
    values = losses[inside]
    if not np.isfinite(values).all():
        raise InputError(f"radius {radius}: the loss is not finite in the disc; use a smaller one")
    return float(100 * (values.max() - values.min()) / (1 + values.min()))


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    radius: float = 0.25,
    points: int = 11,
    line_points: int = 51,
    direction_seeds: Sequence[int] = (42, 43, 44),
    more_direction_seeds: Sequence[int] | None = None,
    normalisation: Normalisation = "filter",
    ignore: Literal["biases_and_norms", "none"] = "biases_and_norms",
    eigenvectors: bool = False,
    eigenvector_radius: float = 0.1,
    dtype: str = "float32",
    batch_size: int = BATCH_SIZE,
    finished: FinishedSection | None = None,
) -> Measured:
    """Return ASC sharpness over pairs of random directions, with the surfaces behind it.

    The mean over pairs with its standard error, their largest value and their coefficient of
    variation; losses on a grid for each pair, and on a line along the pair's first direction.
    ``details`` have the value of each pair.

    Args:
        subject: the network and its data.
        generator: of starting vectors for eigenvectors, on the model's device. Random directions
            have seeds of their own, the same for every network, so that matched networks are cut
            along the same directions.
        radius: of the disc, and half the side of the grid, in units of the directions.
        points: m, of each side of the grid; with an odd number the network itself is one of them.
        line_points: of the line; likewise, or 0 for no lines.
        direction_seeds: one for each pair.
        more_direction_seeds: the same for further pairs, of which the measures take no account, so
            that networks with more pairs stay comparable with others; their largest value would
            grow.
        normalisation: ``filter``, ``layer`` or ``none``.
        ignore: ``biases_and_norms``, or ``none`` to move all parameters.
        eigenvectors: whether to add the surface of `eigenvector_surface`, on ``points`` a side.
        eigenvector_radius: half the side of that, in units of Euclidean distance.
        dtype: ``float32`` or ``float64``, in which the network is evaluated.
        batch_size: how many inputs are computed at once.
        finished: where pairs that are done are kept; an interrupted call continues from there.
    """
    if not direction_seeds:
        raise InputError("direction_seeds: is empty; give at least one")
    model, objective = subject.in_dtype(dtype).model, subject.objective
    grid, line = symmetric_grid(radius, points), symmetric_grid(radius, line_points)

    def losses(seed: int) -> dict[str, torch.Tensor]:
        draws = torch.Generator().manual_seed(seed)
        pair = [random_direction(model, draws, normalisation, ignore) for _ in range(2)]
        found = {"surface": loss_surface(model, objective, pair, [grid, grid], batch_size)}
        if line_points:
            found["line"] = loss_surface(model, objective, pair[:1], [line], batch_size)
        return found

    seeds = [*direction_seeds, *(more_direction_seeds or ())]
    stacked = _of_pairs(seeds, losses, finished)
    values = [asc_sharpness(surface, grid, radius) for surface in stacked["surface"]]
    arrays = {"coordinates": grid.numpy(), "surfaces": stacked["surface"].numpy()}
    if line_points:
        arrays |= {"line_coordinates": line.numpy(), "lines": stacked["line"].numpy()}
    details = {"direction_seeds": seeds, "asc_sharpness": values, "unit": objective.loss.unit}
    if eigenvectors:
        draws = child(generator, "eigenvectors")
        axis = symmetric_grid(eigenvector_radius, points)
        found = eigenvector_surface(model, objective, axis, draws, batch_size)
        arrays, details = arrays | found.arrays, details | found.details
    common = values[: len(direction_seeds)]
    return Measured(_over_pairs(common, len(objective)), details, arrays)


def _of_pairs(
    seeds: Sequence[int],
    losses: Callable[[int], dict[str, torch.Tensor]],
    finished: FinishedSection | None,
) -> dict[str, torch.Tensor]:
    """Return the losses of all pairs by what they are on, [pairs, …]; finished ones are kept."""
    done = finished.restore() if finished else {}
    for seed in seeds:
        if f"surface.{seed}" in done:
            continue
        done |= {f"{name}.{seed}": values for name, values in losses(seed).items()}
        if finished:
            finished.save_if_cheap(done)
    names = [name for name in ("surface", "line") if f"{name}.{seeds[0]}" in done]
    return {name: torch.stack([done[f"{name}.{seed}"] for seed in seeds]) for name in names}


def _over_pairs(values: Sequence[float], n: int) -> list[Measurement]:
    mean, largest = float(np.mean(values)), max(values)
    if len(values) == 1:
        error, spread = None, []
    else:
        deviation = float(np.std(values, ddof=1))
        error, variation = deviation / len(values) ** 0.5, deviation / mean if mean else 0.0
        spread = [
            Measurement("asc_sharpness_std", deviation, "percent", n),
            Measurement("asc_sharpness_cv", variation, "1", n),
        ]
    return [
        Measurement("asc_sharpness", mean, "percent", n, standard_error=error),
        Measurement("asc_sharpness_max", largest, "percent", n),
        *spread,
    ]
