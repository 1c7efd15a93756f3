"""Rows about the calibration of one model, and its error as the papers have it."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ..measurement import Measurement
from .metrics import check_bins, checked, expected_calibration_error, reliability_bins
from .predictions import Predictions


def expected_calibration_error_published(logits: ArrayLike, labels: ArrayLike, bins: int) -> float:
    """Return the calibration error as the papers have it, which is that of torchmetrics 1.9.

    It differs from `expected_calibration_error` in two points: probabilities are those of float32,
    and a confidence of exactly 1, to which their softmax saturates, has a bin of its own.
    """
    logits, labels = checked(logits, labels)
    check_bins(bins)
    probabilities = special.softmax(logits.astype(np.float32), axis=1)
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, bins + 1, dtype=np.float32)
    index = np.searchsorted(edges, confidence, side="right") - 1
    correct = probabilities.argmax(axis=1) == labels
    excess = np.bincount(index, weights=correct - confidence)
    return float(np.abs(excess).sum() / len(labels))


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
    found = reliability_bins(predictions.logits, predictions.labels, bins)
    rows = zip(*found.values(), strict=True)
    return [predictions.run | dict(zip(found, row, strict=True)) for row in rows]
