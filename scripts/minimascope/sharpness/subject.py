"""What sharpness is measured of: a network at a minimum, and its loss there."""

import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..data.augment import Augmentation, augment
from ..errors import InputError
from .objective import Objective
from .probes import copy_in
from .stream import Stream


@dataclass(frozen=True)
class Subject:
    """A trained network with the loss that it was trained on.

    Attributes:
        model: in evaluation mode.
        objective: the loss over its training data, on the model's device.
        augmentation: with which the network was trained, or None.
        originals: the objective before augmentation, where ``objective`` has an augmented view.
        weight_decay: λ of the penalty λ/2 ‖θ‖² with which the network was trained.
    """

    model: nn.Module
    objective: Objective
    augmentation: Augmentation | None = None
    originals: Objective | None = None
    weight_decay: float = 0.0

    def in_dtype(self, dtype: str) -> "Subject":
        """Return a copy of the network in a floating type on the same data, after all checks."""
        check(self.model, self.objective)
        model = copy_in(self.model, self.objective, getattr(torch, dtype))
        if model is None:
            raise InputError(
                f"dtype: {type(self.model).__name__} does not run in {dtype}, since it makes"
                " tensors of a type of its own; use another"
            )
        check_loss(model, self.objective, self.objective.mean(model).item())
        return replace(self, model=model)

    def rows(self, rows: torch.Tensor) -> "Subject":
        """Return the same network on the samples of these row numbers [m] alone."""

        def part(objective: Objective) -> Objective:
            return objective.of(objective.samples.rows(rows.to(objective.samples.labels.device)))

        originals = self.originals and part(self.originals)
        return replace(self, objective=part(self.objective), originals=originals)

    def augmented(self, generator: torch.Generator) -> "Subject":
        """Return the same network on one augmented copy of the data, drawn once and kept."""
        if self.augmentation is None:
            return self
        view = augmented(self.objective, self.augmentation, generator)
        return replace(self, objective=view, originals=self.objective)


def augmented(
    objective: Objective, augmentation: Augmentation, generator: torch.Generator
) -> Objective:
    """Return the loss over one augmented copy of the samples.

    Raises:
        InputError: the samples are no images in memory.
    """
    samples = objective.samples
    if isinstance(samples, Stream) or not isinstance(samples.inputs, torch.Tensor):
        raise InputError(
            "augmentation: it needs the inputs as one tensor [n, channels, height, width]; leave it"
            " out, or give such a tensor"
        )
    view = augment(samples.inputs, augmentation, generator)
    return objective.of(replace(samples, inputs=view))


def check(model: nn.Module, objective: Objective) -> None:
    """Refuse what no measure could give a meaningful number for.

    Raises:
        InputError: no parameter that can be moved, a parameter or buffer that is not finite, or
            labels that are not such as the loss takes.
    """
    if not any(p.requires_grad for p in model.parameters()):
        raise InputError(
            f"{type(model).__name__} has no parameter that requires a gradient, so nothing can be"
            " moved; call model.requires_grad_()"
        )
    check_finite(model, objective)


def check_finite(model: nn.Module, objective: Objective) -> None:
    """Raise InputError for parameters or buffers that are not finite, or labels of another loss."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(
                f"{name}: holds NaN or infinite values, so there is no loss to measure; train the"
                " network again with a lower learning rate"
            )
    objective.check(model)


def check_loss(model: nn.Module, objective: Objective, loss: float) -> None:
    """Raise InputError unless the mean loss of a network, whose parameters are finite, is finite.

    Args:
        model: the network.
        objective: its loss.
        loss: its mean.
    """
    if math.isfinite(loss):
        return
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    fault = f"the mean loss is {loss} in {dtype}, although all parameters are finite"
    double = copy_in(model, objective, torch.float64)
    if double is not None and math.isfinite(objective.mean(double).item()):
        raise InputError(
            f"{fault}: a pass overflows; measure in float64 (dtype: float64, or model.double())"
        )
    raise InputError(
        f"{fault}, and it is not finite in float64, either; look for NaN and infinite values in the"
        " inputs, or train the network again with a lower learning rate"
    )
