"""The loss that sharpness is about: mean cross-entropy in evaluation mode, summed in float64."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ..batches import Batches, in_batches

BATCH_SIZE = 1024


@torch.no_grad()
def sample_losses(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int = BATCH_SIZE
) -> torch.Tensor:
    """Return the cross-entropy of each sample, [n] in float64.

    Args:
        model: its floating type is that in which logits are computed; inputs of another floating
            type are converted to it.
        inputs: [n, …].
        labels: [n].
        batch_size: the largest number of inputs that are computed at once.
    """
    return in_batches(
        lambda batches: torch.cat([cross_entropy(model, *batch, "none") for batch in batches]),
        (inputs, labels),
        batch_size,
    )


def mean_loss(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int = BATCH_SIZE
) -> torch.Tensor:
    """Return the mean of `sample_losses` as a float64 scalar tensor."""
    return sample_losses(model, inputs, labels, batch_size).mean()


@torch.enable_grad()
def loss_and_gradient(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int = BATCH_SIZE
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """Return the mean loss, a float64 scalar, and its gradient, a tensor for each parameter.

    Parameters with ``requires_grad`` off are left out; for the arguments see `sample_losses`.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]

    def total(batches: Batches) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        loss = torch.zeros((), dtype=torch.float64, device=labels.device)
        gradient = [torch.zeros_like(p) for p in parameters]
        for batch in batches:
            part = cross_entropy(model, *batch) / len(labels)
            found = torch.autograd.grad(part, parameters, materialize_grads=True)
            torch._foreach_add_(gradient, found)
            loss += part.detach()
        return loss, gradient

    return in_batches(total, (inputs, labels), batch_size)


def cross_entropy(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, reduction: str = "sum"
) -> torch.Tensor:
    """Return the cross-entropy of a batch in float64, with its autograd graph."""
    logits = model(in_dtype_of(model, inputs))
    return F.cross_entropy(logits.double(), labels, reduction=reduction)


def in_dtype_of(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return inputs in the floating type of a network; integers, as of images, stay."""
    return inputs.to(next(model.parameters()).dtype) if inputs.is_floating_point() else inputs
