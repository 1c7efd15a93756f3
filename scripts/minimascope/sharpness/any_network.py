"""One call for programs other than this workflow: measures of sharpness of any torch network."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from ..data.augment import Augmentation
from ..errors import InputError
from ..jobs.progress import BAR, NOTHING, progress_shown
from ..measurement import Measured, Measurement
from ..network_copy import device_of, network_copy
from ..registry import SHARPNESS, USUAL_MEASURES
from ..seeding import generator
from .given import given_network
from .given_measures import family_of, measures_of_family
from .loss import Loss
from .losses import Function, find_loss
from .norms import NO_INITIAL
from .objective import Objective
from .outputs import Read
from .probes import check_own_loss, first_pass
from .radii import MORE_RADII, AtRadius
from .subject import Subject, check
from .unknown_names import is_of_trainings, remedy

NO_SETTINGS: Mapping[str, Mapping[str, Any]] = {}
NOT_GIVEN = "there is none with this loss and these settings"
# What takes gradients; those of curvature check these themselves.
NEED_GRADIENT = {"train_gradient_norm", "adaptive_sharpness_worst", "quotient_sharpness_worst"}


def measure(
    model: nn.Module,
    inputs: Any,
    labels: Any = None,
    measures: Iterable[str] = USUAL_MEASURES,
    *,
    loss: str | Function | Loss = "cross_entropy",
    outputs: str | int | Read | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    augmentation: Augmentation | None = None,
    initial: nn.Module | None = None,
    weight_decay: float = 0.0,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Measurement]:
    """Return measures of sharpness of any network.

    Measures belong to families that are computed as a whole, so asking for several of one family
    costs no more than one of them. docs/measures.md says what each is, docs/any-network.md what
    networks, data and losses there are.

    Args:
        model: any module; it and all random states are unchanged by the call. Its copy is measured
            in evaluation mode, without DataParallel or compilation around it, in float32 if it is
            in half precision, and on a CPU with contiguous convolutions.
        inputs: what the loss is a mean over, usually all of the training data: a tensor or array
            [n, …], a mapping of such by the names of the model's arguments, a Dataset, a
            DataLoader, or a list of batches (inputs, labels) or of mappings with ``labels``.
        labels: of the inputs; None where these have their own.
        measures: names of measures, or of families for all of theirs.
        loss: ``cross_entropy``, ``binary_cross_entropy`` (of logits), ``mse``, ``squared_error``
            (½‖z − t‖² of classes), or a function of outputs (in float64) and labels that returns a
            loss for each sample.
        outputs: where the outputs are in what the model returns: a key or attribute, an index, or a
            function. None takes a tensor, ``logits``, or the first tensor of a tuple.
        settings: of families, by name: ``{"hessian": {"trace_products": 198}}``. Keys and values
            are those of docs/configuration.md. Published twins are left out unless they are named.
        augmentation: with which the network was trained; for the published procedure.
        initial: the network that its training began with; for distances from there.
        weight_decay: with which it was trained; for the Hessian with ``l2``.
        seed: names the random streams.
        progress: whether progress bars are shown, on standard error.

    Returns:
        By name, in the order asked for: value, unit, number of samples, standard error and noise
        floor where there is one.

    Raises:
        InputError: an unknown measure or setting, a setting of the wrong type or out of range, a
            measure that is not defined for this network or loss, data or labels in another form,
            parameters that are not finite, or a network whose losses or second derivatives would be
            wrong.
    """
    asked = [measures] if isinstance(measures, str) else list(measures)
    families = measure_families(
        model,
        inputs,
        labels,
        measures,
        loss=loss,
        outputs=outputs,
        settings=settings,
        augmentation=augmentation,
        initial=initial,
        weight_decay=weight_decay,
        seed=seed,
        progress=progress,
    )
    found = {m.measure: m for family in families for m in family.measured.measurements}
    return {name: found[name] for name in names_of(asked, settings or {}) if name in found}


@dataclass(frozen=True)
class OfFamily:
    """What a family of measures gave.

    Attributes:
        family: its name.
        settings: those that differ from its defaults.
        measured: numbers, how they came about, and arrays behind them.
        seconds: that it took.
    """

    family: str
    settings: Mapping[str, Any]
    measured: Measured
    seconds: float


def measure_families(
    model: nn.Module,
    inputs: Any,
    labels: Any,
    measures: Iterable[str],
    *,
    loss: str | Function | Loss = "cross_entropy",
    outputs: str | int | Read | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    augmentation: Augmentation | None = None,
    initial: nn.Module | None = None,
    weight_decay: float = 0.0,
    seed: int = 0,
    progress: bool = False,
) -> list[OfFamily]:
    """Return what each family gives that `measure` takes measures of; see there."""
    if initial is not None and not isinstance(initial, nn.Module):
        raise InputError(
            f"initial: {type(initial).__name__} is no torch module; give a network, into which"
            " load_state_dict reads weights"
        )
    asked = [measures] if isinstance(measures, str) else list(measures)
    given = _checked(settings or {})
    wanted = names_of(asked, given)
    _refuse_unused(given, wanted)
    # Nobody has named the usual ones.
    named = [] if measures is USUAL_MEASURES else asked
    found = []
    shown = progress_shown(BAR if progress else NOTHING)
    ready = given_network(model, inputs, labels, find_loss(loss), outputs)
    with shown, ready as (model, objective):
        check(model, objective)
        check_own_loss(model, objective)
        for name in [name for name in wanted if name in NEED_GRADIENT][:1]:
            _check_gradient(model, objective, name)
        subject = Subject(model, objective, augmentation, None, weight_decay)
        if initial is not None:
            initial = network_copy(initial, lambda network: first_pass(network, objective))
            initial = initial.to(device_of(model))
        for family, component in SHARPNESS.items():
            names = [name for name in wanted if family_of(name) == family]
            if names:
                start = time.perf_counter()
                chosen = _completed(given.get(family, {}), _enough_for(names, family))
                draws = generator(seed, family, device=device_of(model))
                others = {"initial": initial} if "initial" in component.takes else {}
                measured = component.load()(subject, draws, **others, **chosen)
                _refuse_left_out(measured, [name for name in named if name in names])
                found.append(OfFamily(family, chosen, measured, time.perf_counter() - start))
    return found


def _check_gradient(model: nn.Module, objective: Objective, measure: str) -> None:
    # It imports what other measures do without.
    from .second_derivatives import check_gradient

    check_gradient(model, objective, measure=measure)


def _refuse_left_out(measured: Measured, asked: Sequence[str]) -> None:
    """Raise InputError if a measure that was asked for by its own name is not there."""
    there = {measurement.measure for measurement in measured.measurements}
    reasons = measured.details.get("left_out", {})
    for name in asked:
        if reasons.get(name) == NO_INITIAL:
            raise InputError(
                f"{name}: is a distance from the weights that training began with; give the network"
                " with these as initial=, or leave it out"
            )
        if name in reasons or name not in there:
            raise InputError(f"{name}: {reasons.get(name, NOT_GIVEN)}; leave it out")


def _refuse_unused(settings: Mapping[str, Any], wanted: Sequence[str]) -> None:
    """Raise InputError for settings of a family that nothing is measured of."""
    for family in settings:
        if family not in map(family_of, wanted):
            raise InputError(
                f"settings.{family}: none of its measures is asked for; ask for"
                f" {SHARPNESS[family].gives[0]} or another, or leave these settings out"
            )


def names_of(
    measures: Iterable[str], settings: Mapping[str, Mapping[str, Any]] = NO_SETTINGS
) -> list[str]:
    """Return names of measures, those of families written out, with what their settings add."""
    names = []
    for measure in measures:
        if measure not in SHARPNESS and family_of(measure) is None:
            if _is_evaluation(measure) and not is_of_trainings(measure):
                raise InputError(
                    f"measures: {measure!r} is an evaluation on test data, and these are no part of"
                    " the call, which measures sharpness, norms and the function near the data;"
                    " leave it out, or evaluate the network in a study"
                )
            raise InputError(f"measures: unknown name {measure!r}; {remedy(measure)}")
        own = settings.get(measure, {})
        names += measures_of_family(measure, own) if measure in SHARPNESS else [measure]
    return list(dict.fromkeys(names))


def _is_evaluation(name: str) -> bool:
    """Return whether a name that is no measure of a family is one of predictions or attacks."""
    # Only to say what is wrong.
    from ..analysis.measure_names import MEASURES
    from ..attacks.spec import ACCURACY, RADIUS

    return name in MEASURES or str(name).startswith((ACCURACY, RADIUS))


def _completed(given: Mapping[str, Any], enough: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a family as they are given, and what is enough for the rest of them."""
    both = {key for key in enough if key in given}
    return {**enough, **given} | {
        # Radii of measures that are named come besides those that are set.
        key: _joined(enough[key], given[key])
        for key in both
        if key == MORE_RADII or (isinstance(enough[key], Mapping) and given[key] is not None)
    }


def _joined(enough: Any, given: Any) -> Any:
    if isinstance(enough, Mapping):
        return {**enough, **given}
    return [*given, *(each for each in enough if each not in given)]


def _enough_for(asked: Sequence[str], family: str) -> dict[str, Any]:
    """Return settings with which a family computes what is asked for, and little else."""
    names = set(asked)
    published = any(name.endswith(("_published", "_null", "_l5")) for name in names)
    match family:
        case "forward":
            published |= "relative_flatness_published_loss" in names
            return {"published": published, "gradient": "train_gradient_norm" in names}
        case "perturbation":
            adaptive = {} if any(name.startswith("adaptive") for name in names) else None
            if any(name.startswith("quotient") for name in names):
                adaptive = {"quotient": True}
            radii = {at.radius: None for name in asked if (at := AtRadius.parse(name))}
            return {"published": published, "adaptive": adaptive} | (
                {MORE_RADII: [*radii]} if radii else {}
            )
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
        case "input" if not any(name.endswith("boundary_distance_attack") for name in names):
            return {"attack_samples": None}
        case "norms":
            return {"pac_bayes": any(name.startswith("pac_bayes") for name in names)}
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
