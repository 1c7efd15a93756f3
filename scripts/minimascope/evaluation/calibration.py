"""Rows about the calibration of one model, and its error as the papers have it (torchmetrics)."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torchmetrics.functional.classification import multiclass_calibration_error

from ..measurement import Measurement
from .metrics import checked, expected_calibration_error, reliability_bins
from .predictions import Predictions


def expected_calibration_error_published(logits: ArrayLike, labels: ArrayLike, bins: int) -> float:
    """Return the calibration error as the papers have it: torchmetrics on float32 probabilities.

    It differs from `expected_calibration_error` by rounding and in one point: torchmetrics gives
    a confidence of exactly 1, to which the float32 softmax saturates, a bin of its own.
    """
    logits, labels = checked(logits, labels)
    probabilities = torch.from_numpy(logits.astype(np.float32)).softmax(dim=1)
    targets, classes = torch.from_numpy(labels.astype(np.int64)), logits.shape[1]
    error = multiclass_calibration_error(probabilities, targets, classes, n_bins=bins, norm="l1")
    return error.item()


def calibration_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return both expected calibration errors of a model, as rows of the table of measures."""
    errors = {
        ("test_ece", "corrected"): expected_calibration_error,
        ("test_ece_published", "published"): expected_calibration_error_published,
    }
    origin = predictions.run | {"family": "evaluation", "view": predictions.view}
    rows = []
    for (measure, protocol), error in errors.items():
        start = time.perf_counter()
        value = error(predictions.logits, predictions.labels, bins)
        measurement = Measurement(measure, value, "fraction", len(predictions.labels), protocol)
        seconds = time.perf_counter() - start
        rows.append({**origin, "seconds": seconds, **asdict(measurement)})
    return rows


def reliability_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return a row for each bin of a model's reliability diagram."""
    table = reliability_bins(predictions.logits, predictions.labels, bins)
    return [{**predictions.run, **row} for row in table.to_dict("records")]
