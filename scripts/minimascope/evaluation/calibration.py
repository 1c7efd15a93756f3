"""Rows about the calibration of one model."""

from typing import Any

from .metrics import (
    expected_calibration_error,
    expected_calibration_error_published,
    reliability_bins,
)
from .predictions import Predictions


def calibration_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return both expected calibration errors of a model, as rows of the table of measures."""
    values = {
        "corrected": ("test_ece", expected_calibration_error),
        "published": ("test_ece_published", expected_calibration_error_published),
    }
    return [
        {
            **predictions.run,
            "family": "evaluation",
            "measure": measure,
            "value": error(predictions.logits, predictions.labels, bins),
            "unit": "fraction",
            "protocol": protocol,
            "n": len(predictions.labels),
        }
        for protocol, (measure, error) in values.items()
    ]


def reliability_rows(predictions: Predictions, bins: int) -> list[dict[str, Any]]:
    """Return a row for each bin of a model's reliability diagram."""
    table = reliability_bins(predictions.logits, predictions.labels, bins)
    return [{**predictions.run, **row} for row in table.to_dict("records")]
