"""What sharpness is measured of: a network at a minimum, and the data its loss is taken over."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..data.augment import Augmentation, augment
from ..data.prepared import Split
from ..errors import InputError
from .losses import in_dtype_of


@dataclass(frozen=True)
class Subject:
    """A trained network with its training data.

    Attributes:
        model: a classifier taking ``split.inputs``, in evaluation mode.
        split: the data that losses are means over, on the model's device.
        augmentation: with which the network was trained, or None.
        originals: the data before augmentation, where ``split`` is an augmented view of them.
        weight_decay: λ of the penalty λ/2 ‖θ‖² with which the network was trained.
    """

    model: nn.Module
    split: Split
    augmentation: Augmentation | None = None
    originals: Split | None = None
    weight_decay: float = 0.0

    def in_dtype(self, dtype: str) -> "Subject":
        """Return a copy of the network in a floating type on the same data, after `check`."""
        model = copy.deepcopy(self.model).eval().to(getattr(torch, dtype))
        check(model, self.split.inputs, self.split.labels)
        return replace(self, model=model)

    def augmented(self, generator: torch.Generator) -> "Subject":
        """Return the same network on one augmented copy of the data, drawn once and kept."""
        if self.augmentation is None:
            return self
        inputs = augment(self.split.inputs, self.augmentation, generator)
        view = Split(inputs, self.split.labels, self.split.domains)
        return replace(self, split=view, originals=self.split)


def check(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse what no measure could give a meaningful number for.

    Raises:
        InputError: no data, no parameter that can be moved, a parameter or buffer that is not
            finite, or labels that are not classes.
    """
    if len(inputs) == 0 or len(inputs) != len(labels):
        raise InputError(
            f"the data set has {len(inputs)} inputs and {len(labels)} labels; it needs as many"
            " labels as inputs, and at least one"
        )
    if labels.dtype != torch.int64:
        raise InputError(f"labels are {labels.dtype}; they must be int64, numbers of classes")
    if not any(p.requires_grad for p in model.parameters()):
        raise InputError(
            f"{type(model).__name__} has no parameter that requires a gradient, so nothing can be"
            " moved; call model.requires_grad_()"
        )
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(
                f"{name}: holds NaN or infinite values, so there is no loss to measure; train the"
                " network again with a lower learning rate"
            )
    with torch.no_grad():
        check_labels(labels, model(in_dtype_of(model, inputs[:1])).shape[-1])


def check_labels(labels: torch.Tensor, classes: int) -> None:
    """Raise InputError unless there are labels and all lie between 0 and the classes - 1."""
    if len(labels) == 0:
        raise InputError("there are no labels; measure on at least one sample")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            f"labels run from {low} to {high}, but the network has {classes} logits;"
            f" they must lie between 0 and {classes - 1}"
        )
