"""How right and how well calibrated a classifier is, from its logits [n, classes] and labels [n].

Everything is computed in float64, whatever precision the logits come in. Bad shapes, labels and
bins raise `InputError`.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from ..errors import InputError


def checked_logits(logits: ArrayLike, name: str = "logits") -> np.ndarray:
    """Return logits [n, classes] in float64.

    Raises:
        InputError: if the shape is another, there is no sample or fewer than two classes, or a
            logit is not finite. ``name`` is what the message calls the array.
    """
    array = np.asarray(logits, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise InputError(
            f"{name}: shape {list(array.shape)}; give [n, classes] with a sample and two classes"
        )
    if not np.isfinite(array).all():
        samples = int((~np.isfinite(array)).any(axis=1).sum())
        raise InputError(f"{name}: not finite in {samples} samples; train the model anew")
    return array


def checked_labels(
    labels: ArrayLike, samples: int | None = None, classes: int | None = None, name: str = "labels"
) -> np.ndarray:
    """Return labels [n] as integers.

    Raises:
        InputError: if they are not a row of integers, or not as many as ``samples``, or outside
            0 … ``classes`` - 1 where these are given. ``name`` is what the message calls them.
    """
    array = np.asarray(labels)
    if array.ndim != 1 or array.size < 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{name}: {array.dtype} of shape {list(array.shape)}; give one integer per sample"
        )
    if samples is not None and len(array) != samples:
        raise InputError(f"{name}: {len(array)} for {samples} samples; give one per sample")
    if classes is not None and not (array.min() >= 0 and array.max() < classes):
        raise InputError(
            f"{name}: {array.min()} to {array.max()} with {classes} classes;"
            f" give 0 to {classes - 1}"
        )
    return array


def check_bins(bins: int) -> None:
    """Raise InputError unless this is a number of bins."""
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise InputError(f"bins: {bins!r}; give a whole number from 1")


def softmax(logits: ArrayLike) -> np.ndarray:
    """Return the probabilities [n, classes] that belong to logits [n, classes]."""
    return special.softmax(checked_logits(logits), axis=1)


def accuracy(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of samples whose largest logit (the first of equals) is their label's."""
    logits, labels = _checked(logits, labels)
    return float((logits.argmax(axis=1) == labels).mean())


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean over samples of -ln p(label), in nats: the cross-entropy."""
    logits, labels = _checked(logits, labels)
    log_probabilities = special.log_softmax(logits, axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def brier_score(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the Brier score: squared error of the probabilities as forecasts of the label.

    Brier's own form (1950), for any number of classes: the sum over classes of the squared
    difference between the probability and the one-hot label, mean over samples; from 0 to 2.
    """
    logits, labels = _checked(logits, labels)
    errors = special.softmax(logits, axis=1)
    errors[np.arange(len(labels)), labels] -= 1
    return float((errors**2).sum(axis=1).mean())


def expected_calibration_error(logits: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error (Guo et al. 2017, eq. 3), from 0 to 1.

    The confidence of a sample is its largest probability. With equal-width bins of confidence
    as in `reliability_bins`, the error is the mean over samples of |accuracy - confidence| of
    their bin (L1).
    """
    counts, confidences, correct = _binned(logits, labels, bins)
    return float(np.abs(correct - confidences).sum() / counts.sum())


def reliability_bins(logits: ArrayLike, labels: ArrayLike, bins: int = 15) -> pd.DataFrame:
    """Return how often samples of about the same confidence are right: a reliability diagram.

    Returns:
        A row per bin, with columns ``bin_lower``, ``bin_upper`` (equal-width bins
        [lower, upper) over [0, 1], the last one closed), ``count`` (samples), ``confidence``
        and ``accuracy`` (means over the samples of the bin, NaN where there is none).
    """
    counts, confidences, correct = _binned(logits, labels, bins)
    edges = _edges(bins)
    filled = np.where(counts > 0, counts, np.nan)
    return pd.DataFrame(
        {
            "bin_lower": edges[:-1],
            "bin_upper": edges[1:],
            "count": counts,
            "confidence": confidences / filled,
            "accuracy": correct / filled,
        }
    )


def calibration_of_samples(
    logits: ArrayLike, labels: ArrayLike, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each sample the number of its bin, its confidence and whether it is right."""
    logits, labels = _checked(logits, labels)
    check_bins(bins)
    confidence = special.softmax(logits, axis=1).max(axis=1)
    index = np.searchsorted(_edges(bins), confidence, side="right") - 1
    return np.minimum(index, bins - 1), confidence, logits.argmax(axis=1) == labels


def _binned(
    logits: ArrayLike, labels: ArrayLike, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each bin the samples, the sum of their confidences and those that are right."""
    index, confidence, correct = calibration_of_samples(logits, labels, bins)
    return (
        np.bincount(index, minlength=bins),
        np.bincount(index, weights=confidence, minlength=bins),
        np.bincount(index, weights=correct, minlength=bins),
    )


def _edges(bins: int) -> np.ndarray:
    # Not linspace: 1/3 of equal logits has to be the very number that 5/15 is.
    return np.arange(bins + 1) / bins


def _checked(logits: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    logits = checked_logits(logits)
    return logits, checked_labels(labels, *logits.shape)
