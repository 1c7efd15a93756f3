"""How familiar an input looks to a classifier, and how well that tells unseen classes apart.

All scores are larger for what the classifier takes to be of its classes. What is sought, the
positive class, are the samples of the data's own test split; those of unseen classes are negative.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from .metrics import checked_logits, log_confidence

# The true positive rate at which false positives are counted.
TRUE_POSITIVES = 0.95


def negative_entropy(logits: ArrayLike) -> np.ndarray:
    """Return Σ p log p of each sample's probabilities, [n], in nats."""
    logs = special.log_softmax(checked_logits(logits), axis=1)
    return (np.exp(logs) * logs).sum(axis=1)


def negative_energy(logits: ArrayLike) -> np.ndarray:
    """Return log Σ exp(z_j), [n]: minus the energy at temperature 1."""
    return special.logsumexp(checked_logits(logits), axis=1)


def largest_logit(logits: ArrayLike) -> np.ndarray:
    """Return max z_j, [n]."""
    return checked_logits(logits).max(axis=1)


# Hendrycks & Gimpel 2017 (arXiv:1610.02136), for entropy too; Liu et al. 2020 (arXiv:2010.03759);
# Hendrycks et al. 2022 (arXiv:1911.11132).
FAMILIARITY: Mapping[str, Callable[[ArrayLike], np.ndarray]] = {
    "maximum_probability": log_confidence,
    "entropy": negative_entropy,
    "energy": negative_energy,
    "maximum_logit": largest_logit,
}


def separation(known: ArrayLike, unseen: ArrayLike) -> dict[str, float]:
    """Return how well a score tells known classes, the positive ones, from unseen ones.

    Args:
        known: scores of samples of the classifier's classes, [n].
        unseen: scores of samples of others, [m].

    Returns:
        ``auroc``, the probability that a known sample has the larger score, ties counting half;
        ``aupr``, the area under precision and recall as average precision, of which chance has
        the share n / (n + m); ``fpr95``, the share of unseen samples above the largest threshold
        that at least 95 % of the known ones reach (Liang et al. 2018, arXiv:1706.02690).
    """
    known, unseen = np.asarray(known), np.asarray(unseen)
    positive = np.repeat([True, False], [len(known), len(unseen)])
    scores = np.concatenate([known, unseen])
    false, true, _ = roc_curve(positive, scores, drop_intermediate=False)
    return {
        "auroc": float(roc_auc_score(positive, scores)),
        "aupr": float(average_precision_score(positive, scores)),
        # Rates are quotients of counts: 0.95 of 20 is 19, whatever its last digit.
        "fpr95": float(false[np.searchsorted(true, TRUE_POSITIVES - 1e-12)]),
    }
