"""What one model alone can show on the test split, clean and corrupted."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from ..data.augment import Augmentation, augment
from ..data.corruptions.copies import CorruptedImages
from ..data.prepared import Dataset
from ..devices import device_name, precision
from ..measurement import Measured, document
from ..seeding import generator
from .domains import domain_rows, measure_domains
from .predict import predict
from .predictions import Predictions, measure_predictions
from .robustness import corruption_accuracies, mean_corruption_accuracy


def evaluate(
    model: nn.Module,
    dataset: Dataset,
    copies: Iterable[CorruptedImages],
    run: Mapping[str, str],
    augmentation: Augmentation | None,
    device: torch.device,
    origin: Mapping[str, str],
) -> tuple[Predictions, dict[str, Any]]:
    """Return a model's predictions of the test split, and the JSON document of what they show.

    Args:
        model: in evaluation mode, on the device.
        dataset: whose test split is predicted.
        copies: corrupted copies of it, one corruption after the other.
        run: data set, network, condition and seed of the model.
        augmentation: of the test images, drawn once for the seed; None for clean ones.
        device: where to compute.
        origin: hashes of the model and the data, for the document.
    """
    start = time.perf_counter()
    inputs, corrupted = dataset.test.inputs.to(device), []
    if augmentation:
        draws = generator(int(run["seed"]), "augmented test images", device=device)
        inputs = augment(inputs, augmentation, draws)
    with precision("fp32", device):
        logits = predict(model, inputs).cpu()
        for copy in copies:
            corrupted += corruption_accuracies(model, copy, device)
    view = "augmented" if augmentation else "clean"
    predictions = Predictions(dict(run), logits.numpy(), dataset.test.labels.numpy(), view)
    domains = domain_rows(predictions.logits, dataset)
    measurements = measure_predictions(predictions) + measure_domains(domains)
    content = document(
        "evaluation",
        Measured(measurements, {"corruptions": corrupted, "domains": domains}),
        **origin,
        run=dict(run),
        view=view,
        device=device_name(device),
        seconds=time.perf_counter() - start,
    )
    if corrupted:
        # Copies are taken as they are, also where the test images are augmented.
        mean = asdict(mean_corruption_accuracy(corrupted))
        content["measures"].append(mean | {"view": "clean"})
    return predictions, content
