"""One temperature for all logits of a network, fitted on one half and judged on the other.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599) divides the logits by a number T that
minimises the cross-entropy on samples that are not judged. Here the test samples are split into
two random halves, the same for every network of so many samples. Each half is scaled by the
temperature of the other one, so that every sample is judged, and none by what it was fitted to.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.optimize import minimize_scalar

from ..errors import InputError
from ..streams import derive_seed
from .metrics import checked

# Where no temperature is best, as of a network that is never wrong, or no better than guessing.
LOWEST, HIGHEST = 0.01, 100.0
HALVES = 2


@dataclass(frozen=True)
class Scaled:
    """Logits that were scaled by the temperature of the other half.

    Attributes:
        logits: [n, classes].
        temperatures: of the two halves.
        converged: whether both lie inside of ``LOWEST … HIGHEST``.
    """

    logits: np.ndarray
    temperatures: tuple[float, float]
    converged: bool

    @property
    def temperature(self) -> float:
        """The geometric mean of both."""
        return float(np.sqrt(np.prod(self.temperatures)))


def fitted_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the T of least cross-entropy of logits / T, between `LOWEST` and `HIGHEST`.

    The loss is convex in 1/T, and so has one minimum at most. Of logits that are never wrong it
    falls for ever as T falls: that is `LOWEST`. It is `HIGHEST` where guessing would be better.
    """
    logits, labels = checked(logits, labels)
    own, at = logits[np.arange(len(labels)), labels], np.log([LOWEST, HIGHEST])
    if (own == logits.max(axis=1)).all():
        return LOWEST
    if (logits.mean(axis=1) - own).mean() >= 0:
        return HIGHEST

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float((special.logsumexp(factor * logits, axis=1) - factor * own).mean())

    found = minimize_scalar(loss, bounds=tuple(at), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def halves(samples: int) -> np.ndarray:
    """Return for each sample whether it is in the first half, [n], of a fixed random split."""
    if samples < HALVES:
        raise InputError("temperature: one test sample has no halves; test on more")
    draws = np.random.default_rng(derive_seed("temperature", samples))
    return draws.permutation(samples) < samples // HALVES


def cross_scaled(logits: ArrayLike, labels: ArrayLike) -> Scaled:
    """Return logits, each half divided by the temperature that is best for the other half."""
    logits, labels = checked(logits, labels)
    first = halves(len(labels))
    found = [fitted_temperature(logits[half], labels[half]) for half in (first, ~first)]
    own = np.where(first, found[1], found[0])
    inside = all(1.001 * LOWEST < each < 0.999 * HIGHEST for each in found)
    return Scaled(logits / own[:, None], (found[0], found[1]), inside)
