"""The papers' calibration error, by torchmetrics."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torchmetrics.functional.classification import multiclass_calibration_error

from .metrics import check_bins, checked_labels, checked_logits


def expected_calibration_error_published(
    logits: ArrayLike, labels: ArrayLike, bins: int = 15
) -> float:
    """Return the calibration error as the papers have it: torchmetrics on float32 probabilities.

    It differs from `expected_calibration_error` by rounding and in one point: torchmetrics gives
    a confidence of exactly 1, to which the float32 softmax saturates, a bin of its own.
    """
    logits = checked_logits(logits)
    labels = checked_labels(labels, *logits.shape)
    check_bins(bins)
    probabilities = torch.from_numpy(logits.astype(np.float32)).softmax(dim=1)
    error = multiclass_calibration_error(
        probabilities,
        torch.from_numpy(labels.astype(np.int64)),
        num_classes=logits.shape[1],
        n_bins=int(bins),
        norm="l1",
    )
    return error.item()
