"""Adversarial accuracy and the smallest radius that fools half of the samples, of one network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..data.prepared import Split
from ..finite_differences import follows_its_inputs
from ..jobs.progress import progress
from ..measurement import Measured, Measurement
from ..networks.normalised import in_units
from ..seeding import generator
from .attack import STANDING, Attacker
from .inputs import Box, box_of, evaluation_mode
from .smallest import Search
from .spec import OF_RANGE, AttackSpec, accuracy_name, check_radius, radius_name, radius_of
from .trust import Checks, zero_gradients

# What ``fooled_by`` has for samples that are misclassified as they are.
ERROR = -2


def chosen_samples(split: Split, samples: int | None) -> torch.Tensor:
    """Return the numbers of the samples that are attacked, the same for every network, [m].

    Args:
        split: whose samples they are.
        samples: their largest number; None for all.
    """
    if samples is None or samples >= len(split):
        return torch.arange(len(split))
    draws = generator("adversarial samples")
    return torch.randperm(len(split), generator=draws)[:samples].sort().values


def measure(
    model: nn.Module,
    other: nn.Module | None,
    split: Split,
    config: Mapping[str, Any],
    classes: int,
    *,
    recordings: bool = False,
    seed: int = 0,
) -> Measured:
    """Return what attacks on a network's inputs show.

    Measures are `spec.accuracy_name` and, with bisections, `spec.radius_name`. ``arrays`` has what
    is known of each sample: ``samples`` (its number in the split), ``<norm>/smallest_radius``
    (`Search.radii`) and ``<norm>/fooled_by``, for each radius the number of the round
    that fooled it (``details.rounds``), -1 for none and -2 for an error without any attack.

    Args:
        model: from inputs to logits, on its device.
        other: a network of the same condition whose examples are tried on this one, if any.
        split: what is attacked, on the device.
        config: a resolved section ``evaluation.adversarial``.
        classes: their number.
        recordings: whether the inputs are log-mels, whose unit is dB.
        seed: of random restarts.

    Raises:
        InputError: a radius that no input allows, or a network without a gradient.
    """
    spec = AttackSpec.from_config(config, classes)
    rows = chosen_samples(split, config["samples"])
    part = split.rows(rows.to(split.labels.device))
    inputs, box = in_units(part.inputs), box_of(part.inputs)
    _check_radii(config["radii"], inputs, box)
    zero = zero_gradients(model, inputs, part.labels, spec.losses)
    with evaluation_mode(model):
        follows = follows_its_inputs(model, lambda network, points: network(points), inputs)
    measurements, arrays, checked = [], {"samples": rows.numpy()}, {}
    for norm, radii in progress([*config["radii"].items()], "attacks", "norm"):
        attacker = Attacker(model, norm, spec, box, seed)
        search = Search(attacker, inputs, part.labels)
        accuracies, by = _at_radii(search, [*map(radius_of, radii)])
        search.attack(search.largest_radius)
        checks = checked[norm] = Checks(
            largest_radius=search.largest_radius,
            standing=search.radii.isinf().double().mean().item(),
            zero_gradients=zero,
            follows=follows,
            transferred=other
            and _transferred(replace(attacker, model=other), search, [*map(radius_of, radii)]),
            accuracies=accuracies,
        )
        for number, radius in enumerate(radii):
            name = accuracy_name(norm, radius, recordings)
            measurements.append(_accuracy(name, accuracies[number], len(rows), checks, number))
        if config["bisections"]:
            search.narrow(config["bisections"])
            name = radius_name(norm, recordings)
            unit = "dB" if recordings else OF_RANGE if box else "1"
            measurements.append(_median(name, unit, search.radii, checks))
        arrays[f"{norm}/smallest_radius"] = search.radii.double().numpy(force=True)
        arrays[f"{norm}/fooled_by"] = by.numpy(force=True)
    details = {
        **{key: config[key] for key in ("attack", "radii", "bisections")},
        "steps": spec.steps_taken,
        "rounds": [list(each) for each in spec.rounds],
        "of": "log-mels" if recordings else "inputs",
        "box": box,
        "checks": {norm: checks.as_details() for norm, checks in checked.items()},
    }
    return Measured(measurements, details, arrays)


def _check_radii(
    radii: Mapping[str, Sequence[float | str]], inputs: torch.Tensor, box: Box | None
) -> None:
    for norm, wanted in radii.items():
        where = f"evaluation.adversarial.radii.{norm}"
        for radius in wanted:
            check_radius(radius, norm, box is not None, inputs.shape[1:], where)


def _at_radii(search: Search, radii: Sequence[float]) -> tuple[tuple[float, ...], torch.Tensor]:
    """Return the accuracy at each radius, and what fooled each sample, int8 [radii, n].

    An example that fools at a smaller radius fools at a larger one, too.
    """
    by = torch.full_like(search.labels, STANDING, dtype=torch.int8)
    by[search.radii == 0] = ERROR
    found: dict[float, torch.Tensor] = {}
    for radius in sorted(radii):
        rows, rounds = search.attack(radius)
        by[rows] = rounds
        found[radius] = by.clone()
    by = torch.stack([found[radius] for radius in radii])
    return tuple((by == STANDING).double().mean(1).tolist()), by


def _transferred(other: Attacker, search: Search, radii: Sequence[float]) -> tuple[float, ...]:
    """Return the accuracy, at each radius, on the worst inputs that another network has."""
    accuracies, right = [], search.radii > 0
    for radius in radii:
        sizes = search.inputs.new_full((len(search.labels),), radius)
        found = other.worst_inputs(search.inputs, search.labels, sizes)
        hits = search.attacker.predicted(found) == search.labels
        accuracies.append((hits & right).double().mean().item())
    return tuple(accuracies)


def _accuracy(name: str, value: float, n: int, checks: Checks, number: int) -> Measurement:
    error = math.sqrt(value * (1 - value) / n)
    trusted = not checks.doubts(number)
    return Measurement(name, value, "fraction", n, standard_error=error, converged=trusted)


def _median(name: str, unit: str, radii: torch.Tensor, checks: Checks) -> Measurement:
    """Return the median over samples; where half of them are never fooled, the largest radius.

    Its standard error is half of what lies between the order statistics that are √n/2 from the
    middle: the number of samples below the true median has that standard deviation.
    """
    n = len(radii)
    ordered = radii.clamp(max=checks.largest_radius).double().sort().values
    low, high = n / 2 - math.sqrt(n) / 2, n / 2 + math.sqrt(n) / 2
    bounds = ordered[[max(math.floor(low), 0), min(math.ceil(high), n) - 1]].tolist()
    return Measurement(
        name,
        ordered.quantile(0.5).item(),
        unit,
        n,
        standard_error=(bounds[1] - bounds[0]) / 2,
        converged=not checks.doubts(),
    )
