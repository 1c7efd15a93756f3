"""What a loss is: of samples, along the outputs, and twice along them.

A loss has one number, a *term*, for each thing that is judged: an input, or each pixel or token of
it that has a label of its own. Sharpness is about the mean over all terms, summed in float64.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

# The label of terms that do not count, as torch has it.
IGNORED = -100


@dataclass(frozen=True)
class LabelFacts:
    """What there is to know of all labels, without holding them.

    Attributes:
        samples: number of samples, n.
        size: number of labels, of all pixels or tokens.
        ignored: how many of them are `IGNORED`.
        low: the smallest of the others, None where there are none.
        high: the largest.
    """

    samples: int
    size: int
    ignored: int
    low: float | None
    high: float | None

    @classmethod
    def of(cls, labels: torch.Tensor) -> "LabelFacts":
        """Return what there is to know of labels [n, …]."""
        ignored = int((labels == IGNORED).sum())
        counted = labels[labels != IGNORED] if ignored else labels
        some = counted.numel() > 0
        low, high = (counted.min().item(), counted.max().item()) if some else (None, None)
        return cls(len(labels), labels.numel(), ignored, low, high)

    def __add__(self, other: "LabelFacts") -> "LabelFacts":
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return LabelFacts(
            self.samples + other.samples,
            self.size + other.size,
            self.ignored + other.ignored,
            min(lows, default=None),
            max(highs, default=None),
        )


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

    def count(self, facts: LabelFacts) -> int:
        """Return how many terms count, of all samples."""
        return facts.samples

    @abstractmethod
    def check(self, outputs: torch.Tensor, labels: torch.Tensor, facts: LabelFacts) -> None:
        """Raise InputError unless outputs and labels are such as this loss takes.

        Args:
            outputs: of a few samples, [b, …].
            labels: of the same samples, [b, …].
            facts: about the labels of all samples.
        """

    def right(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | None:
        """Return which terms are predicted right, [m]; None without classes."""
        return None

    def class_counts(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | None:
        """Return how many labels each class has, [C]; None without classes."""
        return None

    def of_guessing(self, counts: torch.Tensor) -> tuple[str, float]:
        """Return the loss of the best guess without any look at the inputs, with a name for it.

        For a cross-entropy that is the entropy of the labels, −Σ_c q_c ln q_c in nats, q_c being
        the share of class c; for squared errors half their Gini impurity, (1 − Σ_c q_c²) / 2.

        Args:
            counts: see `class_counts`.
        """
        shares = counts.double() / counts.sum()
        return "train_label_entropy", -torch.xlogy(shares, shares).sum().item()

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
