"""Everything that is measured of the networks of one toy function and seed."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..seeding import generator
from .fits import NOT_REACHED
from .problems import Problem, all_samples
from .sharpness import losses_of, sam_sharpness


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
    that of the training loss (`sharpness.sam_sharpness`); ``noise_floor`` is what rounding alone
    may contribute to it, None in float64. Values of a loss that was never reached are None.

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
        networks, *data, radii, perturbations, generator=draws, dtype=getattr(torch, dtype)
    )
    train_losses = losses_of(networks.double(), *data).tolist()
    test_losses = losses_of(networks.double(), *test_data).tolist()
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
            yield row | {
                "radius": radius,
                "sharpness": estimate.mean,
                "standard_error": estimate.standard_error,
                "sharpness_signed": estimate.signed_mean,
                "standard_error_signed": estimate.signed_standard_error,
                "noise_floor": None if dtype == "float64" else estimate.rounding,
                "samples": estimate.samples,
                "points": points,
                "seconds": seconds,
            }
