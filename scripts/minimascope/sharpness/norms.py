"""Generalisation measures beside sharpness: norms of the weights, margins and PAC-Bayes bounds.

By the numbers of Jiang et al. 2020 (arXiv:1912.02178), which Dziugaite et al. 2020
(arXiv:2010.11924) keep. The complexity alone is given, not the bound √(complexity / n), which
orders networks of equal n alike; products are given as logarithms.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import nn

from ..batches import Batches
from ..errors import InputError
from ..measurement import Measured, Measurement
from ..seeding import child
from .cross_entropy import class_axis, counted
from .input_gradients import margins
from .layers import as_matrix, folded, matrices
from .objective import Objective
from .pac_bayes import Bearable, bearable_noise, bound, flatness
from .paths import log_path_norm
from .subject import Subject

# The share of samples with a smaller margin than the one that counts.
PERCENTILE = 10
OF_INITIAL = ("frobenius_distance", "spectral_distance", "pac_bayes_init")
OF_MARGIN = (
    "inverse_margin",
    "log_product_of_spectral_norms_over_margin",
    "log_spectral_bound",
    "log_path_norm_over_margin",
)
OF_PATHS = ("log_path_norm", "log_path_norm_over_margin")
PAC_BAYES = {
    False: ("pac_bayes_orig", "pac_bayes_init", "pac_bayes_flatness"),
    True: ("pac_bayes_magnitude_flatness",),
}
NO_INITIAL = (
    "the weights that training began with are not given, or are none of the study's initial ones"
)
NO_MARGIN = f"{PERCENTILE} % of the samples or more are predicted wrong, so their margin is not > 0"
NO_PATHS = "the network is no sum over paths: not made of layers, rectifiers and pooling alone"
NO_SIGMA = "no noise of the parameters raises the training error by a tenth, or the smallest does"
NO_LOGARITHM = "a layer's weights are all zero"


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    initial: nn.Module | None = None,
    pac_bayes: bool = True,
    samples: int = 10,
    steps: int = 14,
    dtype: str = "float32",
    batch_size: int = 1024,
) -> Measured:
    """Return norms of the weights, alone and over the margin, and PAC-Bayes bounds.

    Of the network whose BatchNorms are parts of its layers (`layers.folded`), as Dziugaite et al.
    take it. The margin is the 10th percentile over the training data. Not defined for a network or
    its data are those that the details name as left out.

    Args:
        subject: the network and its training data.
        generator: names the streams of noise.
        initial: the network that training began with; None where that is not known.
        pac_bayes: whether to look for the noise that the parameters bear.
        samples: see `pac_bayes.bearable_noise`.
        steps: likewise.
        dtype: ``float32`` or ``float64``, in which the network is evaluated; norms are in float64.
        batch_size: the largest number of inputs at once.

    Raises:
        InputError: a network without layers, with layers whose weights are no matrix or no
            parameter, with BatchNorms that directly follow layers and are no part of them, or
            another one to begin with.
    """
    subject = subject.in_dtype(dtype)
    objective, n = subject.objective, len(subject.objective)
    model = folded(subject.model, objective)
    weights = matrices(model, objective)
    if not weights:
        raise InputError(
            f"norms: {type(subject.model).__name__} has no linear, convolutional, recurrent or"
            " attention layer; leave norms out"
        )
    start = None if initial is None else _alike(model, initial, objective)
    before = None if start is None else [as_matrix(start[name]) for name in weights]
    values = of_matrices([*weights.values()], before)
    paths = log_path_norm(model, objective)
    values |= {} if paths is None else {"log_path_norm": paths}
    margin = margin_percentile(model, objective, batch_size) if objective.loss.softmax else None
    if margin is not None and margin > 0:
        values |= over_margin(values, margin)
    found = [
        Measurement(name, value, "per squared logit" if name == "inverse_margin" else "1", n)
        for name, value in values.items()
    ]
    if pac_bayes and objective.loss.softmax:
        found += _pac_bayes(model, start, objective, samples, steps, generator)
    infinite = [one.measure for one in found if not math.isfinite(one.value)]
    found = [one for one in found if one.measure not in infinite]
    known = {one.measure for one in found}
    left_out = dict(_left_out(objective, start, margin, paths, pac_bayes))
    left_out |= dict.fromkeys(infinite, NO_LOGARITHM)
    left_out = {name: reason for name, reason in left_out.items() if name not in known}
    details = {"layers": len(weights), "margin": margin}
    return Measured(found, details | ({"left_out": left_out} if left_out else {}))


def of_matrices(
    weights: list[torch.Tensor], initial: list[torch.Tensor] | None = None
) -> dict[str, float]:
    """Return what weight matrices W_i, i = 1 … d, and those before training give alone.

    ‖·‖ is the largest singular value; a kernel counts as the matrix [outputs, inputs · size]
    (Yoshida & Miyato 2017, arXiv:1705.10941, section 3.2), not as the convolution that it is part
    of. With the equations of Jiang et al. 2020:

    - ``log_product_of_spectral_norms``: Σ ln ‖W_i‖² (32);
    - ``log_sum_of_spectral_norms``: ln d + 1/d Σ ln ‖W_i‖² (35);
    - ``frobenius_over_spectral``: Σ ‖W_i‖_F² / ‖W_i‖² (33), without regard to scale;
    - ``log_product_of_frobenius_norms``: Σ ln ‖W_i‖_F² (37);
    - ``frobenius_distance``, ``spectral_distance``: Σ ‖W_i − W_i⁰‖_F² and Σ ‖W_i − W_i⁰‖² (40, 41).

    A logarithm of zero is −∞.
    """
    spectral, frobenius = _squared_norms(weights, 2), _squared_norms(weights, "fro")
    depth, product = len(weights), spectral.log().sum()
    found = {
        "log_product_of_spectral_norms": product,
        "log_sum_of_spectral_norms": math.log(depth) + product / depth,
        "frobenius_over_spectral": (frobenius / spectral).sum(),
        "log_product_of_frobenius_norms": frobenius.log().sum(),
    }
    if initial is not None:
        moved = [now - before for now, before in zip(weights, initial, strict=True)]
        found["frobenius_distance"] = _squared_norms(moved, "fro").sum()
        found["spectral_distance"] = _squared_norms(moved, 2).sum()
    return {name: value.item() for name, value in found.items()}


def over_margin(values: dict[str, float], margin: float) -> dict[str, float]:
    """Return what the margin γ > 0 gives, with the measures of `of_matrices` and of paths.

    - ``inverse_margin``: 1/γ² (22);
    - ``…_over_margin``: the logarithm less ln γ² (31 and 43);
    - ``log_spectral_bound``: the logarithm of Π ‖W_i‖² Σ ‖W_i‖_F² / ‖W_i‖² / γ² (30; Bartlett et
      al. 2017, arXiv:1706.08498).
    """
    logarithm = 2 * math.log(margin)
    product = values["log_product_of_spectral_norms"] - logarithm
    found = {"inverse_margin": margin**-2, "log_product_of_spectral_norms_over_margin": product}
    found["log_spectral_bound"] = product + math.log(values["frobenius_over_spectral"])
    if "log_path_norm" in values:
        found["log_path_norm_over_margin"] = values["log_path_norm"] - logarithm
    return found


@torch.no_grad()
def margin_percentile(model: nn.Module, objective: Objective, batch_size: int) -> float:
    """Return the 10th percentile of z_y − max_{c≠y} z_c over all terms of the loss."""

    def whole(batches: Batches) -> torch.Tensor:
        found = []
        for inputs, labels in batches:
            outputs = objective.outputs(model, inputs)
            axis, labels = class_axis(outputs, labels)
            logits = outputs.movedim(axis, -1).reshape(-1, outputs.shape[axis])
            found.append(margins(counted(logits, labels), counted(labels.flatten(), labels)))
        return torch.cat(found)

    found = objective.samples.over_batches(whole, batch_size).sort().values
    return found[(len(found) - 1) * PERCENTILE // 100].item()


def _alike(model: nn.Module, initial: nn.Module, objective: Objective) -> dict[str, nn.Parameter]:
    """Return by name the parameters that training began with, of the folded network.

    Raises:
        InputError: they are not finite, or others than the network's.
    """
    like = next(model.parameters())
    initial = initial.to(like.device, like.dtype).eval()
    for name, tensor in initial.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(
                f"initial: {name} holds NaN or infinite values; give the network that its training"
                " began with"
            )
    now, before = (
        dict(each.named_parameters(remove_duplicate=False))
        for each in (model, folded(initial, objective))
    )
    for name in [*now, *before]:
        shapes = [tuple(each[name].shape) if name in each else None for each in (now, before)]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"initial: its weights have other shapes than the network's, or other names"
                f" ({name}: {shapes[1] or 'none'} in place of {shapes[0] or 'none'}); give the"
                " network that its training began with"
            )
    return before


def _pac_bayes(
    model: nn.Module,
    start: Mapping[str, nn.Parameter] | None,
    objective: Objective,
    samples: int,
    steps: int,
    generator: torch.Generator,
) -> Iterator[Measurement]:
    n = len(objective)
    moved = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for relative, kind in ((False, "noise"), (True, "relative noise")):
        draws = child(generator, kind)
        found = bearable_noise(model, objective, relative, samples, steps, generator=draws)
        if found is None:
            continue
        if relative:
            yield flatness("pac_bayes_magnitude_flatness", found, n)
            continue
        yield from _bounds(found, moved, start, n)


def _bounds(
    found: Bearable,
    moved: Mapping[str, nn.Parameter],
    start: Mapping[str, nn.Parameter] | None,
    n: int,
) -> Iterator[Measurement]:
    yield flatness("pac_bayes_flatness", found, n)
    yield bound("pac_bayes_orig", found, _squared_length(moved.values()), n)
    if start is not None:
        away = [now - start[name] for name, now in moved.items()]
        yield bound("pac_bayes_init", found, _squared_length(away), n)


def _left_out(
    objective: Objective,
    start: Mapping[str, nn.Parameter] | None,
    margin: float | None,
    paths: float | None,
    pac_bayes: bool,
) -> Iterator[tuple[str, str]]:
    """Yield why measures would be left out, the strongest reason for each last."""
    flat = [name for names in PAC_BAYES.values() for name in names]
    if pac_bayes:
        yield from ((name, NO_SIGMA) for name in flat)
    if paths is None:
        yield from ((name, NO_PATHS) for name in OF_PATHS)
    if margin is None or margin <= 0:
        yield from ((name, NO_MARGIN) for name in OF_MARGIN)
    if start is None:
        yield from ((name, NO_INITIAL) for name in OF_INITIAL)
    if not objective.loss.softmax:
        reason = f"the loss {objective.loss.name} is not that of a softmax over classes"
        yield from ((name, reason) for name in (*OF_MARGIN, *flat))


def _squared_norms(weights: list[torch.Tensor], order: int | str) -> torch.Tensor:
    return torch.stack([torch.linalg.matrix_norm(weight, order).square() for weight in weights])


def _squared_length(parts: Iterable[torch.Tensor]) -> float:
    return sum(part.detach().double().square().sum().item() for part in parts)
