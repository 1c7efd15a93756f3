"""Cheap looks at a network before the work, which find what would make numbers wrong in silence."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from ..batches import Inputs, cut, each
from ..data.prepared import Split
from ..errors import InputError
from ..network_copy import in_type
from .losses import OwnLoss
from .objective import Objective, in_dtype_of
from .stream import tensors_of

# Samples that are looked at.
SAMPLES = 32
# What passes of the same samples may differ by, relative to the largest output.
ROUNDING = 1e-3


def probe(model: nn.Module, objective: Objective) -> None:
    """Compare two passes of the same samples, and a pass of these in halves.

    Args:
        model: in evaluation mode.
        objective: whose first samples are taken.

    Raises:
        InputError: the network's outputs are random, or depend on the other inputs of a batch; see
            `first_pass`, too.
    """
    _refuse_batch_statistics(model)
    few = first_samples(objective, SAMPLES)
    inputs = few.samples.inputs
    whole = first_pass(model, objective)
    with torch.no_grad():
        again = few.outputs(model, inputs)
        _check_same(
            whole,
            again,
            f"{type(model).__name__}: two passes of the same inputs give different outputs, so it"
            " draws random numbers in evaluation mode, as F.dropout(x) does; use nn.Dropout, or"
            " F.dropout(x, training=self.training)",
        )
        size = -(-len(few) // 2)
        halves = [few.outputs(model, part) for (part,) in cut([inputs], size)]
        # Outputs in which samples do not come first are the loss's to refuse.
        if whole.ndim and sum(len(half) for half in halves) == len(whole):
            _check_same(
                whole,
                torch.cat(halves),
                f"{type(model).__name__}: an input's outputs depend on the other inputs of its"
                " batch, as with statistics of a batch, so that no loss of a sample is defined; use"
                " fixed statistics in evaluation mode",
            )


@torch.no_grad()
def first_pass(model: nn.Module, objective: Objective) -> torch.Tensor:
    """Return a network's outputs for copies of the first samples.

    Raises:
        InputError: it does not take the inputs, or changes them in place.
    """
    given = each(first_samples(objective, SAMPLES).samples.inputs, partial(in_dtype_of, model))
    inputs = each(given, torch.clone)
    pairs = list(zip(tensors_of(given), tensors_of(inputs), strict=True))
    versions = [copy._version for _, copy in pairs]
    name = type(model).__name__
    try:
        found = replace(objective, read=lambda returned: returned).outputs(model, inputs)
    except (InputError, torch.OutOfMemoryError):
        raise
    # What networks make of inputs that they cannot take.
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:
        raise InputError(_not_taken(name, given, error)) from error
    for (one, copy), version in zip(pairs, versions, strict=True):
        # What goes past torch's own count shows in the numbers, if it changes any.
        if copy._version != version or not torch.equal(one.nan_to_num(), copy.nan_to_num()):
            raise InputError(
                f"{name}: it changes its inputs in place, as a first layer ReLU(inplace=True) does,"
                " so that a second pass would see others; let it work on a copy (inplace=False, or"
                " inputs.clone())"
            )
    return objective.read(found)


def _not_taken(name: str, inputs: Inputs, error: Exception) -> str:
    """Return the one line about inputs with which a network raised an error."""
    why = " ".join(str(error).split()) or type(error).__name__
    kinds = {str(one.dtype) for one in tensors_of(inputs) if not one.is_floating_point()}
    if kinds:
        return (
            f"inputs: {name} does not run on these, which are {' and '.join(sorted(kinds))}"
            f" ({why});"
            " give floating-point numbers if it takes such (pictures as fractions of 255)"
        )
    tensors = inputs if isinstance(inputs, Mapping) else {"": inputs}
    shapes = [f"{key} {list(one.shape)}".strip() for key, one in tensors.items()]
    return (
        f"{name} does not take these inputs, of shape {', '.join(shapes)} ({why}); give them in the"
        " form in which it was trained"
    )


def check_own_loss(model: nn.Module, objective: Objective) -> None:
    """Compare a user's loss of the same samples twice, and with that of each of them alone.

    Raises:
        InputError: it draws random numbers, or that of a sample depends on the others.
    """
    loss = objective.loss
    if not isinstance(loss, OwnLoss):
        return
    few = first_samples(objective, SAMPLES)
    with torch.no_grad():
        outputs, labels = few.outputs(model, few.samples.inputs), few.samples.labels
        whole, again = loss.terms(outputs, labels), loss.terms(outputs, labels)
        alone = torch.cat([loss.terms(*one) for one in cut([outputs, labels], 1)])
        for found in (again, alone):
            _check_same(
                whole,
                found,
                f"loss: what {loss.name} gives for a sample depends on the others of its batch, or"
                " on random numbers; it must return a loss for each sample on its own (of outputs"
                f" {list(outputs.shape)} and labels {list(labels.shape)}, without broadcasting)",
            )


def _refuse_batch_statistics(model: nn.Module) -> None:
    for name, module in model.named_modules():
        # The base class of all, lazy and synchronised ones, too.
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise InputError(
                f"{name}: {type(module).__name__} without running statistics takes those of each"
                " batch, so that no loss of a sample is defined; use track_running_stats=True"
            )


def first_samples(objective: Objective, count: int) -> Objective:
    """Return the loss over the first samples alone, in memory."""
    return objective.of(Split(*objective.samples.first(count)))


def _check_same(one: torch.Tensor, other: torch.Tensor, message: str) -> None:
    alike = one.shape == other.shape
    if not alike or (one - other).abs().max() > ROUNDING * one.abs().max():
        raise InputError(message)


def copy_in(model: nn.Module, objective: Objective, dtype: torch.dtype) -> nn.Module | None:
    """Return a copy of a network in a floating type, or None; see `network_copy.in_type`."""
    inputs = objective.samples.first()[0]
    return in_type(model, dtype, lambda network: objective.outputs(network, inputs))
