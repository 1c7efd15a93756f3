"""Spearman's rank correlation of two quantities at equal values of a third, within networks."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from .evidence import LEVEL
from .rank_correlation import expected, lower_bound
from .within_networks import NOTHING_VARIES, ROUNDING, missing, standard_ranks, where_all_vary

# With fewer conditions than these, less those that each further network takes, two quantities
# given a third have too few orders; see docs/claims.md.
FEWEST = 6


def partial_correlation(
    x: Sequence[float],
    y: Sequence[float],
    given: Sequence[float],
    networks: Sequence[str] | None = None,
    names: tuple[str, str, str] = ("x", "y", "the third"),
) -> dict[str, Any]:
    """Return Spearman's ρ of x and y given a third quantity, with 95 % interval and p-value.

    Of the correlations r of ranks, (r_xy - r_xz r_yz) / √((1 - r_xz²) (1 - r_yz²)) (Kendall 1942,
    Biometrika 32, 277–283); with several networks each r is the mean of theirs with weights n - 1,
    as in `within_networks.correlation_within`. Normal points have a partial correlation that is
    distributed as a plain one of one point fewer (Fisher 1924, Metron 3, 329–332), and each further
    network takes one, too. So p-value and interval are those of a rank correlation of so many
    points: Student's t, and the ρ that it does not reject (`rank_correlation.lower_bound`). What
    they hold, docs/claims.md says.

    Conditions without a finite value, and networks in which one quantity does not vary, are left
    out.

    Args:
        x: one value per condition.
        y: likewise.
        given: likewise, what is held equal.
        networks: of each condition; by default all are of one.
        names: of x, y and the third, for the note.

    Returns:
        ``value``, ``lower``, ``upper``, ``p_value``, ``n`` and ``note``, which says why something
        of these is missing (NaN).
    """
    columns = np.array([x, y, given], dtype=float)
    networks = np.zeros(columns.shape[1]) if networks is None else np.asarray(networks)
    usable = where_all_vary(networks, *columns)
    if not usable.any():
        return missing(NOTHING_VARIES)
    columns, networks = columns[:, usable], networks[usable]
    parts = [networks == name for name in np.unique(networks)]
    together = sum(ranks @ ranks.T for ranks in (_ranks(columns[:, part]) for part in parts))
    n, points = len(networks), len(networks) - len(parts)
    (_, xy, xz), (_, _, yz), _ = together / points
    spread = (1 - xz**2) * (1 - yz**2)
    if spread <= ROUNDING:
        alike = names[0] if xz**2 > yz**2 else names[1]
        return missing(f"{alike} has the order of {names[2]}") | {"n": n}
    value = min(max((xy - xz * yz) / math.sqrt(spread), -1.0), 1.0)
    found = dict.fromkeys(("lower", "upper", "p_value"), math.nan) | {"value": value, "n": n}
    if points + 1 < FEWEST:
        return found | {"note": f"too few: {n} conditions do not tell three quantities apart"}
    return found | _ends(value, points) | {"note": ""}


def _ranks(columns: np.ndarray) -> np.ndarray:
    return np.array([standard_ranks(column) for column in columns])


def _ends(value: float, points: int) -> dict[str, float]:
    """Return interval and p-value of a plain correlation of so many points."""
    df, half_step = points - 2, 6 / (points * (points**2 - 1))
    t = stats.t.ppf((1 + LEVEL) / 2, df)
    bound = partial(
        lower_bound,
        half_step=half_step,
        critical=t / math.sqrt(df + t**2),
        mean_of=partial(expected, n=points),
    )
    # So few points are never quite sure, whatever their order.
    size = min(abs(value), 1 - half_step)
    p_value = 2 * float(stats.t.sf(size * math.sqrt(df / (1 - size**2)), df))
    return {"lower": bound(value), "upper": -bound(-value), "p_value": p_value}
