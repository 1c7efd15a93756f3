"""What a training minimises: the mean over a batch of a loss of classes, by name."""

import torch
import torch.nn.functional as F


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return the mean of −Σ_c t_c ln p_c in nats, p being the softmax of the logits."""
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def squared_error(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return the mean of ½‖z − t‖², z being the outputs (`sharpness.losses.SquaredError`)."""
    classes = logits.shape[1]
    targets = F.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return (logits - targets).square().sum(1).mean() / 2


TRAINING_LOSSES = {"cross_entropy": cross_entropy, "squared_error": squared_error}


def mean_loss(
    name: str, logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Return the mean loss of a batch, with its autograd graph.

    Args:
        name: of `TRAINING_LOSSES`.
        logits: outputs [n, C].
        labels: numbers of classes [n].
        label_smoothing: share s of the target spread evenly: t is s/C, and 1 − s more for the
            label.
    """
    return TRAINING_LOSSES[name](logits, labels, label_smoothing)
