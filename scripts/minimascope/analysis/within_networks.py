"""Spearman's rank correlation over the conditions of several networks, within each of them.

Networks differ in sharpness and in accuracy. Over all their conditions together, that difference
alone makes a correlation, and permutations across networks take it for one. Here conditions are
ranked, and permuted, within their network.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

from .evidence import LEVEL
from .rank_correlation import expected, lower_bound, rank_correlation

# Orders drawn for a p-value, whose error at 0.05 is then 0.0015.
DRAWS = 19_999
SEED = 0
NOTHING_VARIES = "no network's conditions differ in all of the values"
# Equal correlations differ by less.
ROUNDING = 1e-9
# Ranks of x and y in each network, ascending; each with mean 0 and sum of squares n - 1.
Ranks = tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]


def correlation_within(
    x: Sequence[float],
    y: Sequence[float],
    networks: Sequence[str],
    names: tuple[str, str] = ("x", "y"),
) -> dict[str, Any]:
    """Return Spearman's ρ within networks with its 95 % interval and two-sided p-value.

    ρ is the mean of the networks' own ones, each with weight n - 1, the inverse of its variance
    where nothing goes together (Taylor 1987, Biometrics 43, 409–416). The p-value is the share of
    19,999 orders, drawn within each network with a fixed seed, that are as far from zero, the
    observed one among them (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39). The
    interval is made as that of `rank_correlation`, from the same orders, so that it excludes zero
    exactly where p is at most 0.05.

    Pairs that are not finite are left out, and so are networks with one condition, or with equal
    values alone. Of a single network it is `rank_correlation`.

    Args:
        x: one value per condition.
        y: likewise.
        networks: of each condition.
        names: of x and y, for the note.

    Returns:
        What `rank_correlation` returns.
    """
    x, y, networks = np.asarray(x, float), np.asarray(y, float), np.asarray(networks)
    if len(np.unique(networks)) < 2:
        return rank_correlation(x, y, names)
    usable = where_all_vary(networks, x, y)
    if not usable.any():
        return missing(NOTHING_VARIES)
    x, y, networks = x[usable], y[usable], networks[usable]
    parts = [networks == name for name in np.unique(networks)]
    if len(parts) < 2:
        return rank_correlation(x, y, names)
    return _of_ranks([(standard_ranks(x[part]), standard_ranks(y[part])) for part in parts])


def _of_ranks(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Return the correlation of standard ranks of x and y in each network."""
    sizes = [len(own) for own, _ in pairs]
    weights = np.subtract(sizes, 1) / (sum(sizes) - len(sizes))
    value = float(sum(own @ other for own, other in pairs) / (sum(sizes) - len(sizes)))
    found = {"value": value, "lower": np.nan, "upper": np.nan, "p_value": np.nan}
    found |= {"n": sum(sizes), "note": ""}
    if 2 / math.prod(math.factorial(n) for n in sizes) > 1 - LEVEL:
        within = f"{sum(sizes)} conditions within {len(sizes)} networks"
        return found | {"note": f"too few: no order of {within} reaches p = 0.05"}
    drawn = _of_orders(tuple((tuple(np.sort(a)), tuple(np.sort(b))) for a, b in pairs))
    # One step between orders of the largest network, halved.
    half_step = 6 * max(weights) / (max(sizes) * (max(sizes) ** 2 - 1))
    critical = drawn[-math.floor((1 - LEVEL) * (DRAWS + 1))] + ROUNDING

    def mean_of(rho: float) -> float:
        return sum(w * expected(rho, n) for w, n in zip(weights, sizes, strict=True))

    ends = [sign * lower_bound(sign * value, half_step, critical, mean_of) for sign in (1, -1)]
    as_far = DRAWS - np.searchsorted(drawn, abs(value) - ROUNDING)
    p_value = float((1 + as_far) / (1 + DRAWS))
    return found | {"lower": ends[0], "upper": ends[1], "p_value": p_value}


def missing(note: str) -> dict[str, Any]:
    """Return the result of a correlation that there is none of, with the reason."""
    numbers = dict.fromkeys(("value", "lower", "upper", "p_value"), np.nan)
    return numbers | {"n": 0, "note": note}


def where_all_vary(networks: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """Return which conditions are of networks in which all columns differ between conditions.

    Conditions with a value that is not finite are none of these.
    """
    finite = np.isfinite(columns).all(axis=0)
    parts = [finite & (networks == name) for name in np.unique(networks[finite])]
    parts = [part for part in parts if all(np.ptp(column[part]) for column in columns)]
    return np.any(parts, axis=0) if parts else np.zeros_like(finite)


def standard_ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks with mean 0 and sum of squares n - 1; equal values share their mean rank."""
    return stats.zscore(stats.rankdata(values), ddof=1)


@lru_cache(maxsize=32)
def _of_orders(ranks: Ranks) -> np.ndarray:
    """Return the sizes of ρ in orders drawn within each network, ascending."""
    random = np.random.default_rng(SEED)
    products = np.zeros(DRAWS)
    for own, other in ranks:
        orders = random.permuted(np.tile(other, (DRAWS, 1)), axis=1)
        products += orders @ np.array(own)
    return np.sort(np.abs(products)) / sum(len(own) - 1 for own, _ in ranks)
