"""Rows about the calibration of one model."""

import time
from dataclasses import asdict
from typing import Any

from ..measurement import Measurement
from .metrics import expected_calibration_error, reliability_bins
from .predictions import Predictions
from .published_calibration import expected_calibration_error_published


def calibration_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return both expected calibration errors of a model, as rows of the table of measures."""
    errors = {
        ("test_ece", "corrected"): expected_calibration_error,
        ("test_ece_published", "published"): expected_calibration_error_published,
    }
    rows = []
    for (measure, protocol), error in errors.items():
        start = time.perf_counter()
        value = error(predictions.logits, predictions.labels, bins)
        measurement = Measurement(measure, value, "fraction", len(predictions.labels), protocol)
        seconds = time.perf_counter() - start
        origin = predictions.run | {
            "family": "evaluation",
            "view": predictions.view,
            "seconds": seconds,
        }
        rows.append(origin | asdict(measurement))
    return rows


def reliability_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return a row for each bin of a model's reliability diagram."""
    table = reliability_bins(predictions.logits, predictions.labels, bins)
    return [{**predictions.run, **row} for row in table.to_dict("records")]
