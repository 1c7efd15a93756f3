"""Networks and their ensembles on corrupted inputs; each copy is predicted once for all of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.corruptions.copies import CorruptedCopies
from ..errors import InputError
from .predict import predict


@torch.no_grad()
def corrupted_hits(
    models: Sequence[nn.Module],
    copies: Iterable[CorruptedCopies],
    device: torch.device,
    ensembles: Sequence[Sequence[int]] | None = None,
) -> tuple[np.ndarray, list[list[dict[str, Any]]]]:
    """Return where ensembles and their members are right on corrupted copies of the same inputs.

    Args:
        models: the members, on the device; one alone is its own ensemble.
        copies: one corruption after the other, each read only once; those of severity 0 are
            without corruption.
        device: where to compute.
        ensembles: the models of each by their place; None for one of all.

    Returns:
        The share of corruptions and severities from 1 under which each ensemble and then each model
        is right, [ensembles + models, n]; and for each of them a row (corruption, severity,
        accuracy as a fraction, n, origin) for each corruption and severity.

    Raises:
        InputError: the corruptions are not of the same inputs.
    """
    groups = [range(len(models))] if ensembles is None else ensembles
    every = len(groups) + len(models)
    labels, counted = None, 0
    total = torch.zeros(every, 1, dtype=torch.float64, device=device)
    rows: list[list[dict[str, Any]]] = [[] for _ in range(every)]
    for corrupted in copies:
        if labels is not None and not torch.equal(labels, corrupted.labels):
            raise InputError(
                f"{corrupted.corruption}: corrupted copies of other inputs than the ones before;"
                " delete the corrupted sets and run again"
            )
        labels = corrupted.labels
        for severity, inputs in zip(corrupted.severities, corrupted.inputs, strict=True):
            hits = _guesses(models, groups, inputs.to(device)) == labels.to(device)
            if severity:
                total, counted = total + hits.double(), counted + 1
            for own, hit in zip(rows, hits, strict=True):
                own.append(_severity_row(corrupted, severity, hit))
    return (total / max(1, counted)).cpu().numpy(), rows


def _guesses(
    models: Sequence[nn.Module], groups: Sequence[Sequence[int]], inputs: torch.Tensor
) -> torch.Tensor:
    """Return the classes that each ensemble and then each model sees in inputs [n, …]."""
    logits = [predict(model, inputs) for model in models]
    probabilities = [each.double().softmax(1) for each in logits]
    together = [sum(probabilities[model] for model in group) for group in groups]
    return torch.stack([each.argmax(1) for each in (*together, *logits)])


def _severity_row(corrupted: CorruptedCopies, severity: int, hits: torch.Tensor) -> dict[str, Any]:
    """Return such a row from which of the inputs [n] are predicted right."""
    cell = {"corruption": corrupted.corruption, "severity": severity}
    score = {"accuracy": hits.double().mean().item(), "n": len(hits)}
    return {**cell, **score, "origin": corrupted.origin}
