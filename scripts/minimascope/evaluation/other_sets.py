"""What predictions of further test sets show: shifted ones, and those of unseen classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.other_kinds import SHIFTED, UNSEEN
from ..measurement import Measurement
from .familiarity import FAMILIARITY, separation
from .metrics import SCORES, expected_calibration_error, hits
from .predictions import Predictions

Row = dict[str, Any]
# The score of the measures of unseen classes; the table has the others, too.
USUAL_SCORE = "maximum_probability"


def shifted_rows(predictions: Predictions, bins: int) -> list[Row]:
    """Return how right and how well calibrated a model is on each shifted set.

    Returns:
        Rows with ``set``, ``accuracy`` and ``ece`` (fractions), ``nll`` (nats), ``n`` samples and
        their number of ``classes``; and ``clean_accuracy`` on the ``clean_n`` samples of the test
        split that are of these classes.
    """
    rows = []
    for name, other in predictions.of_kind(SHIFTED).items():
        classes = np.unique(other.labels)
        clean = np.isin(predictions.labels, classes)
        data = other.logits, other.labels
        own = hits(predictions.logits, predictions.labels)[clean]
        rows.append(
            {
                "set": name,
                "accuracy": SCORES["test_accuracy"](*data),
                "ece": expected_calibration_error(*data, bins),
                "nll": SCORES["test_nll"](*data),
                "n": len(other.labels),
                "classes": len(classes),
                "clean_accuracy": float(own.mean()) if len(own) else np.nan,
                "clean_n": len(own),
            }
        )
    return rows


def unseen_rows(predictions: Predictions) -> list[Row]:
    """Return how well each score tells the test split from each set of unseen classes.

    Returns:
        Rows with ``set``, ``score`` (`familiarity.FAMILIARITY`), what `familiarity.separation`
        returns, and the numbers ``n`` of test samples, which are the positive ones, and
        ``n_unseen``.
    """
    rows = []
    for name, other in predictions.of_kind(UNSEEN).items():
        numbers = {"n": len(predictions.labels), "n_unseen": len(other.labels)}
        for score, of in FAMILIARITY.items():
            found = separation(of(predictions.logits), of(other.logits))
            rows.append({"set": name, "score": score, **found, **numbers})
    return rows


def measure_other_sets(shifted: Sequence[Row], unseen: Sequence[Row]) -> list[Measurement]:
    """Return the means over sets, each counting the same whatever its number of samples.

    Args:
        shifted: of one model, see `shifted_rows`.
        unseen: likewise, see `unseen_rows`; those of `USUAL_SCORE` count.
    """
    unseen = [row for row in unseen if row["score"] == USUAL_SCORE]
    wanted = [("shifted_accuracy", shifted, "accuracy", "fraction", "n")]
    wanted += [("shifted_ece", shifted, "ece", "fraction", "n")]
    wanted += [("shifted_nll", shifted, "nll", "nats", "n")]
    wanted += [("unseen_auroc", unseen, "auroc", "fraction", "n_unseen")]
    wanted += [("unseen_fpr95", unseen, "fpr95", "fraction", "n_unseen")]
    return [
        Measurement(name, float(np.mean([row[key] for row in rows])), unit, sum_of(rows, count))
        for name, rows, key, unit, count in wanted
        if rows
    ]


def sum_of(rows: Sequence[Row], key: str) -> int:
    """Return the sum of a number over rows."""
    return sum(row[key] for row in rows)
