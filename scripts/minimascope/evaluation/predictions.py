"""Predictions of one model on the test split, as kept in a file."""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..measurement import Measurement
from ..tensors import load_tensors, save_tensors
from .metrics import accuracy, brier_score, negative_log_likelihood


@dataclass(frozen=True)
class Predictions:
    """What a model says and what is right.

    Attributes:
        run: data set, network, condition and seed of the model.
        logits: [n, classes].
        labels: [n].
        view: of the test split, ``clean`` or ``augmented``.
    """

    run: dict[str, str]
    logits: np.ndarray
    labels: np.ndarray
    view: str = "clean"


def save_predictions(path: str | PathLike, predictions: Predictions, **metadata: Any) -> None:
    """Write predictions as safetensors."""
    tensors = {
        "logits": torch.from_numpy(predictions.logits),
        "labels": torch.from_numpy(predictions.labels),
    }
    save_tensors(path, tensors, run=predictions.run, view=predictions.view, **metadata)


def load_predictions(path: str | PathLike) -> Predictions:
    """Read what `save_predictions` wrote; raise InputError if that is not what the file holds."""
    tensors, metadata = load_tensors(path)
    if "logits" not in tensors:
        raise InputError(f"{path}: holds no predictions; delete it and run again")
    arrays = tensors["logits"].numpy(), tensors["labels"].numpy()
    return Predictions(metadata["run"], *arrays, metadata["view"])


def measure_predictions(predictions: Predictions) -> list[Measurement]:
    """Return accuracy, negative log-likelihood and Brier score on the test split."""
    data = predictions.logits, predictions.labels
    n = len(predictions.labels)
    return [
        Measurement("test_accuracy", accuracy(*data), "fraction", n),
        Measurement("test_nll", negative_log_likelihood(*data), "nats", n),
        Measurement("test_brier", brier_score(*data), "1", n),
    ]
