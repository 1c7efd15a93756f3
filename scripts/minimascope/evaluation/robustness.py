"""Robustness to corrupted inputs (Hendrycks & Dietterich 2019, arXiv:1903.12261)."""

from collections.abc import Sequence
from typing import Any

from ..measurement import Measurement


def mean_corruption_accuracy(rows: Sequence[dict[str, Any]]) -> Measurement:
    """Return the mean over all corruptions and severities, in percent.

    It has a name of its own where the corruptions are generated: only published sets can be
    compared with other work. All copies are of the same inputs, which are counted once;
    rows of severity 0 are of these without corruption, and do not count.
    """
    rows = [row for row in rows if row["severity"]]
    generated = any(row["origin"] == "generated" for row in rows)
    name = "corruption_accuracy_generated" if generated else "corruption_accuracy"
    mean = sum(row["accuracy"] for row in rows) / len(rows)
    return Measurement(name, 100 * mean, "percent", rows[0]["n"])
