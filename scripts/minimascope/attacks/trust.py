"""Whether an attack's numbers can be trusted: signs of masked gradients.

A network can hide its gradients instead of being robust (Athalye et al. 2018, arXiv:1802.00420;
Carlini et al. 2019, arXiv:1902.06705, section 3).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ..batches import in_batches
from ..errors import InputError
from .attack import BATCH_SIZE, NO_GRADIENT, gradients_of, together
from .inputs import evaluation_mode
from .spec import Loss

# Shares of samples beyond this are a sign: what is less does not matter to an accuracy, either.
TOLERATED = 0.01


@dataclass(frozen=True)
class Checks:
    """What speaks for masked gradients, of attacks in one norm.

    Attributes:
        largest_radius: at which any input can become any other.
        standing: share of samples that no attack fools even there; it should be 0.
        zero_gradients: share of samples at which all losses have a gradient of exactly 0.
        follows: whether gradients are the changes of the outputs (`follows_its_inputs`).
        transferred: for each radius the accuracy on examples made for another network, which should
            not be below that on examples made for this one; None where there is no other.
        accuracies: for each radius the accuracy on examples made for this one.
    """

    largest_radius: float
    standing: float
    zero_gradients: float
    follows: bool
    transferred: tuple[float, ...] | None
    accuracies: tuple[float, ...]

    def doubts(self, number: int | None = None) -> list[str]:
        """Return what speaks against the accuracy at one radius, or against any; none if nothing.

        Args:
            number: of the radius, None for all.
        """
        found = []
        if self.standing > TOLERATED:
            found.append(
                f"{self.standing:.1%} of the samples are not fooled even at radius"
                f" {self.largest_radius:.3g}, where they could become any others"
            )
        if self.zero_gradients > TOLERATED:
            found.append(f"{self.zero_gradients:.1%} of the samples have a gradient of exactly 0")
        if not self.follows:
            found.append(
                "gradients with respect to the inputs are not the changes of the outputs, as behind"
                " detach, no_grad, or rounding that passes gradients on"
            )
        pairs = list(zip(self.accuracies, self.transferred or self.accuracies, strict=True))
        if any(other < own for own, other in (pairs if number is None else [pairs[number]])):
            found.append("examples made for another network fool more samples than its own")
        return found

    def as_details(self) -> dict[str, Any]:
        """Return the checks as a JSON document has them."""
        return asdict(self) | {"doubts": self.doubts()}


def zero_gradients(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    losses: Sequence[Loss],
    batch_size: int = BATCH_SIZE,
) -> float:
    """Return the share of samples at which the gradients of all losses are exactly 0.

    Args:
        model: from inputs to logits.
        inputs: floating, [n, …].
        labels: [n].
        losses: of `losses.LOSSES`.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: they are 0 at all samples, although the logits of these differ, as behind
            rounding.
    """

    def run(batch: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        points, own = batch
        rows, zero = torch.arange(len(own), device=own.device), torch.ones_like(own).bool()
        for loss in losses:
            seen = gradients_of(model, own, loss)(points, rows)
            zero &= seen.gradients.flatten(1).eq(0).all(1)
        with torch.no_grad():
            return zero, model(points)

    with evaluation_mode(model):
        zero, logits = in_batches(
            lambda batches: together(run, batches), (inputs, labels), batch_size
        )
    if zero.all() and (logits != logits[0]).any():
        raise InputError(NO_GRADIENT)
    return zero.double().mean().item()
