"""Measures of small networks: losses, SAM-sharpness and the Hessian.

See `sharpness.perturbation.sam_sharpness` for the measure of one network.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..jobs.progress import progress
from ..seeding import child, generator
from ..sharpness.estimate import Estimate
from .fits import NOT_REACHED
from .hessian import hessian_trace, top_eigenvalue
from .networks import activation_memory, networks_at_once, outputs
from .problems import Problem, all_samples


@torch.no_grad()
def losses_of(parameters: Tensor, points: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared errors [networks] of networks on the same data, in float64.

    The outputs are computed in the type of the parameters, in parts of bounded memory.

    Args:
        parameters: [networks, P].
        points: [n, 2].
        values: [n].
    """
    parts = parameters.split(networks_at_once(len(points), parameters.device))
    memory = activation_memory(parts[0], len(points))
    points, values = points.to(parameters.dtype), values.double()
    losses = [
        (outputs(part, points.expand(len(part), -1, -1), memory) - values).square().mean(1)
        for part in parts
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
    draws: torch.Generator,
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
        draws: of the perturbations, on the parameters' device.
        dtype: in which the networks are evaluated.
    """
    size = parameters.shape[1]
    directions = torch.stack(
        [
            torch.empty(size, device=parameters.device).normal_(generator=draws)
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


def measure(
    problem: Problem,
    copies: Tensor,
    epochs: Tensor,
    kept: Sequence[tuple[str, float]],
    *,
    points: int,
    test_points: int,
    radii: Sequence[float],
    perturbations: int,
    dtype: str,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each network that was kept and each radius; one for a loss never reached.

    Losses are mean squared errors in float64, the gap is test minus training loss. Sharpness is
    that of the training loss (`sam_sharpness`); ``noise_floor`` is what rounding alone
    may contribute to it, None in float64. The Hessian is that of the training loss in float64, the
    same on all rows of a network, and ``hessian_residual`` that of its largest eigenvalue. Values
    of a loss that was never reached are None.

    Args:
        problem: the function and seed.
        copies: [kept, P], on the device to compute on.
        epochs: [kept], after which each copy was made.
        kept: what each was kept at, ``("epoch", …)`` or ``("loss", …)``.
        points: number of training points.
        test_points: number of test points.
        radii: ρ.
        perturbations: K, for each radius.
        dtype: ``float32`` or ``float64``, in which perturbed networks are evaluated.
    """
    start, device = time.perf_counter(), copies.device
    (data,), (test_data,) = (
        zip(*all_samples([problem], split, count, torch.float64, device), strict=True)
        for split, count in (("train", points), ("test", test_points))
    )
    reached = (epochs != NOT_REACHED).nonzero().ravel()
    networks = copies[reached]
    draws = generator(problem.seed, "toy perturbations", problem.function, device=device)
    estimates = sam_sharpness(
        networks, *data, radii, perturbations, draws=draws, dtype=getattr(torch, dtype)
    )
    train_losses = losses_of(networks.double(), *data).tolist()
    test_losses = losses_of(networks.double(), *test_data).tolist()
    draws = generator(problem.seed, "toy eigenvalues", problem.function, device=device)
    hessians = [
        _hessian(network.double(), *data, child(draws, kept[index][0], str(float(kept[index][1]))))
        for network, index in zip(networks, reached.tolist(), strict=True)
    ]
    seconds = (time.perf_counter() - start) / (len(reached) * len(radii))
    place = {index: number for number, index in enumerate(reached.tolist())}
    for index, (kind, value) in enumerate(kept):
        row = {"function": problem.function, "seed": problem.seed, "at": kind, "value": value}
        if index not in place:
            yield row | {"epoch": None, "train_loss": None, "test_loss": None, "gap": None}
            continue
        number = place[index]
        train_loss, test_loss = train_losses[number], test_losses[number]
        row |= {"epoch": int(epochs[index]), "train_loss": train_loss, "test_loss": test_loss}
        row["gap"] = test_loss - train_loss
        for radius, estimate in zip(radii, estimates[number], strict=True):
            found = _of_radius(radius, estimate, exact=dtype == "float64")
            yield row | found | hessians[number] | {"points": points, "seconds": seconds}


def _of_radius(radius: float, estimate: Estimate, exact: bool) -> dict[str, Any]:
    """Return the sharpness at a radius, with the floor of rounding unless numbers are exact."""
    return {
        "radius": radius,
        "sharpness": estimate.mean,
        "standard_error": estimate.standard_error,
        "sharpness_signed": estimate.signed_mean,
        "standard_error_signed": estimate.signed_standard_error,
        "noise_floor": None if exact else estimate.rounding,
        "samples": estimate.samples,
    }


def _hessian(
    parameters: Tensor, points: Tensor, values: Tensor, draws: torch.Generator
) -> dict[str, float]:
    value, residual = top_eigenvalue(parameters, points, values, draws)
    trace = hessian_trace(parameters, points)
    return {
        "hessian_top_eigenvalue": value,
        "hessian_residual": residual,
        "hessian_trace": trace,
    }
