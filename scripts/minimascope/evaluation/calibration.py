"""Rows about the calibration of one model, and its error as the papers have it."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from ..measurement import Measurement
from .metrics import SCORES, binned, check_bins, checked, edges, expected_calibration_error
from .predictions import Predictions
from .selective import area_under_risk_coverage, risk_coverage
from .temperature import cross_scaled


def expected_calibration_error_published(logits: ArrayLike, labels: ArrayLike, bins: int) -> float:
    """Return the calibration error as the papers have it, which is that of torchmetrics 1.9.

    It differs from `expected_calibration_error` in two points: probabilities are those of float32,
    and a confidence of exactly 1, to which their softmax saturates, has a bin of its own.
    """
    logits, labels = checked(logits, labels)
    check_bins(bins)
    probabilities = special.softmax(logits.astype(np.float32), axis=1)
    confidence = probabilities.max(axis=1)
    limits = np.linspace(0, 1, bins + 1, dtype=np.float32)
    index = np.searchsorted(limits, confidence, side="right") - 1
    correct = probabilities.argmax(axis=1) == labels
    excess = np.bincount(index, weights=correct - confidence)
    return float(np.abs(excess).sum() / len(labels))


def reliability_bins(logits: ArrayLike, labels: ArrayLike, bins: int) -> pd.DataFrame:
    """Return how often samples of about the same confidence are right: a reliability diagram.

    Returns:
        A row per bin, with columns ``bin_lower``, ``bin_upper`` (equal-width bins
        [lower, upper) over [0, 1], the last one closed), ``count`` (samples), ``confidence``
        and ``accuracy`` (means over the samples of the bin, NaN where there is none).
    """
    counts, confidences, correct = binned(logits, labels, bins)
    limits = edges(bins)
    filled = np.where(counts > 0, counts, np.nan)
    return pd.DataFrame(
        {
            "bin_lower": limits[:-1],
            "bin_upper": limits[1:],
            "count": counts,
            "confidence": confidences / filled,
            "accuracy": correct / filled,
        }
    )


def calibration_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return what a model's confidence is worth, as rows of the table of measures.

    Both expected calibration errors, those of `scaled_measurements`, and the area under the
    risk–coverage curve.
    """
    errors = {
        ("test_ece", "corrected"): expected_calibration_error,
        ("test_ece_published", "published"): expected_calibration_error_published,
    }
    rows = []
    for (measure, protocol), error in errors.items():
        start = time.perf_counter()
        value = error(predictions.logits, predictions.labels, bins)
        measurement = Measurement(measure, value, "fraction", len(predictions.labels), protocol)
        rows += measure_rows(predictions, [measurement], time.perf_counter() - start)
    start = time.perf_counter()
    measured = [*scaled_measurements(predictions, bins), area_measurement(predictions)]
    return rows + measure_rows(predictions, measured, time.perf_counter() - start)


def measure_rows(
    predictions: Predictions, measurements: Sequence[Measurement], seconds: float
) -> list[dict[str, Any]]:
    """Return measurements of a model's predictions, as rows of the table of measures."""
    origin = predictions.run | {"family": "evaluation", "view": predictions.view}
    return [{**origin, "seconds": seconds, **asdict(each)} for each in measurements]


def scaled_measurements(predictions: Predictions, bins: int) -> list[Measurement]:
    """Return the temperature of a model, and what scaling by it leaves of ECE and NLL.

    Each half of the test split is scaled by the temperature of the other one
    (`temperature.cross_scaled`), so that both errors are of the same samples as those before.
    """
    n = len(predictions.labels)
    scaled = cross_scaled(predictions.logits, predictions.labels)
    data = scaled.logits, predictions.labels
    values = [
        ("temperature", scaled.temperature, "1"),
        ("test_ece_scaled", expected_calibration_error(*data, bins), "fraction"),
        ("test_nll_scaled", SCORES["test_nll"](*data), "nats"),
    ]
    return [
        Measurement(name, value, unit, n, converged=scaled.converged)
        for name, value, unit in values
    ]


def area_measurement(predictions: Predictions) -> Measurement:
    """Return the area under a model's risk–coverage curve."""
    area = area_under_risk_coverage(predictions.logits, predictions.labels)
    return Measurement("aurc", area, "fraction", len(predictions.labels))


def risk_coverage_rows(predictions: Predictions) -> list[dict[str, Any]]:
    """Return a row for each coverage of a model's risk–coverage curve."""
    curve = risk_coverage(predictions.logits, predictions.labels)
    return [{**predictions.run, **row} for row in curve]


def reliability_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return a row for each bin of a model's reliability diagram."""
    table = reliability_bins(predictions.logits, predictions.labels, bins)
    return [{**predictions.run, **row} for row in table.to_dict("records")]
