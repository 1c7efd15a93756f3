"""Logits of a model over a data set."""

import torch
import torch.nn.functional as F
from torch import nn

from ..batches import in_batches


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


def loss_and_accuracy(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy (nats, summed in float64) and the share of right labels."""
    loss = F.cross_entropy(logits.double(), labels)
    accuracy = (logits.argmax(1) == labels).double().mean()
    return loss.item(), accuracy.item()
