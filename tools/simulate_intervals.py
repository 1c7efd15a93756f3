"""Print what share of simulated studies has the true difference in its 95 % interval.

A table for docs/claims.md: paired differences of normal and of skewed values, and differences of
measures of pairs of models, whose values are the jackknife's pseudo-values.
"""

import math
from collections.abc import Callable

import numpy as np

from minimascope.analysis.differences import mean_over_seeds, t_interval
from minimascope.analysis.summary import pseudo_values

SEEDS = (2, 3, 5, 10)
STUDIES = 20_000
# A matrix of pairs of models each, one after the other.
STUDIES_OF_PAIRS = 4_000
# Of the logarithm: values of different seeds differ by a factor of about 1.5.
SKEW = 0.4
Draw = Callable[[np.random.Generator, int], np.ndarray]


def normal(random: np.random.Generator, seeds: int) -> np.ndarray:
    """Return normal differences around zero, [seed, study]."""
    return random.normal(size=(seeds, STUDIES))


def skewed(random: np.random.Generator, seeds: int) -> np.ndarray:
    """Return log-normal differences around zero: those of a value from a much smaller one."""
    return random.lognormal(0, SKEW, size=(seeds, STUDIES)) - math.exp(SKEW**2 / 2)


def pairs_by_model(random: np.random.Generator, seeds: int) -> np.ndarray:
    """Return differences of pseudo-values, where each model adds a share to all its pairs."""
    shares = random.normal(size=(2, STUDIES_OF_PAIRS, seeds))
    return _pseudo_differences(shares[..., :, None] + shares[..., None, :])


def pairs_by_pair(random: np.random.Generator, seeds: int) -> np.ndarray:
    """Return differences of pseudo-values, where pairs have nothing in common."""
    values = np.triu(random.normal(size=(2, STUDIES_OF_PAIRS, seeds, seeds)), 1)
    return _pseudo_differences(values + np.swapaxes(values, -1, -2))


def _pseudo_differences(matrices: np.ndarray) -> np.ndarray:
    """Return those of two conditions, [seed, study], of matrices [2, study, seed, seed]."""
    first, second = (np.array([pseudo_values(own) for own in condition]) for condition in matrices)
    return (first - second).T


CASES: dict[str, Draw] = {
    "normal differences": normal,
    f"log-normal differences (σ = {SKEW:g})": skewed,
    "pairs of models, normal shares of models": pairs_by_model,
    "pairs of models, independent pairs": pairs_by_pair,
}


def coverage(differences: np.ndarray) -> float:
    """Return the share of studies whose interval holds zero, NaN without intervals.

    Args:
        differences: [seed, study].
    """
    lower, upper = t_interval(*mean_over_seeds(differences))
    return math.nan if np.isnan(lower).all() else float(((lower <= 0) & (upper >= 0)).mean())


def table() -> list[str]:
    """Return the lines of the table in Markdown."""
    lines = [f"| differences | {' | '.join(f'{n} seeds' for n in SEEDS)} |", "|---|" + 4 * "---:|"]
    for name, draw in CASES.items():
        found = [coverage(draw(np.random.default_rng(n), n)) for n in SEEDS]
        cells = ["too few" if math.isnan(share) else f"{100 * share:.1f} %" for share in found]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
