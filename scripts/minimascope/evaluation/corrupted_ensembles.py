"""Ensembles on corrupted inputs: all members predict, and their probabilities are averaged."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.corruptions.copies import CorruptedImages
from ..errors import InputError
from .ensembles import RESAMPLES, compared
from .predict import predict
from .robustness import mean_corruption_accuracy, severity_row


@torch.no_grad()
def corrupted_hits(
    models: Sequence[nn.Module], copies: Iterable[CorruptedImages], device: torch.device
) -> tuple[np.ndarray, list[list[dict[str, Any]]]]:
    """Return where an ensemble and its members are right on corrupted copies of the same images.

    Args:
        models: the members, on the device; one alone is its own ensemble.
        copies: one corruption after the other, each read only once.
        device: where to compute.

    Returns:
        The share of corruptions and severities under which the ensemble (first) and each member
        is right, [1 + members, n]; and for each of them a row (corruption,
        severity, accuracy as a fraction, n, origin) for each corruption and severity.

    Raises:
        InputError: the corruptions are not of the same images.
    """
    labels, total = None, torch.zeros(1 + len(models), 1, dtype=torch.float64, device=device)
    rows: list[list[dict[str, Any]]] = [[] for _ in range(1 + len(models))]
    for corrupted in copies:
        if labels is not None and not torch.equal(labels, corrupted.labels):
            raise InputError(
                f"{corrupted.corruption}: corrupted copies of other images than the ones before;"
                " delete the corrupted sets and run again"
            )
        labels = corrupted.labels
        for severity, images in corrupted.cells():
            hits = _hits(models, images.to(device), labels.to(device))
            total = total + hits
            for own, hit in zip(rows, hits, strict=True):
                own.append(severity_row(corrupted, severity, hit))
    return (total / max(1, len(rows[0]))).cpu().numpy(), rows


def _hits(models: Sequence[nn.Module], images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = torch.stack([predict(model, images) for model in models])
    together = logits.double().softmax(dim=2).mean(dim=0)
    guesses = torch.cat([together.argmax(1)[None], logits.argmax(2)])
    return (guesses == labels).double()


def measure_corrupted(
    shares: np.ndarray, rows: Sequence[dict[str, Any]], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Return corruption accuracy in percent, as columns of a row of `ensembles.ensemble_table`.

    The error of the gain is that of images, each counted with all of its corrupted copies. The
    arguments are what `corrupted_hits` returns.
    """
    named = mean_corruption_accuracy(rows)
    values = 100 * shares.mean(axis=1)
    row = compared(values, 100 * shares[..., None], named.unit, True, resamples)
    return {"measure": named.measure, **row}
