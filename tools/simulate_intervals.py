"""Print how often intervals hold the truth, and verdicts are wrong, in simulated studies.

Three tables for docs/claims.md and docs/measures.md: intervals of differences between conditions,
verdicts on what matters at its very boundary, and intervals of correlations and slopes.
"""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from minimascope.analysis.differences import mean_over_seeds, p_above, paired, t_interval
from minimascope.analysis.evidence import SIGNIFICANT
from minimascope.analysis.rank_correlation import FEWEST, rank_correlation
from minimascope.analysis.smallest_difference import SmallestDifference
from minimascope.analysis.summary import pseudo_values
from minimascope.analysis.trends import slope

SEEDS = (2, 3, 5, 10)
STUDIES = 20_000
# A matrix of pairs of models each, one after the other.
STUDIES_OF_PAIRS = 4_000
# Of the logarithm: values of different seeds differ by a factor of about 1.5.
SKEW = 0.4
# A share of the baseline that matters, and how much baselines and differences vary, over its mean.
SHARE = SmallestDifference(0.05, relative=True)
VARIES, HARDLY = 0.5, 0.01

CONDITIONS = (3, 4, 5, 6, 8, 10, 12, 18, 36, 100)
STRENGTHS = (0.0, 0.5, 0.9, 0.98)
STUDIES_OF_CONDITIONS = 1000
HERE, CLOSED_FORM, SLOPE = "Spearman's ρ", "Bonett & Wright", "slope, Student's t"

Draw = Callable[[np.random.Generator, int], np.ndarray]


# Intervals of differences


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


DIFFERENCES: dict[str, Draw] = {
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


def differences_table() -> list[str]:
    """Return the `coverage` of differences as lines of Markdown."""
    rows = {
        name: [coverage(draw(np.random.default_rng(n), n)) for n in SEEDS]
        for name, draw in DIFFERENCES.items()
    }
    return _by_seeds("differences", rows)


# Verdicts where the true difference is exactly a share of the baseline's mean


def normal_baseline(random: np.random.Generator, seeds: int) -> np.ndarray:
    """Return baselines of mean 1 and differences of mean 0, normal, [2, seed, study]."""
    baseline, difference = random.normal(size=(2, seeds, STUDIES))
    return np.array([1 + VARIES * baseline, HARDLY * difference])


def skewed_baseline(random: np.random.Generator, seeds: int) -> np.ndarray:
    """Return the same with log-normal baselines."""
    baseline = random.lognormal(-(SKEW**2) / 2, SKEW, size=(seeds, STUDIES))
    return np.array([baseline, HARDLY * random.normal(size=(seeds, STUDIES))])


BASELINES: dict[str, Draw] = {
    f"normal baselines (variation {100 * VARIES:g} %)": normal_baseline,
    f"log-normal baselines (σ = {SKEW:g})": skewed_baseline,
}


def wrong_verdicts(baseline: np.ndarray, noise: np.ndarray) -> dict[str, float]:
    """Return the shares of studies that are wrongly sure of a difference, and of none.

    The true difference is the share `SHARE` of the baseline's, which is neither larger nor smaller
    than that.

    Args:
        baseline: [seed, study], of mean 1.
        noise: of the differences, likewise, of mean 0.
    """
    found = paired(baseline + SHARE.value + noise, baseline, SHARE)
    value, error, df = found.above
    larger, not_larger = p_above(value, error, df), p_above(-value, error, df)
    within = np.maximum(not_larger, p_above(*found.below))
    return {
        "larger": float((larger <= SIGNIFICANT).mean()),
        "no difference": float((within <= SIGNIFICANT).mean()),
    }


def verdicts_table() -> list[str]:
    """Return the shares of `wrong_verdicts` as lines of Markdown."""
    rows: dict[str, list[float]] = {}
    for (name, draw), seeds in product(BASELINES.items(), SEEDS):
        for verdict, share in wrong_verdicts(*draw(np.random.default_rng(seeds), seeds)).items():
            rows.setdefault(f"“{verdict}”, {name}", []).append(share)
    return _by_seeds("wrong verdict", rows)


def _by_seeds(first: str, rows: dict[str, list[float]]) -> list[str]:
    lines = [f"| {first} | {' | '.join(f'{n} seeds' for n in SEEDS)} |"]
    lines.append("|---|" + "---:|" * len(SEEDS))
    lines += [f"| {name} | {' | '.join(map(_percent, shares))} |" for name, shares in rows.items()]
    return lines


# Intervals of correlations and slopes


def coverage_of_correlations() -> pd.DataFrame:
    """Return the share of studies whose interval of a correlation or slope covers the truth.

    Sharpness and evaluation are normal together, with the correlations `STRENGTHS`. The truth is
    the population's Spearman's ρ, 6/π arcsin(strength / 2), or slope, which is the strength.

    Returns:
        A row for each number of conditions, a column for each interval and strength, NaN where
        there is no interval.
    """
    columns = [*product([HERE, CLOSED_FORM], STRENGTHS), (SLOPE, 0.5)]
    shares = {(n, column): _share(n, *column) for n in CONDITIONS for column in columns}
    table = pd.Series(shares).unstack()[columns]
    return table.set_axis(pd.MultiIndex.from_tuples(columns), axis=1)


def _share(n: int, interval: str, strength: float) -> float:
    if n < FEWEST and interval == CLOSED_FORM:
        return math.nan
    random = np.random.default_rng([n, round(10 * strength)])
    x, noise = random.normal(size=(2, STUDIES_OF_CONDITIONS, n))
    y = strength * x + math.sqrt(1 - strength**2) * noise
    truth = strength if interval == SLOPE else 6 / math.pi * math.asin(strength / 2)
    ends = np.array([INTERVALS[interval](*study) for study in zip(x, y, strict=True)])
    if np.isnan(ends).all():
        return math.nan
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def _ends(found: dict[str, float]) -> tuple[float, float]:
    return found["lower"], found["upper"]


def _bonett_wright(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return tanh(artanh r ± 1.96 √((1 + r²/2) / (n - 3)))."""
    ranks = np.argsort(np.argsort([x, y]))
    r = np.corrcoef(ranks)[0, 1]
    if abs(r) > 1 - 1e-9:
        return r, r
    width = stats.norm.ppf(0.975) * math.sqrt((1 + r**2 / 2) / (len(x) - 3))
    return math.tanh(math.atanh(r) - width), math.tanh(math.atanh(r) + width)


INTERVALS = {
    HERE: lambda x, y: _ends(rank_correlation(x, y)),
    CLOSED_FORM: _bonett_wright,
    SLOPE: lambda x, y: _ends(slope(x, y)),
}


def correlations_table(table: pd.DataFrame) -> list[str]:
    """Return the `coverage_of_correlations` as lines of Markdown."""
    names = [f"{interval}, ρ = {strength:g}" for interval, strength in table]
    lines = [f"| conditions | {' | '.join(names)} |", "|---:|" + "---:|" * len(names)]
    lines += [f"| {n} | {' | '.join(map(_percent, shares))} |" for n, shares in table.iterrows()]
    return lines


def _percent(share: float) -> str:
    return "too few" if math.isnan(share) else f"{100 * share:.1f} %"


if __name__ == "__main__":
    for part in (
        differences_table(),
        verdicts_table(),
        correlations_table(coverage_of_correlations()),
    ):
        print("\n".join(part), end="\n\n")
