"""How often a classifier errs where it is surest: the risk–coverage curve and its area.

A classifier that may decline answers the share of samples of which it is surest (its coverage), and
its risk is the share of these that it gets wrong (Geifman & El-Yaniv 2017, arXiv:1705.08500).
"""

import numpy as np
from numpy.typing import ArrayLike

from .metrics import hits, log_confidence

# Coverages of the curve as it is kept, in percent.
COVERAGES = tuple(range(5, 101, 5))


def selective_risks(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return the risk at the coverages 1/n, 2/n … 1, [n].

    Samples are answered in the order of their confidence, the largest probability. Of equal
    confidence each is as likely to come first: the risk is the mean over their orders.
    """
    wrong, confidence = 1 - hits(logits, labels), log_confidence(logits)
    _, group, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    shares = np.bincount(group, weights=wrong) / counts
    answered = np.arange(1, len(wrong) + 1)
    return np.cumsum(np.repeat(shares, counts)) / answered


def area_under_risk_coverage(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean risk over all coverages (AURC; Geifman et al. 2019, arXiv:1805.08206).

    From 0, no error at all, to 1; a confidence that says nothing has the error as its area.
    """
    return float(selective_risks(logits, labels).mean())


def risk_coverage(logits: ArrayLike, labels: ArrayLike) -> list[dict[str, float]]:
    """Return the curve at `COVERAGES`: rows of ``coverage`` and ``risk``, as fractions.

    A coverage that is no whole number of samples takes one more.
    """
    risks = selective_risks(logits, labels)
    places = [-(-len(risks) * percent // 100) - 1 for percent in COVERAGES]
    return [
        {"coverage": percent / 100, "risk": float(risks[place])}
        for percent, place in zip(COVERAGES, places, strict=True)
    ]
