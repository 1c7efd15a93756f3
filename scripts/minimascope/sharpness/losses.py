"""Losses by name, and those that users write."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..errors import InputError, nearest
from .cross_entropy import CROSS_ENTROPY
from .loss import LabelFacts, Loss

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of logits z, −y ln σ(z) − (1 − y) ln σ(−z), in nats.

    Labels are 0 or 1, of the outputs' shape but for axes of length 1; each is a term. Of smoothed
    labels those above 1/2 count as class 1.
    """

    name = "binary_cross_entropy"
    classes = True

    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.terms`."""
        targets = shaped_like(outputs, labels).double()
        return F.binary_cross_entropy_with_logits(
            outputs.double(), targets, reduction="none"
        ).flatten()

    def count(self, facts: LabelFacts) -> int:
        """See `Loss.count`."""
        return facts.size

    def check(self, outputs: torch.Tensor, labels: torch.Tensor, facts: LabelFacts) -> None:
        """See `Loss.check`."""
        shaped_like(outputs, labels)
        if facts.ignored or facts.low < 0 or facts.high > 1:
            raise InputError(
                "binary_cross_entropy takes labels 0 and 1; for more classes use cross_entropy"
            )

    def right(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.right`."""
        return ((outputs > 0) == (shaped_like(outputs, labels) > 0.5)).flatten()

    def class_counts(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.class_counts`."""
        return (labels > 0.5).long().flatten().bincount(minlength=2)


class MeanSquaredError(Loss):
    """Mean squared error; a term is the mean over all outputs of a sample."""

    name = "mse"
    unit = "squared units of the labels"

    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.terms`."""
        squares = (outputs.double() - shaped_like(outputs, labels)).square()
        return squares.reshape(len(squares), -1).mean(1)

    def check(self, outputs: torch.Tensor, labels: torch.Tensor, facts: LabelFacts) -> None:
        """See `Loss.check`."""
        shaped_like(outputs, labels)
        # Without either, all labels are -100, which is a number as any other here.
        if facts.low is not None and not math.isfinite(facts.low + facts.high):
            raise InputError("labels hold NaN or infinite values, so that no error is defined")


class SquaredError(Loss):
    """Squared error of classes, ½‖z − t‖², t being 1 for the sample's class and 0 for others.

    That is the loss on which the edge of stability was found first (Cohen et al. 2021,
    arXiv:2103.00065, section 3). Labels are numbers of classes [n]; outputs are [n, C].
    """

    name = "squared_error"
    unit = "squared outputs"
    classes = True

    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.terms`."""
        targets = F.one_hot(labels.reshape(-1), outputs.shape[1])
        return (outputs.double() - targets).square().sum(1) / 2

    def check(self, outputs: torch.Tensor, labels: torch.Tensor, facts: LabelFacts) -> None:
        """See `Loss.check`."""
        if outputs.ndim != 2 or labels.numel() != len(outputs):
            raise InputError(
                f"outputs {list(outputs.shape)} do not go with labels {list(labels.shape)};"
                " squared_error takes [n, C] with [n]"
            )
        CROSS_ENTROPY.check(outputs, labels, facts)

    def right(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.right`."""
        return outputs.argmax(1) == labels.reshape(-1)

    def class_counts(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.class_counts`."""
        return labels.reshape(-1).bincount(minlength=outputs.shape[1])

    def of_guessing(self, counts: torch.Tensor) -> tuple[str, float]:
        """See `Loss.of_guessing`."""
        shares = counts.double() / counts.sum()
        return "train_label_impurity", (1 - shares.square().sum().item()) / 2


class OwnLoss(Loss):
    """A function of a user, from outputs [b, …] in float64 and labels [b, …] to losses [b].

    Of losses [b, …] the mean over all but the first axis counts.
    """

    unit = "units of the loss"

    def __init__(self, function: Function):
        self.name = getattr(function, "__name__", type(function).__name__)
        self.function = function

    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.terms`."""
        found = self.function(outputs.double(), labels)
        if not isinstance(found, torch.Tensor) or found.shape[:1] != outputs.shape[:1]:
            given = list(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise InputError(
                f"loss: {self.name} returns {given} for {len(outputs)} samples; it must return a"
                ' tensor with a loss for each sample, such as torch\'s with reduction="none"'
            )
        return found.double().reshape(len(found), -1).mean(1)

    def check(self, outputs: torch.Tensor, labels: torch.Tensor, facts: LabelFacts) -> None:
        """See `Loss.check`."""
        self.terms(outputs, labels)


def shaped_like(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return labels in the shape of the outputs, from which they may differ by axes of length 1."""
    sizes = [[size for size in t.shape[1:] if size != 1] for t in (outputs, labels)]
    if sizes[0] != sizes[1] or len(outputs) != len(labels):
        raise InputError(
            f"outputs {list(outputs.shape)} do not go with labels {list(labels.shape)}; they must"
            " have one shape"
        )
    return labels.reshape(outputs.shape)


OF_LIBRARY = (CROSS_ENTROPY, BinaryCrossEntropy(), MeanSquaredError(), SquaredError())
LOSSES = {loss.name: loss for loss in OF_LIBRARY}


def find_loss(loss: str | Function | Loss) -> Loss:
    """Return a loss by its name, or of a user's function.

    Raises:
        InputError: an unknown name, or something else.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise InputError(f"loss: unknown name {loss!r}; {nearest(loss, LOSSES)}")
        return LOSSES[loss]
    if not callable(loss):
        raise InputError(
            f"loss: {type(loss).__name__} is no loss; give a name ({', '.join(LOSSES)}) or a"
            " function of outputs and labels"
        )
    return OwnLoss(loss)
