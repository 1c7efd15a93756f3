"""Cheap looks at a network before the work, which find what would make numbers wrong in silence."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from ..batches import cut
from ..data.prepared import Split
from ..errors import InputError
from .losses import OwnLoss
from .network_copy import copied
from .objective import Objective

# Samples that are looked at.
SAMPLES = 32
# What passes of the same samples may differ by, relative to the largest output.
ROUNDING = 1e-3


def check_inputs(model: nn.Module, objective: Objective) -> None:
    """Run a network on the first samples.

    Raises:
        InputError: it does not take these inputs.
    """
    few = replace(first_samples(objective, SAMPLES), read=lambda found: found)
    inputs = few.samples.inputs
    try:
        with torch.no_grad():
            few.outputs(model, inputs)
    except (InputError, torch.OutOfMemoryError):
        raise
    # What networks make of inputs that they cannot take.
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:
        tensors = inputs if isinstance(inputs, Mapping) else {"": inputs}
        why = " ".join(str(error).split()) or type(error).__name__
        shapes = [f"{name} {list(one.shape)}".strip() for name, one in tensors.items()]
        raise InputError(
            f"{type(model).__name__} does not take these inputs, of shape {', '.join(shapes)}"
            f" ({why}); give them in the form in which it was trained"
        ) from error


def probe(model: nn.Module, objective: Objective) -> None:
    """Compare two passes of the same samples, and a pass of these in halves.

    Args:
        model: in evaluation mode.
        objective: whose first samples are taken.

    Raises:
        InputError: the network does not take the inputs, or its outputs are random, or depend on
            the other inputs of a batch.
    """
    _refuse_batch_statistics(model)
    check_inputs(model, objective)
    few = first_samples(objective, SAMPLES)
    inputs = few.samples.inputs
    with torch.no_grad():
        whole, again = few.outputs(model, inputs), few.outputs(model, inputs)
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
    """Return a copy of a network in a floating type, or None where it does not run in it.

    Such a network makes tensors of a type of its own, or converts its outputs to that.
    """
    model = copied(model).to(dtype)
    with torch.no_grad():
        try:
            outputs = objective.outputs(model, objective.samples.first()[0])
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # "expected scalar type Double but found Float", in many words
            return None
    return model if outputs.dtype == dtype else None
