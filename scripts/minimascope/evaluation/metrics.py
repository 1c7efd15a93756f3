"""How right and how well calibrated a classifier is, from its logits [n, classes] and labels [n].

Everything is computed in float64, whatever the logits' precision. Bad shapes, labels and
bins raise `InputError`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ..errors import InputError


def checked_logits(logits: ArrayLike) -> np.ndarray:
    """Return logits [n, classes] in float64.

    Raises:
        InputError: the shape is another, there is no sample or fewer than two classes, or a logit
            is not finite.
    """
    array = np.asarray(logits, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise InputError(
            f"logits: shape {list(array.shape)}; give [n, classes] with a sample and two classes"
        )
    if not np.isfinite(array).all():
        samples = int((~np.isfinite(array)).any(axis=1).sum())
        raise InputError(f"logits: not finite in {samples} samples; train the model again")
    return array


def checked(logits: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return logits [n, classes] in float64 and labels [n] as integers.

    Raises:
        InputError: see `checked_logits`; or the labels are not one integer of 0 … classes - 1 for
            each sample.
    """
    logits, array = checked_logits(logits), np.asarray(labels)
    samples, classes = logits.shape
    if array.shape != (samples,) or array.dtype.kind not in "iu":
        raise InputError(
            f"labels: {array.dtype} of shape {list(array.shape)} for {samples} samples;"
            " give one integer per sample"
        )
    if array.min() < 0 or array.max() >= classes:
        raise InputError(
            f"labels: {array.min()} to {array.max()} with {classes} classes;"
            f" give 0 to {classes - 1}"
        )
    return logits, array


def probabilities(logits: ArrayLike) -> np.ndarray:
    """Return the probabilities [n, classes] that belong to logits [n, classes]."""
    return special.softmax(checked_logits(logits), axis=1)


def log_confidence(logits: ArrayLike) -> np.ndarray:
    """Return the logarithm of the largest probability, [n], exact where that is all but 1.

    That is -log(1 + Σ exp(z_j - z_max)) over the other classes: probabilities of 1 - 1e-20 and
    1 - 1e-30 stay apart.
    """
    logits = checked_logits(logits)
    others = np.partition(logits, -1)[:, :-1] - logits.max(axis=1, keepdims=True)
    return -np.log1p(np.exp(others).sum(axis=1))


def hits(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return 1 for each sample whose largest logit (the first of equals) is its label's, else 0."""
    logits, labels = checked(logits, labels)
    return (logits.argmax(axis=1) == labels).astype(np.float64)


def losses(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return -ln p(label) of each sample, in nats: the cross-entropy."""
    logits, labels = checked(logits, labels)
    return -special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels]


def squared_errors(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return the squared error of each sample's probabilities as a forecast of its label.

    Brier's own form (1950), for any number of classes: the sum over classes of the squared
    difference between the probability and the one-hot label, from 0 to 2.
    """
    logits, labels = checked(logits, labels)
    errors = special.softmax(logits, axis=1)
    errors[np.arange(len(labels)), labels] -= 1
    return (errors**2).sum(axis=1)


@dataclass(frozen=True)
class Score:
    """A measure of a model's predictions that is a mean over samples.

    Attributes:
        of_samples: what it is the mean of, [n], from logits [n, classes] and labels [n].
        unit: of the measure.
        higher_is_better: whether larger values are better.
    """

    of_samples: Callable[[ArrayLike, ArrayLike], np.ndarray]
    unit: str
    higher_is_better: bool = False

    def __call__(self, logits: ArrayLike, labels: ArrayLike) -> float:
        """Return the measure."""
        return float(self.of_samples(logits, labels).mean())


SCORES = {
    "test_accuracy": Score(hits, "fraction", higher_is_better=True),
    "test_nll": Score(losses, "nats"),
    "test_brier": Score(squared_errors, "1"),
}


def expected_calibration_error(logits: ArrayLike, labels: ArrayLike, bins: int) -> float:
    """Return the expected calibration error (Guo et al. 2017, eq. 3), from 0 to 1.

    The confidence of a sample is its largest probability. With equal-width bins of confidence as in
    `calibration.reliability_bins`, the error is the mean over samples of |accuracy - confidence|
    of their bin (L1).
    """
    counts, confidences, correct = binned(logits, labels, bins)
    return float(np.abs(correct - confidences).sum() / counts.sum())


def calibration_of_samples(
    logits: ArrayLike, labels: ArrayLike, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each sample the number of its bin, its confidence and whether it is right."""
    logits, labels = checked(logits, labels)
    check_bins(bins)
    confidence = special.softmax(logits, axis=1).max(axis=1)
    index = np.searchsorted(edges(bins), confidence, side="right") - 1
    return np.minimum(index, bins - 1), confidence, logits.argmax(axis=1) == labels


def check_bins(bins: int) -> None:
    """Raise InputError unless this is a valid number of bins of confidence."""
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise InputError(f"bins: {bins!r}; give a whole number from 1")


def binned(
    logits: ArrayLike, labels: ArrayLike, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each bin the samples, the sum of their confidences and those that are right."""
    index, confidence, correct = calibration_of_samples(logits, labels, bins)
    return (
        np.bincount(index, minlength=bins),
        np.bincount(index, weights=confidence, minlength=bins),
        np.bincount(index, weights=correct, minlength=bins),
    )


def edges(bins: int) -> np.ndarray:
    """Return the limits [bins + 1] of equally wide bins of confidence."""
    # Not linspace: 1/3 of equal logits has to be the very number that 5/15 is.
    return np.arange(bins + 1) / bins
