"""Measures of sharpness, by family: what one pass, or one kind of work, can compute together.

`measure` is for programs other than this workflow: it takes any torch classifier.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.augment import Augmentation
from ..data.prepared import Split
from ..devices import contiguous_convolutions, precision
from ..errors import InputError, nearest
from ..jobs.progress import BAR, NOTHING, progress_shown
from ..measurement import Measured, Measurement
from ..registry import SHARPNESS
from ..seeding import generator
from .objective import Objective
from .subject import Subject, check


def measure(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    measures: Iterable[str] = ("fisher_rao_norm", "relative_flatness", "sam_sharpness"),
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    augmentation: Augmentation | None = None,
    weight_decay: float = 0.0,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Measurement]:
    """Return measures of sharpness of any classifier that ends in a linear layer.

    Measures belong to families that are computed as a whole, so asking for several of one family
    costs no more than one of them. docs/measures.md says what each is.

    Args:
        model: from inputs to logits [n, C]; unchanged by the call. On a CPU its convolutions are
            computed contiguously, and a compiled one is computed as if it were not compiled.
        inputs: [n, …], on the model's device; what the loss is a mean over, usually all of the
            training data.
        labels: int64 [n], between 0 and C - 1.
        measures: names of measures, or of families for all of theirs.
        settings: of families, by name: ``{"hessian": {"trace_products": 198}}``. Keys and values
            are those of docs/configuration.md. Published twins are left out unless they are named.
        augmentation: with which the network was trained; for the published procedure.
        weight_decay: with which it was trained; for the Hessian with ``l2``.
        seed: names the random streams.
        progress: whether progress bars are shown, on standard error.

    Returns:
        By name, in the order asked for: value, unit, number of samples, standard error and noise
        floor where there is one.

    Raises:
        InputError: an unknown measure or setting, a setting of the wrong type or out of range, no
            linear last layer, labels outside the classes, parameters that are not finite, or no
            data.
    """
    asked = [measures] if isinstance(measures, str) else list(measures)
    wanted = _names(asked)
    given = _checked(settings or {})
    model = copy.deepcopy(model).eval()
    objective = Objective(Split(inputs, labels))
    found: dict[str, Measurement] = {}
    device = inputs.device
    shown = progress_shown(BAR if progress else NOTHING)
    with precision("fp32", device), contiguous_convolutions(device), shown:
        check(model, objective)
        subject = Subject(model, objective, augmentation, None, weight_decay)
        for family, component in SHARPNESS.items():
            names = [name for name in wanted if name in component.gives]
            if names:
                chosen = _enough_for(names, family) | given.get(family, {})
                draws = generator(seed, family, device=device)
                measured = component.load()(subject, draws, **chosen)
                _refuse_left_out(measured, asked)
                found |= {m.measure: m for m in measured.measurements}
    return {name: found[name] for name in wanted if name in found}


def _refuse_left_out(measured: Measured, asked: Sequence[str]) -> None:
    """Raise InputError if a measure that was asked for by its own name is not defined."""
    for name, reason in measured.details.get("left_out", {}).items():
        if name in asked:
            raise InputError(f"{name}: {reason}; leave it out")


def _names(measures: Iterable[str]) -> list[str]:
    """Return names of measures, those of families written out."""
    known = [name for component in SHARPNESS.values() for name in component.gives]
    names = []
    for measure in measures:
        if measure not in SHARPNESS and measure not in known:
            raise InputError(
                f"measures: unknown name {measure!r}; {nearest(measure, [*SHARPNESS, *known])}"
            )
        names += SHARPNESS[measure].gives if measure in SHARPNESS else [measure]
    return list(dict.fromkeys(names))


def _enough_for(names: Iterable[str], family: str) -> dict[str, Any]:
    """Return settings with which a family computes what is asked for, and little else."""
    names = set(names)
    published = any(name.endswith(("_published", "_null", "_l5")) for name in names)
    match family:
        case "forward":
            published |= "relative_flatness_published_loss" in names
            return {"published": published, "gradient": "train_gradient_norm" in names}
        case "perturbation":
            adaptive = any(name.startswith("adaptive") for name in names)
            return {"published": published, "adaptive": {} if adaptive else None}
        case "hessian":
            matrices = ("hessian", "gauss_newton")
            chosen = [m for m in matrices if any(name.startswith(m) for name in names)]
            unwanted = {"eigenvalues": "top_eigenvalue", "trace_products": "trace"}
            smallest = int("hessian_smallest_eigenvalue" in names)
            return {"matrices": chosen, "density_probes": 0, "smallest_eigenvalues": smallest} | {
                setting: 0
                for setting, name in unwanted.items()
                if not any(f"{matrix}_{name}" in names for matrix in matrices)
            }
        case "landscape":
            return {"line_points": 0}
    return {}


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    # Jobs import this package, too, and need no schema.
    from ..study.schema import PACKAGED, load_schema
    from ..study.validation import check_families

    plain = _plain(settings)
    check_families(plain, load_schema(PACKAGED), "settings")
    return plain


def _plain(value: Any) -> Any:
    """Return settings as a YAML file would give them: lists for tuples, and Python's numbers."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(child) for child in value]
    return value.item() if isinstance(value, np.generic) else value
