"""What the networks of a condition show on the test split, clean and corrupted: each, and all."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.augment import Augmentation, augment
from ..data.corruptions.copies import CorruptedCopies, with_originals
from ..data.other_sets import OtherSet
from ..data.prepared import Dataset
from ..devices import device_name, precision
from ..measurement import Measured, document
from ..networks import count_weight_layers
from ..seeding import generator
from .corrupted_ensembles import corrupted_hits
from .domains import domain_rows, measure_domains
from .predict import predict
from .predictions import Predicted, Predictions, measure_predictions
from .robustness import mean_corruption_accuracy


@dataclass(frozen=True)
class Member:
    """A network of a condition.

    Attributes:
        model: in evaluation mode, on the device where it is evaluated.
        run: data set, network, condition and seed.
        digest: of its weights.
        norm: what normalises its layers; None for a network that has no choice.
    """

    model: nn.Module
    run: Mapping[str, str]
    digest: str
    norm: str | None


def evaluate(
    members: Sequence[Member],
    dataset: Dataset,
    data_hash: str,
    copies: Iterable[CorruptedCopies],
    others: Iterable[OtherSet],
    augmentation: Augmentation | None,
    device: torch.device,
) -> tuple[list[tuple[Predictions, dict[str, Any]]], tuple[dict[str, Any], np.ndarray]]:
    """Return each network's predictions and document, and those of their ensemble on the copies.

    The ensemble is evaluated here, since each copy is then predicted once. What it predicts is kept
    as `corrupted_hits` returns it; what that shows, `ensembles` says.

    Args:
        members: the networks of the condition.
        dataset: whose test split is predicted.
        data_hash: its digest.
        copies: corrupted copies of it, one corruption after the other.
        others: further test sets of the data set, one after the other.
        augmentation: of the test images, drawn once for each seed; None for clean ones.
        device: where to compute.
    """
    start = time.perf_counter()
    with precision("fp32", device):
        inputs = with_originals(copies, dataset.test)
        models = [member.model for member in members]
        shares, rows = corrupted_hits(models, inputs, device)
        predicted = _predict_others(models, others, device)
    seconds = time.perf_counter() - start
    evaluated = []
    for member, corrupted, other in zip(members, rows[1:], predicted, strict=True):
        start = time.perf_counter() - seconds / len(members)
        predictions, measured = _evaluate_one(member, corrupted, dataset, augmentation, device)
        predictions = replace(predictions, others=other)
        content = document(
            "evaluation",
            measured,
            model=member.digest,
            data=data_hash,
            run=dict(member.run),
            view=predictions.view,
            device=device_name(device),
            seconds=time.perf_counter() - start,
        )
        if corrupted:
            # Copies are taken as they are, also where the test images are augmented.
            mean = asdict(mean_corruption_accuracy(corrupted))
            content["measures"].append(mean | {"view": "clean"})
        evaluated.append((predictions, content))
    together = {
        "run": {key: value for key, value in members[0].run.items() if key != "seed"},
        "models": [member.digest for member in members],
        "device": device_name(device),
        "seconds": seconds,
        "corruptions": rows[0],
    }
    return evaluated, (together, shares)


def _predict_others(
    models: Sequence[nn.Module], others: Iterable[OtherSet], device: torch.device
) -> list[dict[str, Predicted]]:
    """Return what each model says of each further test set, which is read only once."""
    found: list[dict[str, Predicted]] = [{} for _ in models]
    for other in others:
        inputs = other.inputs.to(device)
        for own, model in zip(found, models, strict=True):
            logits = predict(model, inputs).cpu().numpy()
            own[f"{other.kind}/{other.name}"] = Predicted(logits, other.labels.numpy())
    return found


def _evaluate_one(
    member: Member,
    corrupted: Sequence[dict[str, Any]],
    dataset: Dataset,
    augmentation: Augmentation | None,
    device: torch.device,
) -> tuple[Predictions, Measured]:
    """Return a network's predictions of the test split, and what they show."""
    inputs = dataset.test.inputs.to(device)
    if augmentation:
        draws = generator(int(member.run["seed"]), "augmented test images", device=device)
        inputs = augment(inputs, augmentation, draws)
    with precision("fp32", device):
        logits = predict(member.model, inputs).cpu()
    view = "augmented" if augmentation else "clean"
    predictions = Predictions(dict(member.run), logits.numpy(), dataset.test.labels.numpy(), view)
    domains = domain_rows(predictions.logits, dataset)
    measurements = measure_predictions(predictions) + measure_domains(domains)
    size = {
        "norm": member.norm,
        "parameters": sum(each.numel() for each in member.model.parameters()),
        "weight_layers": count_weight_layers(member.model),
    }
    details = {"corruptions": corrupted, "domains": domains, "network": size}
    return predictions, Measured(measurements, details)
