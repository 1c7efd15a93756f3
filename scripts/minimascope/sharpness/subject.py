"""What sharpness is measured of: a network at a minimum, and its loss there."""

import copy
import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..data.augment import Augmentation, augment
from ..errors import InputError
from .objective import Objective


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
        model = copy.deepcopy(self.model).eval().to(getattr(torch, dtype))
        check(model, self.objective)
        check_loss(model, self.objective, self.objective.mean(model).item())
        return replace(self, model=model)

    def augmented(self, generator: torch.Generator) -> "Subject":
        """Return the same network on one augmented copy of the data, drawn once and kept."""
        if self.augmentation is None:
            return self
        samples = self.objective.samples
        view = replace(samples, inputs=augment(samples.inputs, self.augmentation, generator))
        return replace(self, objective=self.objective.of(view), originals=self.objective)


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
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(
                f"{name}: holds NaN or infinite values, so there is no loss to measure; train the"
                " network again with a lower learning rate"
            )
    with torch.no_grad():
        inputs, _ = objective.samples.first()
        objective.loss.check(objective.outputs(model, inputs), objective.samples.labels)


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
    if math.isfinite(objective.mean(copy.deepcopy(model).double()).item()):
        raise InputError(
            f"{fault}: a pass overflows; measure in float64 (dtype: float64, or model.double())"
        )
    raise InputError(
        f"{fault}, and it is not finite in float64, either; look for NaN and infinite values in the"
        " inputs, or train the network again with a lower learning rate"
    )
