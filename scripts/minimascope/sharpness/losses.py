"""What a loss is: of samples, along the outputs, and twice along them.

A loss has one number, a *term*, for each thing that is judged: an input, or each pixel or token of
it that has a label of its own. Sharpness is about the mean over all terms, summed in float64.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..errors import InputError

# The label of terms that do not count, as torch has it.
IGNORED = -100
Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Loss(ABC):
    """A loss of outputs and labels of a batch.

    Attributes:
        name: by which it is asked for.
        unit: of the loss.
        classes: whether labels are numbers of classes.
        softmax: whether it is the cross-entropy of a softmax of the outputs.
    """

    name: str
    unit: str = "nats"
    classes: bool = False
    softmax: bool = False

    @abstractmethod
    def terms(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the terms of a batch, [m] in float64, with their autograd graph.

        Terms that do not count are 0. Outputs are [b, …], labels [b, …].
        """

    def total(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the sum of `terms`."""
        return self.terms(outputs, labels).sum()

    def count(self, labels: torch.Tensor) -> int:
        """Return how many terms count."""
        return len(labels)

    @abstractmethod
    def check(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError unless the labels are such as this loss takes.

        Args:
            outputs: of one sample, [1, …].
            labels: of all samples, [n, …].
        """

    def right(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | None:
        """Return which terms are predicted right, [m]; None without classes."""
        return None

    def class_counts(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | None:
        """Return how many labels each class has, [C]; None without classes."""
        return None

    def radial(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return Σ_c z_c ∂ℓ/∂z_c of each term ℓ, [m] in float64, z being its outputs."""
        with torch.enable_grad():
            outputs = outputs.detach().double().requires_grad_()
            terms = self.terms(outputs, labels)
            (slopes,) = torch.autograd.grad(terms.sum(), outputs)
        return (slopes * outputs.detach()).reshape(len(terms), -1).sum(1)

    def curvature(
        self, outputs: torch.Tensor, labels: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return v ↦ ∂²ℓ/∂z² v for the sum ℓ of the terms along the outputs z, in float64."""
        with torch.enable_grad():
            outputs = outputs.detach().double().requires_grad_()
            (slopes,) = torch.autograd.grad(self.total(outputs, labels), outputs, create_graph=True)

        def product(vector: torch.Tensor) -> torch.Tensor:
            if not slopes.requires_grad:
                return torch.zeros_like(outputs)
            (found,) = torch.autograd.grad(
                slopes, outputs, vector.double(), retain_graph=True, materialize_grads=True
            )
            return found

        return product


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

    def count(self, labels: torch.Tensor) -> int:
        """See `Loss.count`."""
        return int((labels != IGNORED).sum())

    def check(self, outputs: torch.Tensor, labels: torch.Tensor) -> None:
        """See `Loss.check`."""
        if labels.dtype != torch.int64:
            raise InputError(f"labels are {labels.dtype}; they must be int64, numbers of classes")
        axis, _ = class_axis(outputs, labels[:1])
        check_labels(labels, outputs.shape[axis])

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


def check_labels(labels: torch.Tensor, classes: int) -> None:
    """Raise InputError unless there are labels and all lie between 0 and the classes - 1."""
    counted = labels[labels != IGNORED]
    if len(counted) == 0:
        raise InputError("there are no labels; measure on at least one sample")
    low, high = int(counted.min()), int(counted.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"labels run from {low} to {high}, but the network has {classes} logits;"
            f" they must lie between 0 and {classes - 1}"
        )


def label_entropy(counts: torch.Tensor) -> float:
    """Return −Σ_c q_c ln q_c in nats, q_c being the share of labels that are c, from their counts.

    That is the cross-entropy of the best guess without any look at the inputs.
    """
    shares = counts.double() / counts.sum()
    return -torch.xlogy(shares, shares).sum().item()


CROSS_ENTROPY = CrossEntropy()
LOSSES: dict[str, Loss] = {CROSS_ENTROPY.name: CROSS_ENTROPY}
