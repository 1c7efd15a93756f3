"""How the loss changes when the parameters are moved a little."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..ascent import Norm
from ..errors import InputError
from ..jobs.progress import progress
from ..measurement import Measured, Measurement
from ..network_copy import copied
from ..seeding import child
from .adaptive import Ascent, NormalisedLogits, average_sharpness, worst_sharpness
from .attention import balanced, why_not
from .estimate import Estimate, standard_error
from .flat import FlatTensors
from .objective import BATCH_SIZE, Objective
from .probes import copy_in
from .published import published_sam_sharpness
from .radii import MORE_RADII, SAM, SIGNED, AtRadius
from .subject import Subject, check, check_loss

OF_QUOTIENT = ("quotient_sharpness_average", "quotient_sharpness_worst")


def sam_sharpness(
    model: nn.Module,
    objective: Objective,
    radius: float = 0.005,
    samples: int = 100,
    *,
    generator: torch.Generator,
    batch_size: int = BATCH_SIZE,
) -> Estimate:
    """Return the average-case SAM-sharpness.

    S = 1/K Σ_k |L(θ + δ_k) − L(θ)| / ρ with δ_k ∼ N(0, ρ²/P · I), so that ‖δ_k‖ ≈ ρ, P being
    the number of parameters (after Foret et al. 2021, arXiv:2010.01412). All losses are means
    over the same samples in the same order, in evaluation mode; only parameters are moved, not
    BatchNorm's running statistics.

    Args:
        model: unchanged by the call; its floating type is the precision of the losses.
        objective: L.
        radius: ρ, in the parameters' units.
        samples: K, at least 2.
        generator: of the perturbations, on the model's device.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: no radius or samples to speak of, labels outside the classes, or no data.
    """
    (estimate,) = sam_sharpness_at(
        model, objective, [radius], samples, generator=generator, batch_size=batch_size
    )
    return estimate


@torch.no_grad()
def sam_sharpness_at(
    model: nn.Module,
    objective: Objective,
    radii: Sequence[float],
    samples: int = 100,
    *,
    generator: torch.Generator,
    batch_size: int = BATCH_SIZE,
) -> list[Estimate]:
    """Return the `sam_sharpness` at several radii, with perturbations of the same directions.

    Differences between radii are then none of the draws. Each radius has the perturbations that it
    would have alone with this generator, up to rounding; those of the first are exactly these.

    Args:
        model: unchanged by the call; its floating type is the precision of the losses.
        objective: L.
        radii: ρ, the first of them that which perturbations are drawn with.
        samples: K, at least 2.
        generator: of the perturbations, on the model's device.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: see `sam_sharpness`; or a radius twice.
    """
    _check_radii(radii)
    model = copied(model)
    check(model, objective)
    double = copy_in(model, objective, torch.float64)
    exact = None if double is None else objective.mean(double, batch_size)
    centre = objective.mean(model, batch_size)
    check_loss(model, objective, centre.item())
    parameters = FlatTensors([p for p in model.parameters() if p.requires_grad])
    origin = parameters.vector.clone()
    noise = torch.empty_like(origin)
    scale = radii[0] / math.sqrt(parameters.size)
    # One that is beyond the network's floating type is infinite in it, and so are its losses.
    ratios = (torch.tensor(radii, dtype=torch.float64) / radii[0]).to(origin.dtype).tolist()
    losses = centre.new_empty(len(radii), samples)
    for k in progress(range(samples), "perturbations", "sample"):
        noise.normal_(0, scale, generator=generator)
        for row, ratio in enumerate(ratios):
            torch.add(origin, noise, alpha=ratio, out=parameters.vector)
            losses[row, k] = objective.mean(model, batch_size)
    rounding = None if exact is None else (centre - exact).abs().item()
    return [
        Estimate.of_differences(
            (losses[row] - centre) / radius,
            None if rounding is None else rounding / radius,
            f"{MORE_RADII}: {radius}" if row else "radius",
        )
        for row, radius in enumerate(radii)
    ]


def _check_radii(radii: Sequence[float]) -> None:
    for place, radius in enumerate(radii):
        setting = MORE_RADII if place else "radius"
        if not 0 < radius < math.inf:
            raise InputError(f"{setting}: {radius} is no length; use one above 0, such as 0.005")
        if radius in radii[:place]:
            raise InputError(f"{setting}: {radius} is measured already; leave it out")


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    radius: float = 0.005,
    more_radii: Sequence[float] = (),
    samples: int = 100,
    dtype: str = "float32",
    published: bool = True,
    published_samples: int = 20,
    published_share: float = 1.0,
    adaptive: Mapping[str, Any] | None = None,
) -> Measured:
    """Return SAM-sharpness (absolute and signed), its published twin and adaptive sharpness.

    Args:
        subject: the network and its data.
        generator: of the perturbations, on the model's device.
        radius: ρ.
        more_radii: further ρ, with the same directions; each gives measures of its own
            (`radii.AtRadius`).
        samples: K.
        dtype: ``float32`` or ``float64``, in which the network is evaluated.
        published: whether to follow the published procedure too, with and without perturbations.
        published_samples: K of the published procedure.
        published_share: of the data, for the published procedure.
        adaptive: settings of `adaptive_sharpness`, or None to leave it out.
    """
    subject = subject.in_dtype(dtype)
    objective, draws = subject.objective, child(generator, "SAM-sharpness")
    radii = [radius, *more_radii]
    estimates = sam_sharpness_at(subject.model, objective, radii, samples, generator=draws)
    measurements = [
        Measurement(
            AtRadius(measure, each).name if place else measure,
            value,
            "1",
            len(objective),
            standard_error=error,
            noise_floor=None if dtype == "float64" else estimate.rounding,
        )
        for place, (each, estimate) in enumerate(zip(radii, estimates, strict=True))
        for measure, value, error in (
            (SAM, estimate.mean, estimate.standard_error),
            (SIGNED, estimate.signed_mean, estimate.signed_standard_error),
        )
    ]
    details: dict[str, Any] = {"standard_deviation": estimates[0].standard_deviation}
    if published:
        draws = child(generator, "published share")
        original = subject.originals or subject.objective
        part = original.of(original.samples.drawn(published_share, draws))
        part = replace(subject, objective=part, originals=None)
        measurements += _published(part, radius, published_samples, generator)
    if adaptive is not None:
        measurements += adaptive_sharpness(subject, generator, **adaptive)
        details["adaptive"] = dict(adaptive)
        if adaptive.get("quotient") and (reason := why_not(subject.model)):
            details["left_out"] = dict.fromkeys(OF_QUOTIENT, reason)
    return Measured(measurements, details)


def _published(
    subject: Subject, radius: float, samples: int, generator: torch.Generator
) -> list[Measurement]:
    draws = child(generator, "published SAM-sharpness")
    perturbed, null = published_sam_sharpness(subject, radius, samples, generator=draws)
    floor = null.mean().item()
    n = len(subject.objective)
    return [
        Measurement(name, values.mean().item(), "1", n, "published", standard_error(values), floor)
        for name, values, floor in (
            ("sam_sharpness_published", perturbed, floor),
            ("sam_sharpness_null", null, None),
        )
    ]


def adaptive_sharpness(
    subject: Subject,
    generator: torch.Generator,
    *,
    average_radius: float = 0.05,
    samples: int = 100,
    worst_radius: float = 0.002,
    norm: Norm = "linf",
    steps: int = 20,
    starts: int = 5,
    group_size: int | None = None,
    normalise_logits: bool = False,
    quotient: bool = False,
) -> list[Measurement]:
    """Return average-case and worst-case adaptive sharpness (see `adaptive`).

    Args:
        subject: the network and its data.
        generator: names the streams of draws.
        average_radius: ρ of the average case, relative to each parameter's size.
        samples: perturbations of the average case.
        worst_radius: ρ of the worst case.
        norm: of the worst case's ball.
        steps: of the worst case's ascent, from each start.
        starts: of that ascent, the network itself and random points.
        group_size: m of the worst case; None for all samples at once.
        normalise_logits: whether the loss is that of `NormalisedLogits`.
        quotient: whether to measure with balanced attention, too, where that is known
            (`attention.balanced`), with the same draws.

    Raises:
        InputError: logits are to be normalised, but the loss is no cross-entropy of a softmax.
    """
    model, objective = subject.model, subject.objective
    if normalise_logits:
        if not objective.loss.softmax:
            raise InputError(
                f"normalise_logits: {objective.loss.name} has no softmax; set it to false"
            )
        objective = replace(objective, loss=NormalisedLogits())
    networks: list[tuple[str, nn.Module, list[torch.Tensor] | None]] = [("adaptive", model, None)]
    if quotient and why_not(model) is None:
        networks.append(("quotient", *balanced(model, objective)))
    ascent, n, unit = Ascent(worst_radius, norm, steps, starts), len(objective), objective.loss.unit
    found = []
    for kind, network, sizes in networks:
        draws = child(generator, "adaptive perturbations")
        groups = torch.Generator().manual_seed(child(generator, "groups").initial_seed())
        average = average_sharpness(
            network, objective, average_radius, samples, sizes=sizes, generator=draws
        )
        worst, error = worst_sharpness(
            network, objective, ascent, group_size, sizes=sizes, generator=groups
        )
        for case, value, deviation in (
            ("average", average.signed_mean, average.signed_standard_error),
            ("worst", worst, error),
        ):
            name = f"{kind}_sharpness_{case}"
            found.append(Measurement(name, value, unit, n, standard_error=deviation))
    return found
