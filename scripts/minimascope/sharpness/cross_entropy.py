"""Cross-entropy, of one prediction for each input or of one for each of its pixels or tokens."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..errors import InputError
from .loss import IGNORED, LabelFacts, Loss


class CrossEntropy(Loss):
    """Cross-entropy of softmax, −ln p_y, in nats.

    Logits are [n, C] with labels [n], or for dense predictions [n, C, …] or [n, …, C] with labels
    [n, …]; each label is a term, but for those that are `IGNORED`.
    """

    name = "cross_entropy"
    classes = softmax = True

    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.terms`."""
        return self._reduced(outputs, labels, "none").flatten()

    def total(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.total`."""
        return self._reduced(outputs, labels, "sum")

    def _reduced(self, outputs: torch.Tensor, labels: torch.Tensor, reduction: str) -> torch.Tensor:
        axis, labels = class_axis(outputs, labels)
        outputs = outputs.double().movedim(axis, 1)
        return F.cross_entropy(outputs, labels, ignore_index=IGNORED, reduction=reduction)

    def count(self, facts: LabelFacts) -> int:
        """See `Loss.count`."""
        return facts.size - facts.ignored

    def check(self, outputs: torch.Tensor, labels: torch.Tensor, facts: LabelFacts) -> None:
        """See `Loss.check`."""
        if labels.dtype != torch.int64:
            raise InputError(
                f"labels are {labels.dtype}; cross_entropy takes numbers of classes, as integers;"
                " for other labels choose another loss"
            )
        axis, _ = class_axis(outputs, labels)
        classes = outputs.shape[axis]
        if facts.low is None:
            raise InputError("there are no labels; measure on at least one sample")
        if facts.low < 0 or facts.high >= classes:
            raise InputError(
                f"labels run from {facts.low} to {facts.high}, but the network has {classes}"
                f" logits; they must lie between 0 and {classes - 1}"
            )

    def right(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.right`."""
        axis, labels = class_axis(outputs, labels)
        return (outputs.argmax(axis) == labels).flatten()

    def class_counts(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """See `Loss.class_counts`."""
        axis, _ = class_axis(outputs, labels)
        return labels[labels != IGNORED].bincount(minlength=outputs.shape[axis])

    def radial(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return Σ_c p_c z_c − z_y of each term."""
        axis, labels = class_axis(outputs, labels)
        logits, counted = outputs.double(), labels != IGNORED
        # Σ_c p_c z_c − z_y = Σ_c p_c (z_c − z_y): no cancellation where p is almost one-hot.
        margins = logits - logits.gather(axis, (labels * counted).unsqueeze(axis))
        # Written out, since torch's softmax over few classes is slower than all of this together.
        weights = (logits - logits.amax(axis, keepdim=True)).exp()
        inner = (weights * margins).sum(axis) / weights.sum(axis)
        return (inner * counted).flatten()

    def curvature(
        self, outputs: torch.Tensor, labels: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return v ↦ (diag(p) − p pᵀ) v of each term."""
        axis, labels = class_axis(outputs, labels)
        probabilities = outputs.detach().double().softmax(axis)
        if (labels == IGNORED).any():
            probabilities = probabilities * (labels != IGNORED).unsqueeze(axis)

        def product(vector: torch.Tensor) -> torch.Tensor:
            weighted = probabilities * vector
            weighted -= probabilities * weighted.sum(axis, keepdim=True)
            return weighted

        return product


def class_axis(outputs: torch.Tensor, labels: torch.Tensor) -> tuple[int, torch.Tensor]:
    """Return along which axis of the outputs classes lie, and labels without needless axes.

    Raises:
        InputError: no axis, or more than one, can be that of the classes.
    """
    if outputs.ndim == 2 and labels.numel() == len(outputs):
        axis, labels = 1, labels.reshape(-1)
    else:
        if labels.ndim == outputs.ndim and labels.shape[1] == 1:
            labels = labels.squeeze(1)
        dense = outputs.ndim > 2 and len(outputs) == len(labels)
        first = dense and outputs.shape[2:] == labels.shape[1:]
        last = dense and outputs.shape[1:-1] == labels.shape[1:]
        if first and last:
            raise InputError(
                f"outputs {list(outputs.shape)} with labels {list(labels.shape)}: classes could be"
                " the second axis or the last; give outputs= a function that returns [m, C], one"
                " row for each label"
            )
        if not (first or last):
            raise InputError(
                f"outputs {list(outputs.shape)} do not go with labels {list(labels.shape)};"
                " cross_entropy takes [n, C] with [n], or [n, C, …] or [n, …, C] with [n, …]"
            )
        axis = 1 if first else outputs.ndim - 1
    if outputs.shape[axis] == 1:
        raise InputError(
            "the network has a single logit, of which a softmax is always 1; use"
            ' loss="binary_cross_entropy"'
        )
    return axis, labels


def counted(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the rows [m, …] whose labels count."""
    chosen = labels.flatten() != IGNORED
    return rows if chosen.all() else rows[chosen]


CROSS_ENTROPY = CrossEntropy()
