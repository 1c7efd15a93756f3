"""SAM-sharpness of many small networks at once; see `sharpness.perturbation.sam_sharpness`."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..jobs.progress import progress
from ..sharpness.estimate import Estimate
from .networks import mean_squared_errors, networks_at_once


@torch.no_grad()
def losses_of(parameters: Tensor, points: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared errors [networks] of networks on the same data, in float64.

    The outputs are computed in the type of the parameters, in parts of bounded memory.

    Args:
        parameters: [networks, P].
        points: [n, 2].
        values: [n].
    """
    size = networks_at_once(len(points), parameters.device)
    points = points.to(parameters.dtype)
    losses = [
        mean_squared_errors(
            part, points.expand(len(part), -1, -1), values.double().expand(len(part), -1)
        )
        for part in parameters.split(size)
    ]
    return torch.cat(losses)


@torch.no_grad()
def sam_sharpness(
    parameters: Tensor,
    points: Tensor,
    values: Tensor,
    radii: Sequence[float],
    perturbations: int,
    *,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> list[list[Estimate]]:
    """Return the average-case SAM-sharpness of networks at several radii, [networks][radii].

    S = 1/K Σ_k |L(θ + δ_k) − L(θ)| / ρ with δ_k ∼ N(0, ρ²/P · I), L being the mean squared error.
    All networks and radii share the directions of the perturbations, so that their differences
    are not those of the draws; single estimates are as good as with draws of their own.

    Args:
        parameters: [networks, P], all of the same data.
        points: [n, 2], in float64.
        values: [n], in float64.
        radii: ρ.
        perturbations: K, at least 2.
        generator: of the perturbations, on the parameters' device.
        dtype: in which the networks are evaluated.
    """
    size = parameters.shape[1]
    directions = torch.stack(
        [
            torch.empty(size, device=parameters.device).normal_(generator=generator)
            for _ in range(perturbations)
        ]
    ).to(dtype)
    estimates = []
    for network in progress(parameters, "SAM-sharpness", "network"):
        exact = losses_of(network[None].double(), points, values)
        network = network.to(dtype)
        centre = losses_of(network[None], points, values)
        rounding = (centre - exact).abs().item()
        of_network = []
        for radius in radii:
            moved = torch.add(network, directions, alpha=radius / math.sqrt(size))
            signed = (losses_of(moved, points, values) - centre) / radius
            of_network.append(Estimate.of_differences(signed, rounding / radius))
        estimates.append(of_network)
    return estimates
