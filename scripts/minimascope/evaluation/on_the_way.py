"""How well a network does on the test split at a moment of its training."""

from typing import Any

import torch

from ..measurement import Measured, Measurement
from .calibration import expected_calibration_error
from .metrics import SCORES
from .predict import predict


def measure(subject: Any, generator: torch.Generator, *, test: Any, ece_bins: int) -> Measured:
    """Return accuracy, negative log-likelihood, Brier score and calibration error.

    Args:
        subject: whose network is evaluated.
        generator: nothing is drawn.
        test: the loss over the test split.
        ece_bins: bins of confidence.
    """
    split = test.samples
    logits = predict(subject.model, split.inputs).cpu().numpy()
    labels, n = split.labels.cpu().numpy(), len(split)
    found = [
        Measurement(name, score(logits, labels), score.unit, n) for name, score in SCORES.items()
    ]
    ece = expected_calibration_error(logits, labels, ece_bins)
    return Measured([*found, Measurement("test_ece", ece, "fraction", n)])
