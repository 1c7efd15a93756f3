"""How the loss changes when the parameters are moved a little."""

import copy
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..data.prepared import Split
from ..measurement import Measurement
from ..progress import progress


@dataclass(frozen=True)
class Estimate:
    """A mean over random perturbations.

    Attributes:
        mean: of the absolute loss difference over the radius.
        standard_error: of that mean, from the spread over perturbations.
        standard_deviation: over perturbations (n - 1).
        signed_mean: the same without taking absolute values.
        signed_standard_error: of the signed mean.
        samples: number of perturbations.
        rounding: what rounding alone may contribute to ``mean``.
    """

    mean: float
    standard_error: float
    standard_deviation: float
    signed_mean: float
    signed_standard_error: float
    samples: int
    rounding: float


@torch.no_grad()
def mean_loss(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int = 1024
) -> torch.Tensor:
    """Return the mean cross-entropy over all samples as a float64 scalar tensor."""
    dtype = next(model.parameters()).dtype
    total = torch.zeros((), dtype=torch.float64, device=labels.device)
    for batch, targets in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
        batch = batch.to(dtype) if batch.is_floating_point() else batch
        total += F.cross_entropy(model(batch).double(), targets, reduction="sum")
    return total / len(labels)


@torch.no_grad()
def sam_sharpness(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    radius: float = 0.005,
    samples: int = 100,
    *,
    generator: torch.Generator,
    batch_size: int = 1024,
) -> Estimate:
    """Return the average-case SAM-sharpness.

    S = 1/K Σ_k |L(θ + δ_k) − L(θ)| / ρ with δ_k ∼ N(0, ρ²/P · I), so that ‖δ_k‖ ≈ ρ, P being
    the number of parameters (after Foret et al. 2021, arXiv:2010.01412). All losses are means
    over the same samples in the same order, in evaluation mode; only parameters are moved, not
    BatchNorm's running statistics.

    Args:
        model: unchanged by the call; its floating type is the precision of the losses.
        inputs: [n, …], what the model takes.
        labels: [n].
        radius: ρ, in the parameters' units.
        samples: K, at least 2.
        generator: of the perturbations, on the model's device.
        batch_size: how many inputs are computed at once.
    """
    exact = mean_loss(copy.deepcopy(model).eval().double(), inputs, labels, batch_size)
    model = copy.deepcopy(model).eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    originals = [p.clone() for p in parameters]
    scale = radius / math.sqrt(sum(p.numel() for p in parameters))
    losses = torch.empty(samples, dtype=torch.float64, device=labels.device)
    centre = mean_loss(model, inputs, labels, batch_size)
    for k in progress(range(samples), "perturbations", "sample"):
        for parameter, original in zip(parameters, originals, strict=True):
            noise = torch.empty_like(original).normal_(0, scale, generator=generator)
            torch.add(original, noise, out=parameter.data)
        losses[k] = mean_loss(model, inputs, labels, batch_size)
    signed = (losses - centre) / radius
    return Estimate(
        mean=signed.abs().mean().item(),
        standard_error=signed.abs().std().item() / math.sqrt(samples),
        standard_deviation=signed.abs().std().item(),
        signed_mean=signed.mean().item(),
        signed_standard_error=signed.std().item() / math.sqrt(samples),
        samples=samples,
        rounding=(centre - exact).abs().item() / radius,
    )


def measure(
    model: nn.Module,
    split: Split,
    generator: torch.Generator,
    *,
    radius: float = 0.005,
    samples: int = 100,
    dtype: str = "float32",
) -> list[Measurement]:
    """Return SAM-sharpness (absolute and signed) with standard errors and rounding floor.

    Args:
        model: a classifier taking ``split.inputs``.
        split: the training data, on the model's device.
        generator: of the perturbations, on the model's device.
        radius: ρ.
        samples: K.
        dtype: ``float32`` or ``float64``, in which the network is evaluated.
    """
    model = copy.deepcopy(model).to(getattr(torch, dtype))
    estimate = sam_sharpness(
        model, split.inputs, split.labels, radius, samples, generator=generator
    )
    floor = None if dtype == "float64" else estimate.rounding
    pairs = {
        "sam_sharpness": (estimate.mean, estimate.standard_error),
        "sam_sharpness_signed": (estimate.signed_mean, estimate.signed_standard_error),
    }
    return [
        Measurement(name, value, "1", len(split), standard_error=error, noise_floor=floor)
        for name, (value, error) in pairs.items()
    ]
