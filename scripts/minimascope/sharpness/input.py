"""The function near the data: how fast it changes with its inputs, and how far boundaries are."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from ..batches import Batch, Batches
from ..jobs.progress import progress
from ..measurement import Measured, Measurement
from ..seeding import child
from .attacked_distance import attacked_distances
from .cross_entropy import counted
from .estimate import standard_error
from .input_gradients import InputGradients, input_gradients
from .inputs import NormalRows, check_continuous, numbers
from .objective import Objective
from .subject import Subject

# The three sizes of noise by name, in increasing order.
SIZES = ("small", "medium", "large")
TEST = "test_"
BY_ATTACK = "boundary_distance_attack"
OF_CLASSES = ("logit_margin", "boundary_distance", BY_ATTACK)
NO_TEST = (
    "only a study has test data beside the training data (measure them alone, of a file with"
    " --split test, under the name without test_)"
)
NOT_FOOLED = (
    "no attack fools the network at half of the samples or more (none can where the inputs are all"
    " one number)"
)
NO_SLOPE = "at half of the samples or more no difference of logits changes with the inputs"


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    test: Objective | None = None,
    noise: Sequence[float] = (0.02, 0.05, 0.1),
    draws: int = 10,
    projections: int | None = None,
    attack_samples: int | None = 100,
    dtype: str = "float32",
    batch_size: int = 1024,
) -> Measured:
    """Return norms of the Jacobian, sensitivity to noise, margins and distances to the boundary.

    On the training data, and on test data with names that begin with ``test_``. Inputs are in their
    own units: pictures as fractions of their range, in [0, 1], before any normalisation. Each
    number is a mean or a median over samples; its standard error is that over samples, in which the
    scatter of random draws has its part.

    Args:
        subject: the network and its training data.
        generator: names the streams of draws.
        test: the loss over the test data; None where there are none.
        noise: three standard deviations of noise, in units of the inputs.
        draws: of noise, for each sample; see `noise_sensitivities`.
        projections: see `input_gradients`; None for exact Jacobians.
        attack_samples: how many samples are attacked, see `attacked_distances`; None for none.
        dtype: ``float32`` or ``float64``, in which the network is evaluated.
        batch_size: the largest number of inputs at once.

    Raises:
        InputError: see `inputs.check_continuous`.
    """
    subject, noise = subject.in_dtype(dtype), sorted(noise)
    found: list[Measurement] = []
    left_out: dict[str, str] = {}
    for prefix, objective in (("", subject.objective), (TEST, test)):
        if objective is None:
            left_out |= {prefix + name: NO_TEST for name in NAMES}
            continue
        check_continuous(subject.model, objective, "input")
        streams = child(generator, f"{prefix}samples")
        sensitivities = noise_sensitivities(
            subject.model, objective, noise, draws, generator=streams, batch_size=batch_size
        )
        gradients = input_gradients(
            subject.model, objective, projections, generator=streams, batch_size=batch_size
        )
        of_data = _of_data(objective, sensitivities, gradients)
        if attack_samples and objective.loss.softmax:
            radii = attacked_distances(subject.model, objective, attack_samples, batch_size)
            of_data.append(_median(BY_ATTACK, radii, "units of input"))
        found += [replace(one, measure=prefix + one.measure) for one in of_data if _is_number(one)]
        left_out |= {prefix + name: why for name, why in _left_out(objective, of_data).items()}
    details = {"noise": noise, "left_out": left_out}
    return Measured(found, {key: value for key, value in details.items() if value})


def _is_number(measurement: Measurement) -> bool:
    return math.isfinite(measurement.value)


def _left_out(objective: Objective, of_data: Sequence[Measurement]) -> dict[str, str]:
    """Return why measures of one part of the data have no number, by their names."""
    names = [one.measure for one in of_data if not _is_number(one)]
    found = {name: NOT_FOOLED if name == BY_ATTACK else NO_SLOPE for name in names}
    if not objective.loss.softmax:
        reason = f"the loss {objective.loss.name} is not that of a softmax over classes"
        found |= dict.fromkeys(OF_CLASSES, reason)
    return found


def _of_data(
    objective: Objective, sensitivities: Sequence[torch.Tensor], gradients: InputGradients
) -> list[Measurement]:
    """Return the numbers of one part of the data, each from values of its samples."""
    unit, norms = objective.loss.unit, gradients.norms
    found = [_mean("jacobian_norm", norms, "logits per unit of input")]
    for size, values in zip(SIZES, sensitivities, strict=True):
        found.append(_mean(f"noise_sensitivity_{size}", values, unit))
    if gradients.margins is not None:
        found.append(_median("logit_margin", gradients.margins, "logits"))
        found.append(_median("boundary_distance", gradients.distances, "units of input"))
    return found


NAMES = ("jacobian_norm", *(f"noise_sensitivity_{size}" for size in SIZES), *OF_CLASSES)


def noise_sensitivities(
    model: nn.Module,
    objective: Objective,
    noise: Sequence[float],
    draws: int,
    *,
    generator: torch.Generator,
    batch_size: int,
) -> Sequence[torch.Tensor]:
    """Return 1/K Σ_k |ℓ(x_i + σ ε_ik) − ℓ(x_i)| of each sample i, [n], for each size σ of noise.

    ε_ik ∼ N(0, I), the same for all sizes; inputs may leave the range of valid ones.

    Args:
        model: in evaluation mode.
        objective: the loss ℓ and the samples x_i.
        noise: σ, in units of the inputs.
        draws: K.
        generator: names the streams of ε.
        batch_size: the largest number of inputs at once.
    """

    def whole(batches: Batches) -> Sequence[torch.Tensor]:
        streams: list[NormalRows] = []
        columns = []
        for batch in progress(batches, "noise", "batch"):
            inputs, _ = batch
            if not streams:
                # Anew in each call, which may be one of several with smaller batches.
                own = (child(generator, "noise", k) for k in range(draws))
                dtype = numbers(model, inputs[:1]).dtype
                streams = [NormalRows(each, inputs.shape[1:], dtype) for each in own]
            columns.append(_changes(model, objective, batch, noise, streams))
        return [torch.cat(parts) for parts in zip(*columns, strict=True)]

    return objective.samples.over_batches(whole, batch_size)


@torch.no_grad()
def _changes(
    model: nn.Module,
    objective: Objective,
    batch: Batch,
    noise: Sequence[float],
    streams: Sequence[NormalRows],
) -> list[torch.Tensor]:
    """Return the mean change of each sample's loss [b] for each size of noise."""
    inputs, labels = numbers(model, batch[0]), batch[1]

    def losses(moved: torch.Tensor) -> torch.Tensor:
        terms = objective.loss.terms(objective.outputs(model, moved), labels)
        return terms.reshape(len(inputs), -1).mean(1)

    centre = losses(inputs)
    totals = [torch.zeros_like(centre) for _ in noise]
    for stream in streams:
        rows = stream.take(len(inputs))
        for total, size in zip(totals, noise, strict=True):
            total += (losses(inputs + size * rows) - centre).abs()
    means = [total / len(streams) for total in totals]
    return [counted(mean, labels) for mean in means] if objective.loss.softmax else means


def _mean(measure: str, values: torch.Tensor, unit: str) -> Measurement:
    error = standard_error(values) if len(values) > 1 else None
    return Measurement(measure, values.mean().item(), unit, len(values), standard_error=error)


def _median(measure: str, values: torch.Tensor, unit: str) -> Measurement:
    """Return the median, with half the distance between the ranks n/2 ± √n/2 as its error.

    Between these lies the median of what the values are drawn from in about 68 % of draws.
    """
    ordered, n = values.sort().values, len(values)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]).item() / 2
    low, high = (round((n - 1 + sign * math.sqrt(n)) / 2) for sign in (-1, 1))
    error = (ordered[min(high, n - 1)] - ordered[max(low, 0)]).item() / 2
    known = n > 1 and math.isfinite(error)
    return Measurement(measure, middle, unit, n, standard_error=error if known else None)
