"""Spearman's rank correlation, with a p-value and an interval that agree and hold for few points.

The interval is that of Bonett & Wright (2000) with three changes. It holds every ρ that the data do
not reject, with the standard error at that ρ instead of at the observed value. It takes its width
at ρ = 0 from the test that gives the p-value instead of from the normal distribution, so that it
excludes zero exactly where p is at most 0.05. And the end that is farther from zero allows for the
ranks of few points being less correlated, on average, than the population's (Moran 1948).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import count
from typing import Any

import numpy as np
from scipy import optimize, stats

from .evidence import LEVEL

# Fewer points have no order to speak of.
POINTS = 3
# With fewer points no order has a p-value of 0.05 or less.
FEWEST = 5
# Up to this many points p-values count all orders; above, they are Student's t's.
EXACT = 12
# How near ±1 ends of intervals are looked for.
ALMOST = 1e-12


def rank_correlation(
    x: Sequence[float], y: Sequence[float], names: tuple[str, str] = ("x", "y")
) -> dict[str, Any]:
    """Return Spearman's ρ of pairs with its 95 % interval and two-sided p-value.

    Pairs that are not finite are left out. Up to 12 points the p-value is the share of all orders
    that are as far from zero, and equal values count as whichever order says least; above, it is
    that of Student's t, and equal values share their mean rank. Fewer than five points have
    neither interval nor p-value, and fewer than three no ρ.

    The interval is of ρ in the population that points are drawn from independently, where a
    monotone change of each quantity makes both normal together (a Gaussian copula).

    Args:
        x: one value per point.
        y: likewise.
        names: of the two, for the note.

    Returns:
        ``value``, ``lower``, ``upper``, ``p_value``, ``n`` and ``note``, which says why something
        of these is missing (NaN).
    """
    x, y = finite_pairs(x, y)
    n = len(x)
    found = dict.fromkeys(("value", "lower", "upper", "p_value"), np.nan) | {"n": n, "note": ""}
    if note := why_missing(x, y, names):
        return found | {"note": note}
    found["value"] = value = float(stats.spearmanr(x, y).statistic)
    if n < FEWEST:
        return found | {"note": f"too few: no order of {n} conditions reaches p = 0.05"}
    least, most = _range_of_ties(x, y) if n <= EXACT else (value, value)
    nearest_zero = min(max(0.0, least), most)
    bound = partial(
        lower_bound,
        half_step=6 / _size(n),
        critical=_critical(n),
        mean_of=partial(expected, n=n),
    )
    ends = {"lower": bound(least), "upper": -bound(-most)}
    return found | ends | {"p_value": _p_value(abs(nearest_zero), n)}


def fewest_of(tests: int) -> int:
    """Return how many points it takes for a perfect order to be sure among so many correlations.

    Two of the n! orders are perfect, so that the smallest p-value is 2/n!, which Holm's correction
    multiplies by the number of tests.
    """
    return next(n for n in count(FEWEST) if tests * 2 / math.factorial(n) <= 1 - LEVEL)


def finite_pairs(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs whose values are both finite."""
    pairs = np.column_stack([x, y]).astype(float)
    return tuple(pairs[np.isfinite(pairs).all(axis=1)].T)


def why_missing(x: np.ndarray, y: np.ndarray, names: tuple[str, str]) -> str:
    """Return why points have neither a correlation nor a slope, or nothing."""
    if len(x) < POINTS:
        return f"fewer than {POINTS} conditions"
    constant = [name for name, v in zip(names, (x, y), strict=True) if np.ptp(v) == 0]
    return f"{constant[0]} is the same for all conditions" if constant else ""


def _range_of_ties(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest ρ of all orders that equal values may have."""
    places, ends = np.arange(len(x)), []
    for sign in (-1, 1):
        # Equal values take the reverse order of the other quantity, or the same.
        ranks = (
            np.lexsort((places, sign * y, x)).argsort(),
            np.lexsort((sign * places, sign * x, y)).argsort(),
        )
        ends.append(1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum() / _size(len(x)))
    return ends[0], ends[1]


def _size(n: int) -> int:
    return n * (n * n - 1)


@cache
def _share_of_orders(n: int) -> np.ndarray:
    """Return the share of the orders of n points with Σ d² ≤ D, for each D from 0 on.

    d are the differences of ranks. Counted place by place: what counts of an order so far is which
    ranks it has taken, and its sum.
    """
    length = _size(n) // 3 + 1
    counts = {0: np.eye(1, length)[0]}
    for place in range(n):
        longer = defaultdict(lambda: np.zeros(length))
        for taken, sums in counts.items():
            for rank in range(n):
                if not taken >> rank & 1:
                    square = (place - rank) ** 2
                    longer[taken | 1 << rank][square:] += sums[: length - square]
        counts = longer
    (of_all,) = counts.values()
    return of_all.cumsum() / math.factorial(n)


def _p_value(value: float, n: int) -> float:
    """Return the two-sided p-value of a ρ ≥ 0."""
    if n <= EXACT:
        squares = round((1 - value) * _size(n) / 6)
        return min(1.0, 2 * float(_share_of_orders(n)[squares]))
    spread = (1 - value) * (1 + value)
    t = value * math.sqrt((n - 2) / spread) if spread > 0 else math.inf
    return 2 * float(stats.t.sf(t, n - 2))


@cache
def _critical(n: int) -> float:
    """Return the ρ above which p is at most 1 - `LEVEL`: up to `EXACT` points between two steps."""
    if n <= EXACT:
        squares = np.flatnonzero(2 * _share_of_orders(n) <= 1 - LEVEL).max()
        # Sums of squares are even.
        return 1 - 6 * (squares - squares % 2 + 1) / _size(n)
    t = stats.t.ppf((1 + LEVEL) / 2, n - 2)
    return t / math.sqrt(n - 2 + t**2)


def lower_bound(
    value: float, half_step: float, critical: float, mean_of: Callable[[float], float]
) -> float:
    """Return the least ρ that an observed value does not reject.

    That is, with z = artanh, |z(r) - z(ρ)| ≤ z(c) √(1 + ρ²/2), where r and c are the observed and
    the critical value, both half a step nearer zero, which keeps a perfect order finite. For a
    negative ρ, which is the end farther from zero, z is of the mean of observed values.

    Args:
        value: observed.
        half_step: half the least difference of two observed values.
        critical: the value above which p is at most 1 - `LEVEL`.
        mean_of: the mean of observed values, given ρ.
    """
    if value < half_step - 1:
        # A perfect order rejects no stronger one.
        return -1.0
    observed = math.atanh(math.copysign(max(abs(value) - half_step, 0.0), value))
    width = math.atanh(critical - half_step)

    def excess(rho: float) -> float:
        center = math.atanh(rho if rho > 0 else mean_of(rho))
        return center + width * math.sqrt(1 + rho**2 / 2) - observed

    return optimize.brentq(excess, -1 + ALMOST, 1 - ALMOST)


def expected(rho: float, n: int) -> float:
    """Return the mean of Spearman's ρ of n points (Moran 1948) of a Gaussian copula."""
    normal = 2 * math.sin(math.pi * rho / 6)
    terms = math.asin(normal) + (n - 2) * math.asin(normal / 2)
    return 6 * terms / (math.pi * (n + 1))
