"""Logits of a model over a data set."""

import torch
from torch import nn

from ..batches import in_batches
from ..training_losses import mean_loss


@torch.no_grad()
def predict(model: nn.Module, inputs: torch.Tensor, batch_size: int = 1024) -> torch.Tensor:
    """Return the logits [n, classes] of a model in evaluation mode.

    The model's mode is the same after the call as before. ``batch_size`` is the largest number of
    inputs that are computed at once.
    """
    training = model.training
    model.eval()
    try:
        return in_batches(
            lambda batches: torch.cat([model(batch) for (batch,) in batches]), (inputs,), batch_size
        )
    finally:
        model.train(training)


def loss_and_accuracy(
    logits: torch.Tensor, labels: torch.Tensor, loss: str = "cross_entropy"
) -> tuple[float, float]:
    """Return a mean loss (`training_losses`, in float64) and the share of right labels."""
    mean = mean_loss(loss, logits.double(), labels)
    accuracy = (logits.argmax(1) == labels).double().mean()
    return mean.item(), accuracy.item()
