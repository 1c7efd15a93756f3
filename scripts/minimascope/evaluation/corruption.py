"""Robustness to corrupted inputs (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..data.corrupted import CorruptedImages
from ..measurement import Measurement
from ..progress import progress
from .predict import predict


def corruption_accuracies(
    model: nn.Module, corrupted: CorruptedImages, device: torch.device
) -> list[dict[str, Any]]:
    """Return a row (corruption, severity, accuracy as a fraction, n) for each corrupted copy."""
    labels = corrupted.labels.to(device)
    rows = []
    for name, severity, images in progress(list(corrupted.cells()), "corruptions", "copy"):
        hits = predict(model, images.to(device)).argmax(1) == labels
        rows.append(
            {
                "corruption": name,
                "severity": severity,
                "accuracy": hits.double().mean().item(),
                "n": len(labels),
            }
        )
    return rows


def mean_corruption_accuracy(rows: Sequence[dict[str, Any]]) -> Measurement:
    """Return the mean over all corruptions and severities, in percent."""
    mean = sum(row["accuracy"] for row in rows) / len(rows)
    return Measurement("corruption_accuracy", 100 * mean, "percent", sum(row["n"] for row in rows))
