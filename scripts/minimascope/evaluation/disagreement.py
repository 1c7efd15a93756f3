"""How much two models differ in what they predict."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ..errors import InputError
from .metrics import checked_labels, checked_logits


def prediction_disagreement(labels_a: ArrayLike, labels_b: ArrayLike) -> float:
    """Return the share of samples on which two models predict different labels.

    Args:
        labels_a: labels [n] that one model predicts, for example ``logits.argmax(1)``.
        labels_b: labels [n] that the other predicts, for the same samples in the same order.

    Raises:
        InputError: if these are not two rows of integers of the same length.
    """
    first = checked_labels(labels_a, name="labels_a")
    second = checked_labels(labels_b, samples=len(first), name="labels_b")
    return float((first != second).mean())


def jensen_shannon_divergence(logits_a: ArrayLike, logits_b: ArrayLike) -> float:
    """Return the Jensen–Shannon divergence of two models' predictions (Lin 1991).

    With m = (p + q) / 2, the mean over samples of KL(p ‖ m) / 2 + KL(q ‖ m) / 2, in nats; from
    0 to ln 2.

    Args:
        logits_a: logits [n, classes] of one model.
        logits_b: logits [n, classes] of the other, for the same samples in the same order.

    Raises:
        InputError: if shapes differ or are no logits, or a logit is not finite.
    """
    return divergence(*_both_probabilities(logits_a, logits_b))


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Return the Jensen–Shannon divergence of probabilities [n, classes], as above."""
    # Doubling both sides of p ln(p/m) keeps m from underflowing to zero where p does not.
    terms = special.rel_entr(2 * p, p + q) + special.rel_entr(2 * q, p + q)
    # The bounds hold exactly, the sum only up to rounding.
    return float((terms.sum(axis=1) / 4).clip(0, np.log(2)).mean())


def l2_distance(logits_a: ArrayLike, logits_b: ArrayLike) -> float:
    """Return the Euclidean distance of two models' probabilities, mean over samples.

    The papers call it activation distance; from 0 to √2. Arguments and errors are those of
    `jensen_shannon_divergence`.
    """
    return distance(*_both_probabilities(logits_a, logits_b))


def distance(p: np.ndarray, q: np.ndarray) -> float:
    """Return the Euclidean distance of probabilities [n, classes], mean over samples."""
    return float(np.linalg.norm(p - q, axis=1).mean())


def probabilities(logits: ArrayLike, name: str = "logits") -> np.ndarray:
    """Return a model's probabilities [n, classes] from its logits.

    Raises:
        InputError: if the shape is no logits' or a logit is not finite.
    """
    return special.softmax(checked_logits(logits, name), axis=1)


def _both_probabilities(logits_a: ArrayLike, logits_b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p, q = probabilities(logits_a, "logits_a"), probabilities(logits_b, "logits_b")
    if p.shape != q.shape:
        raise InputError(
            f"logits_a, logits_b: shapes {list(p.shape)} and {list(q.shape)}; compare models on"
            " the same samples and classes"
        )
    return p, q
