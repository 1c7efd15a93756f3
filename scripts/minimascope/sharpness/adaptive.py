"""Elementwise-adaptive sharpness: each parameter is moved in proportion to its size.

Moving θ_i by a share of |θ_i| makes the measures independent of rescalings between layers that
leave the network's function unchanged (Kwon et al. 2021, arXiv:2102.11600; Andriushchenko et al.
2023, arXiv:2302.07011).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn

from ..ascent import Norm
from ..ascent.auto_pgd import Seen, largest_values
from ..ascent.ball import Ball, in_unit_ball
from ..errors import InputError
from ..jobs.progress import progress
from ..network_copy import copied
from .cross_entropy import CrossEntropy, class_axis
from .estimate import Estimate, standard_error
from .flat import FlatTensors
from .objective import BATCH_SIZE, Objective


@dataclass(frozen=True)
class Ascent:
    """How the largest value in a ball around 0 is searched for.

    Attributes:
        radius: ρ, of the ball.
        norm: ``l2`` or ``linf``, of the ball.
        steps: number of gradient steps from each start.
        starts: number of starts, 0 and random points of the ball.
    """

    radius: float
    norm: Norm = "linf"
    steps: int = 20
    starts: int = 5


class NormalisedLogits(CrossEntropy):
    """Cross-entropy of logits that are brought to mean 0 and root mean square 1 over classes.

    Sharpness then does not depend on how far the logits have grown in training, nor on a constant
    added to all of them, which changes no prediction (Andriushchenko et al. 2023, section 3, after
    Tsuzuku et al. 2020, arXiv:1901.04653). The authors' code divides by the Euclidean norm, so
    that its logits are smaller by the square root of the number of classes.
    """

    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.terms`."""
        return super().terms(_normalised(outputs, labels), labels)

    def total(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.total`."""
        return super().total(_normalised(outputs, labels), labels)


def _normalised(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    axis, _ = class_axis(outputs, labels)
    centred = outputs - outputs.mean(axis, keepdim=True)
    size = centred.square().mean(axis, keepdim=True).sqrt()
    return centred / size.clamp(min=torch.finfo(outputs.dtype).tiny)


@torch.no_grad()
def average_sharpness(
    model: nn.Module,
    objective: Objective,
    radius: float,
    samples: int,
    *,
    sizes: Sequence[torch.Tensor] | None = None,
    generator: torch.Generator,
    batch_size: int = BATCH_SIZE,
) -> Estimate:
    """Return the average-case adaptive sharpness E L(θ + δ) − L(θ), in nats.

    δ ∼ N(0, ρ² diag(θ²)) (Andriushchenko et al. 2023, with c = |θ|); the mean is signed.

    Args:
        model: in evaluation mode; unchanged by the call.
        objective: L. An average over batches of m samples would have the same expectation, since
            the same perturbations suit all batches.
        radius: ρ, relative to each parameter's size.
        samples: number of perturbations, even and at least 4. Each is drawn with both signs, since
            the linear part of the loss, which has no part in the mean, would be most of the noise.
        sizes: what parameters are moved in proportion to; None for θ. In the order of those that
            require a gradient.
        generator: of the perturbations, on the model's device.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: another number of samples.
    """
    if samples < 4 or samples % 2:
        raise InputError(f"samples: {samples} is no even number of at least 4; use 100")
    model = copied(model)
    centre = objective.mean(model, batch_size)
    parameters = FlatTensors([p for p in model.parameters() if p.requires_grad])
    origin = parameters.vector.clone()
    scale = origin if sizes is None else parameters.pack(sizes)
    noise = torch.empty_like(origin)
    losses = centre.new_empty(samples // 2, 2)
    for k in progress(range(samples // 2), "adaptive perturbations", "pair"):
        noise.normal_(0, radius, generator=generator)
        for column, sign in enumerate((1, -1)):
            torch.addcmul(origin, scale, noise, value=sign, out=parameters.vector)
            losses[k, column] = objective.mean(model, batch_size)
    return Estimate.of_differences(losses.mean(1) - centre)


def worst_sharpness(
    model: nn.Module,
    objective: Objective,
    ascent: Ascent,
    group_size: int | None = None,
    *,
    sizes: Sequence[torch.Tensor] | None = None,
    generator: torch.Generator,
    batch_size: int = BATCH_SIZE,
) -> tuple[float, float | None]:
    """Return the worst-case adaptive m-sharpness and its standard error over groups, in nats.

    E_S max_{‖δ/|θ|‖ ≤ ρ} L_S(θ + δ) − L_S(θ) over groups S of m samples (Foret et al. 2021,
    arXiv:2010.01412, section 4.1; Andriushchenko et al. 2023). The maximum is searched for by
    Auto-PGD in moves relative to |θ|, from θ and from random points, the same for every network;
    the largest loss met counts, so it is a lower bound.

    Args:
        model: in evaluation mode; unchanged by the call.
        objective: L; its samples are drawn into groups without replacement, of which the last may
            be smaller.
        ascent: the ball and the search.
        group_size: m; None for one group of all samples, which has no standard error.
        sizes: see `average_sharpness`.
        generator: of the groups, on the CPU.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: a loss that is not finite.
    """
    model = copied(model)
    parameters = FlatTensors([p for p in model.parameters() if p.requires_grad])
    scale = parameters.vector.abs() if sizes is None else parameters.pack(sizes).abs()
    n, samples = len(objective), objective.samples
    order = torch.randperm(n, generator=generator).to(parameters.vector.device)
    groups = order.tensor_split(math.ceil(n / (group_size or n)))
    gains = []
    for rows in progress(groups, "worst perturbations", "group"):
        # All samples together may be a stream, which has no rows.
        group = objective.of(samples.rows(rows)) if len(groups) > 1 else objective
        gains.append(_largest_gain(model, parameters, scale, group, ascent, batch_size))
    gains = torch.stack(gains)
    if not gains.isfinite().all():
        raise InputError(
            f"worst_radius {ascent.radius}: the loss is not finite in the ball; use a smaller one,"
            " or dtype: float64"
        )
    return gains.mean().item(), standard_error(gains) if len(groups) > 1 else None


def _largest_gain(
    model: nn.Module,
    parameters: FlatTensors,
    scale: torch.Tensor,
    group: Objective,
    ascent: Ascent,
    batch_size: int,
) -> torch.Tensor:
    """Return the largest L(θ + s u) − L(θ) met on the ways up, scale s; restore the parameters."""
    origin = parameters.vector.clone()

    # All parameters are one row.
    def evaluate(moves: torch.Tensor, _rows: torch.Tensor) -> Seen:
        torch.addcmul(origin, scale, moves[0], out=parameters.vector)
        loss, parts = group.mean_and_gradient(model, batch_size)
        return Seen(loss[None], (scale * parameters.pack(parts))[None])

    centre = torch.zeros_like(origin)[None]
    ball = Ball(centre, centre.new_full((1,), ascent.radius), ascent.norm)
    # A parameter that is 0 cannot move, and must have no part in the norm. Drawn on the CPU, so
    # that every device gets the same points.
    draws = (
        in_unit_ball(centre.shape, ascent.norm, torch.Generator().manual_seed(seed))
        for seed in range(1, ascent.starts)
    )
    starts = chain([centre], (ball.moved(each) * (scale > 0) for each in draws))
    losses = [largest_values(evaluate, start, ball, ascent.steps)[0] for start in starts]
    gain = torch.stack(losses).max() - evaluate(centre, None).values[0]
    parameters.vector.copy_(origin)
    return gain
