"""Inputs as numbers that can be moved a little, for measures of the function near the data."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from ..batches import Batches
from ..errors import InputError
from ..finite_differences import follows_its_inputs
from ..networks.normalised import NormalisedInput, in_units
from .objective import BATCH_SIZE, Objective
from .probes import SAMPLES, first_samples

# Rows that are drawn at once, whatever the size of a batch.
BLOCK = 64


def numbers(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return inputs in their own units and the network's floating type: pictures in [0, 1].

    Args:
        model: whose inputs these are.
        inputs: of a batch, [b, …], such as `check_continuous` lets through.
    """
    return in_units(inputs.detach(), next(model.parameters()).dtype)


def check_continuous(model: nn.Module, objective: Objective, family: str) -> None:
    """Refuse inputs that cannot be moved a little, and networks that do not follow them smoothly.

    Args:
        model: in evaluation mode.
        objective: whose first samples are looked at.
        family: of measures, for the message.

    Raises:
        InputError: inputs by name or integers, or not finite; outputs that are not [n, C], that
            change from sample to sample although all their gradients are zero, or whose gradients
            cannot be formed or are not their changes (`finite_differences.follows_its_inputs`).
    """
    few, name = first_samples(objective, SAMPLES), type(model).__name__
    inputs = few.samples.inputs
    if not isinstance(inputs, torch.Tensor):
        raise InputError(
            f"{family}: {name} takes several inputs by name ({', '.join(inputs)}); it measures"
            f" networks of one tensor, so leave {family} out"
        )
    pictures = inputs.dtype == torch.uint8 and isinstance(model, NormalisedInput)
    if not (pictures or inputs.is_floating_point()):
        raise InputError(
            f"{family}: the inputs are {inputs.dtype}, which cannot be moved a little; give"
            f" floating-point numbers (pictures as fractions of 255, or the network in a"
            f" NormalisedInput), or leave {family} out"
        )
    if not objective.samples.over_batches(_all_finite, BATCH_SIZE):
        raise InputError(f"{family}: the inputs hold NaN or infinite values; take these out")
    try:
        outputs, moves = few.samples.over_batches(partial(_looked_at, model, few), SAMPLES)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise InputError(
            f"{family}: gradients of {name} with respect to its inputs cannot be formed"
            f" ({str(error).splitlines()[0]}); run it without that, or leave {family} out"
        ) from error
    if outputs.ndim not in (1, 2):
        raise InputError(
            f"{family}: {name} returns outputs {list(outputs.shape)}; it measures networks with"
            f" one prediction for each input, [n, C], so leave {family} out"
        )
    if not moves and not bool((outputs == outputs[:1]).all()):
        raise InputError(
            f"{family}: the outputs of {name} have no gradient with respect to its inputs, as"
            f" behind round or argmax; leave {family} out"
        )
    if not follows_its_inputs(model, objective.outputs, numbers(model, inputs)):
        raise InputError(
            f"{family}: gradients of {name} with respect to its inputs are not the changes of its"
            " outputs; a part is cut out of the graph, as by detach or no_grad, or rounds and"
            f" passes gradients on; run it without, or leave {family} out"
        )


def _all_finite(batches: Batches) -> bool:
    # Bytes are.
    return all(bool(inputs.isfinite().all()) for inputs, _ in batches)


@torch.enable_grad()
def _looked_at(
    model: nn.Module, objective: Objective, batches: Batches
) -> tuple[torch.Tensor, bool]:
    """Return all outputs, and whether any of them has a gradient with respect to the inputs."""
    found, moves = [], False
    for inputs, _ in batches:
        moved = numbers(model, inputs).requires_grad_()
        outputs = objective.outputs(model, moved)
        found.append(outputs.detach())
        if outputs.requires_grad:
            # With weights that are not alike, since probabilities add up to 1.
            draws = torch.Generator(outputs.device).manual_seed(0)
            weights = torch.empty_like(outputs).normal_(generator=draws)
            (slopes,) = torch.autograd.grad(outputs, moved, weights, materialize_grads=True)
            moves |= bool(slopes.any())
    return torch.cat(found), moves


class NormalRows:
    """Standard normal numbers for sample after sample, the same for batches of any size.

    Args:
        draws: their generator, which is used up.
        shape: of the numbers of one sample.
        dtype: their type.
    """

    def __init__(self, draws: torch.Generator, shape: Sequence[int], dtype: torch.dtype):
        self._draws, self._shape = draws, tuple(shape)
        self._left = torch.empty(0, *self._shape, dtype=dtype, device=draws.device)

    def take(self, count: int) -> torch.Tensor:
        """Return the numbers of the next samples, [count, …]."""
        parts = [self._left]
        while sum(map(len, parts)) < count:
            parts.append(self._left.new_empty(BLOCK, *self._shape).normal_(generator=self._draws))
        rows = torch.cat(parts)
        self._left = rows[count:]
        return rows[:count]
