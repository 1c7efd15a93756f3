"""How often the 95 % intervals of correlations and slopes cover the truth, in made-up studies."""

import math
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from minimascope.analysis.rank_correlation import FEWEST, rank_correlation
from minimascope.analysis.trends import slope

CONDITIONS = (3, 4, 5, 6, 8, 10, 12, 18, 36, 100)
STRENGTHS = (0.0, 0.5, 0.9, 0.98)
STUDIES = 1000
HERE, CLOSED_FORM, SLOPE = "Spearman's ρ", "Bonett & Wright", "slope, Student's t"


def coverage() -> pd.DataFrame:
    """Return the share of made-up studies whose interval covers the truth.

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
    if n < FEWEST and interval != SLOPE:
        return math.nan
    random = np.random.default_rng([n, round(10 * strength)])
    x, noise = random.normal(size=(2, STUDIES, n))
    y = strength * x + math.sqrt(1 - strength**2) * noise
    truth = strength if interval == SLOPE else 6 / math.pi * math.asin(strength / 2)
    ends = np.array([INTERVALS[interval](*study) for study in zip(x, y, strict=True)])
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def as_markdown(table: pd.DataFrame) -> str:
    """Return the `coverage` as the table of the docs."""
    names = [f"{interval}, ρ = {strength:g}" for interval, strength in table]
    lines = [f"| conditions | {' | '.join(names)} |", "|---:|" + "---:|" * len(names)]
    for n, shares in table.iterrows():
        cells = ("too few" if math.isnan(share) else f"{100 * share:.1f} %" for share in shares)
        lines.append(f"| {n} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rank(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    found = rank_correlation(x, y)
    return found["lower"], found["upper"]


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    found = slope(x, y)
    return found["lower"], found["upper"]


def _bonett_wright(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return tanh(artanh r ± 1.96 √((1 + r²/2) / (n - 3)))."""
    ranks = np.argsort(np.argsort([x, y]))
    r = np.corrcoef(ranks)[0, 1]
    if abs(r) > 1 - 1e-9:
        return r, r
    width = stats.norm.ppf(0.975) * math.sqrt((1 + r**2 / 2) / (len(x) - 3))
    return math.tanh(math.atanh(r) - width), math.tanh(math.atanh(r) + width)


INTERVALS = {HERE: _rank, CLOSED_FORM: _bonett_wright, SLOPE: _slope}
