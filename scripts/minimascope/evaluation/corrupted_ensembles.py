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
from .robustness import mean_corruption_accuracy, severity_rows


@torch.no_grad()
def corrupted_hits(
    models: Sequence[nn.Module], copies: Iterable[CorruptedImages], device: torch.device
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return where an ensemble and its members are right on corrupted copies of the same images.

    Args:
        models: the members, on the device.
        copies: one corruption after the other, each read only once.
        device: where to compute.

    Returns:
        The share of corruptions and severities under which the ensemble (first) and each member
        is right, [1 + members, n]; and the rows of `corruption_accuracies` of the ensemble.

    Raises:
        InputError: the corruptions are not of the same images.
    """
    labels, total, rows = None, 0, []
    for corrupted in copies:
        if labels is not None and not torch.equal(labels, corrupted.labels):
            raise InputError(
                f"{corrupted.corruption}: corrupted copies of other images than the ones before;"
                " delete the corrupted sets and run again"
            )
        labels = corrupted.labels
        images = corrupted.images.to(device)
        guesses = _guesses(models, images.flatten(0, 1)).unflatten(1, images.shape[:2])
        hits = guesses == labels.to(device)
        total = total + hits.double().sum(1)
        rows += severity_rows(corrupted, hits[0])
    return (total / len(rows)).cpu().numpy(), rows


def _guesses(models: Sequence[nn.Module], images: torch.Tensor) -> torch.Tensor:
    """Return the classes that the ensemble (first) and each model see in images [n, …]."""
    together, guesses = 0, []
    for model in models:
        logits = predict(model, images)
        together = together + logits.double().softmax(1)
        guesses.append(logits.argmax(1))
    return torch.stack([together.argmax(1), *guesses])


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
