"""Ensembles on corrupted inputs: all members predict, and their probabilities are averaged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.corruptions.copies import CorruptedImages
from ..errors import InputError
from .ensembles import RESAMPLES, compared
from .predict import predict
from .robustness import mean_corruption_accuracy


@dataclass(frozen=True)
class CorruptedHits:
    """What an ensemble and its members get right.

    Attributes:
        shares: [1 + members, n], of each image, the share of corruptions and severities under
            which the ensemble (first) and each member is right.
        rows: a row (corruption, severity, accuracy of the ensemble as a fraction, n, origin) for
            each severity of each corruption.
    """

    shares: np.ndarray
    rows: Sequence[dict[str, Any]]


@torch.no_grad()
def corrupted_hits(
    models: Sequence[nn.Module], copies: Iterable[CorruptedImages], device: torch.device
) -> CorruptedHits:
    """Return where an ensemble and its members are right on corrupted copies of the same images.

    Args:
        models: the members, on the device.
        copies: one corruption after the other, each read only once.
        device: where to compute.

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
        for severity, images in corrupted.cells():
            hits = _hits(models, images.to(device), labels.to(device))
            total = total + hits
            cell = {"corruption": corrupted.corruption, "severity": severity}
            score = {"accuracy": hits[0].mean().item(), "n": len(labels)}
            rows.append({**cell, **score, "origin": corrupted.origin})
    return CorruptedHits((total / len(rows)).cpu().numpy(), rows)


def _hits(models: Sequence[nn.Module], images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = torch.stack([predict(model, images) for model in models])
    together = logits.double().softmax(dim=2).mean(dim=0)
    guesses = torch.cat([together.argmax(1)[None], logits.argmax(2)])
    return (guesses == labels).double()


def measure_corrupted(hits: CorruptedHits, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return corruption accuracy in percent, as columns of a row of `ensembles.ensemble_table`.

    The error of the gain is that of images, each counted with all of its corrupted copies.
    """
    named = mean_corruption_accuracy(hits.rows)
    values = 100 * hits.shares.mean(axis=1)
    row = compared(values, 100 * hits.shares[..., None], named.unit, True, resamples)
    return {"measure": named.measure, **row}
