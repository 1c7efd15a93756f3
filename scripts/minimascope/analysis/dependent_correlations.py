"""Whether sharpness goes more closely with one evaluation of networks than with another."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from .evidence import LEVEL
from .within_networks import NOTHING_VARIES, correlation_within, missing, where_all_vary


def difference_of_correlations(
    x: Sequence[float],
    first: Sequence[float],
    second: Sequence[float],
    networks: Sequence[str] | None = None,
    names: tuple[str, str, str] = ("x", "first", "second"),
) -> dict[str, Any]:
    """Return ρ(x, first) - ρ(x, second), Spearman's, with its 95 % interval and p-value.

    Both are over the same points, so that their errors go together; with `networks`, both are
    within networks (`within_networks.correlation_within`). The interval is Zou's (2007,
    Psychological Methods 12, 399–413): the ends of the two correlations' intervals, joined with
    the correlation of two Pearson correlations that share a variable (Pearson and Filon 1898). The
    p-value is two-sided, of a normal statistic whose standard error is the interval's reach
    towards zero over 1.96, so that both agree at 95 %. What it holds, docs/claims.md says.

    Args:
        x: one value per point.
        first: likewise.
        second: likewise.
        networks: of each point; by default all points are of one.
        names: of x, first and second, for the note.

    Returns:
        ``value``, ``lower``, ``upper``, ``p_value``, ``n`` and ``note``, which says why something
        of these is missing (NaN).
    """
    columns = np.array([x, first, second], dtype=float)
    networks = np.zeros(columns.shape[1]) if networks is None else np.asarray(networks)
    usable = np.isfinite(columns).all(axis=0)
    if len(np.unique(networks)) > 1:
        usable = where_all_vary(networks, *columns)
        if not usable.any():
            return missing(NOTHING_VARIES)
    (x, first, second), networks = columns[:, usable], networks[usable]
    # Rounded already: equal evaluations are equal numbers.
    own = correlation_within(x, first, networks, names[:2])
    other = correlation_within(x, second, networks, names[::2])
    value = own["value"] - other["value"]
    found = {"value": value, "lower": np.nan, "upper": np.nan, "p_value": np.nan, "n": own["n"]}
    if note := own["note"] or other["note"]:
        return found | {"note": note}
    between = correlation_within(first, second, networks)["value"]
    together = _between_correlations(own["value"], other["value"], between)
    below = _reach(own["value"] - own["lower"], other["upper"] - other["value"], together)
    above = _reach(own["upper"] - own["value"], other["value"] - other["lower"], together)
    towards_zero = below if value > 0 else above
    z = stats.norm.ppf((1 + LEVEL) / 2) * abs(value) / towards_zero if towards_zero else math.inf
    p_value = 2 * float(stats.norm.sf(z)) if value else 1.0
    return found | {
        "lower": value - below,
        "upper": value + above,
        "p_value": p_value,
        "note": "",
    }


def _reach(first: float, second: float, together: float) -> float:
    """Return how far an end of a difference is from it, of how far those of its terms are."""
    return math.sqrt(max(first**2 + second**2 - 2 * together * first * second, 0.0))


def _between_correlations(first: float, second: float, between: float) -> float:
    """Return the correlation of two correlations that share a variable (Pearson and Filon 1898).

    Args:
        first: one of them.
        second: the other one.
        between: that of the two variables that are not shared.
    """
    spread = (1 - first**2) * (1 - second**2)
    if not spread:
        return 0.0
    known = 1 - first**2 - second**2 - between**2
    covariance = (between - first * second / 2) * known + between**3
    return min(max(covariance / spread, -1.0), 1.0)
