"""Where a training runs: its path on its principal directions, and the loss around it."""

from collections.abc import Mapping, Sequence

import torch

from ..errors import InputError
from ..measurement import Measured, Measurement
from .directions import state_of
from .objective import BATCH_SIZE
from .subject import Subject
from .surface import loss_surface

State = Mapping[str, torch.Tensor]
# The usual margin of a grid, as a share of the path's larger side.
MARGIN = 0.3


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    path: Sequence[State],
    points: int = 21,
    margin: float = MARGIN,
    dtype: str = "float32",
    batch_size: int = BATCH_SIZE,
) -> Measured:
    """Return how much of a path lies in the plane of its principal directions, and its length.

    The path is that of the parameters, θ_0 … θ_T. Directions are the principal ones of all
    θ_t − θ_T, around the last (Li et al. 2018, arXiv:1712.09913, section 7). A plane through θ_T
    along them has the losses of the arrays; statistics of BatchNorm move along with the parameters,
    by the same sums of snapshots. ``details`` have the coordinates of each snapshot, and its own
    loss, which is that in the plane only where the path lies in it.

    Args:
        subject: the network at the last moment, and its data.
        generator: nothing is drawn.
        path: states (`directions.state_of`) of all moments, the subject's last; two at least.
        points: m, on each side of the grid.
        margin: by which the grid is larger than the path, as a share of its larger side; `MARGIN`
            across a straight path if it is 0.
        dtype: ``float32`` or ``float64``, in which the network is evaluated.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: fewer than two moments, or weights that do not move.
    """
    subject = subject.in_dtype(dtype)
    model, objective, n = subject.model, subject.objective, len(subject.objective)
    names = [name for name, p in model.named_parameters() if name in path[-1]]
    rows = torch.stack(
        [torch.cat([state[name].double().flatten() for name in names]) for state in path]
    )
    moved = rows - rows[-1]
    if len(path) < 2 or not moved.any():
        raise InputError(
            "sharpness.path: needs the weights of two moments or more that differ; let"
            " training.keep have more"
        )
    weights, coordinates, shares = _principal(moved)
    directions = [_combined(path, weights[:, axis]) for axis in range(2)]
    axes = _grid_around(coordinates, points, margin)
    surface = loss_surface(model, objective, directions, axes, batch_size)
    losses = [_loss(subject, state, batch_size) for state in path]
    length = (rows[1:] - rows[:-1]).norm(dim=1).sum().item()
    direct = moved[0].norm().item() / length
    found = [
        Measurement("path_share_first", shares[0], "1", n),
        Measurement("path_share_second", shares[1], "1", n),
        Measurement("path_length", length, "1", n),
        Measurement("path_directness", direct, "1", n),
    ]
    details = {"x": coordinates[:, 0].tolist(), "y": coordinates[:, 1].tolist()}
    details |= {"losses": losses, "unit": objective.loss.unit}
    x, y = (axis.numpy() for axis in axes)
    return Measured(found, details, {"x": x, "y": y, "losses": surface.numpy()})


def _principal(moved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[float]]:
    """Return weights of moments [T, 2], coordinates [T, 2] and shares of two principal directions.

    Directions are sums of rows of ``moved`` [T, P] by the weights, of unit norm, found by the small
    matrix of their inner products. The first row, where training begins, has positive coordinates.
    """
    values, vectors = torch.linalg.eigh(moved @ moved.T)
    total = values.clamp(min=0).sum()
    values, vectors = values.flip(0)[:2].clamp(min=0), vectors.flip(1)[:, :2]
    if vectors.shape[1] < 2 or values[1] <= 1e-12 * values[0]:
        # A straight path: any second direction will do that is none of the path's.
        values, vectors = values[:1], vectors[:, :1]
    vectors = vectors * torch.where(vectors[0] < 0, -1.0, 1.0)
    coordinates, weights = vectors * values.sqrt(), vectors / values.sqrt()
    shares = (values / total).tolist()
    if len(shares) == 1:
        nothing = torch.zeros(len(moved), 1, dtype=moved.dtype)
        coordinates, weights = (torch.cat([each, nothing], 1) for each in (coordinates, weights))
        shares.append(0.0)
    return weights, coordinates, shares


def _combined(path: Sequence[State], weights: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return Σ_t w_t (state_t − state_T) by name, in the type of the states."""
    last = path[-1]
    found = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in last.items()}
    for state, weight in zip(path, weights.tolist(), strict=True):
        for name, tensor in found.items():
            tensor += weight * (state[name].double() - last[name].double())
    return {name: tensor.to(last[name].dtype) for name, tensor in found.items()}


def _grid_around(coordinates: torch.Tensor, points: int, margin: float) -> list[torch.Tensor]:
    """Return the coordinates of a grid's points, for each direction, around a path."""
    low, high = coordinates.min(0).values, coordinates.max(0).values
    largest = (high - low).max()
    # A straight path has no extent along the second direction, and a grid needs some.
    borders = torch.where(high > low, margin, margin or MARGIN) * largest
    return [
        torch.linspace(a - border, b + border, points, dtype=torch.float64)
        for a, b, border in zip(low.tolist(), high.tolist(), borders.tolist(), strict=True)
    ]


@torch.no_grad()
def _loss(subject: Subject, state: State, batch_size: int) -> float:
    own = state_of(subject.model)
    before = {name: tensor.clone() for name, tensor in own.items()}
    for name, tensor in own.items():
        tensor.copy_(state[name])
    loss = subject.objective.mean(subject.model, batch_size).item()
    for name, tensor in own.items():
        tensor.copy_(before[name])
    return loss
