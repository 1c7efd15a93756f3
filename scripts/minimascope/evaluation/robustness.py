"""Robustness to corrupted inputs (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..data.corruptions.copies import CorruptedImages
from ..measurement import Measurement
from .predict import predict


def corruption_accuracies(
    model: nn.Module, corrupted: CorruptedImages, device: torch.device
) -> list[dict[str, Any]]:
    """Return a row (corruption, severity, accuracy as a fraction, n, origin) for each severity."""
    images, labels = corrupted.images.to(device), corrupted.labels.to(device)
    # All severities in one pass, since many small ones take longer.
    guesses = predict(model, images.flatten(0, 1)).argmax(1)
    return severity_rows(corrupted, guesses.view(images.shape[:2]) == labels)


def severity_rows(corrupted: CorruptedImages, hits: torch.Tensor) -> list[dict[str, Any]]:
    """Return such rows from which images are predicted right, [severities, n]."""
    accuracies = hits.double().mean(1).tolist()
    return [
        {
            "corruption": corrupted.corruption,
            "severity": severity,
            "accuracy": accuracy,
            "n": hits.shape[1],
            "origin": corrupted.origin,
        }
        for severity, accuracy in zip(corrupted.severities, accuracies, strict=True)
    ]


def mean_corruption_accuracy(rows: Sequence[dict[str, Any]]) -> Measurement:
    """Return the mean over all corruptions and severities, in percent.

    It has a name of its own where the corruptions are generated: only published sets can be
    compared with other work. All copies are of the same images, which are counted once.
    """
    generated = any(row["origin"] == "generated" for row in rows)
    name = "corruption_accuracy_generated" if generated else "corruption_accuracy"
    mean = sum(row["accuracy"] for row in rows) / len(rows)
    return Measurement(name, 100 * mean, "percent", rows[0]["n"])
