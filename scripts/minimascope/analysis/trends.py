"""Slopes of evaluations along sharpness, within networks and over all, and orders of measures."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .correlations import ALL_NETWORKS, DECIMALS
from .measure_names import measures_of
from .model_table import require
from .tables import at_minima

LEVEL = 0.95
# Fewer points have a line, or an order, that says nothing.
POINTS = 3
LOG, LINEAR = "log10", "1"
COLUMNS = [
    "dataset",
    "network",
    "sharpness",
    "evaluation",
    "scale",
    "slope",
    "lower",
    "upper",
    "level",
    "p_value",
    "n",
    "flips",
    "certain",
    "note",
]
ORDER_COLUMNS = ["dataset", "network", "first", "second", "over", "tau", "p_value", "n", "note"]
CONDITION = ["dataset", "network", "condition"]


def trend_tables(
    summary: pd.DataFrame, models: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the `trends` of a study, their points (`condition_means`) and its `rank_agreement`.

    Args:
        summary: rows of `tables.summarise`.
        models: rows of `model_table.model_table`.
    """
    means, minima = condition_means(summary), at_minima(summary)
    sharpness, evaluations = (
        list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")
    )
    order = rank_agreement(means, models, [*sharpness, *evaluations])
    return trends(means, sharpness, evaluations), means, order


def condition_means(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row per data set, network and condition with the mean of every measure.

    Args:
        summary: rows of `tables.summarise`; the initial weights are left out.
    """
    require(summary, [*CONDITION, "view", "measure", "mean"], "summary")
    rows = at_minima(summary)
    table = rows.pivot(index=CONDITION, columns="measure", values="mean")
    return table[rows["measure"].unique()].rename_axis(columns=None).reset_index()


def trends(
    means: pd.DataFrame, sharpness: Sequence[str], evaluations: Sequence[str]
) -> pd.DataFrame:
    """Return the slope of each evaluation along each measure of sharpness, over conditions.

    A point is the mean of a condition over its seeds, since seeds of one condition are no
    independent draws of a trend. Slopes are of least squares, with the 95 % interval and two-sided
    p-value of Student's t. Sharpness counts by its decimal logarithm (``scale`` "log10"), unless a
    value of the data set is not positive ("1").

    Over all networks of a data set (``network`` "all") differences between networks make a slope,
    too, which can be the reverse of every network's own (Simpson's paradox). Where there are
    several, ``flips`` says of a network that its slope has the other sign than that over all, and
    of all that every network's has; ``certain`` that all these slopes have intervals without zero.

    Args:
        means: rows of `condition_means`.
        sharpness: columns of it.
        evaluations: columns of it.

    Returns:
        Data frame with the columns `COLUMNS`.

    Raises:
        InputError: a column is missing.
    """
    require(means, ["dataset", "network", *sharpness, *evaluations], "means")
    rows = []
    for dataset, group in means.reset_index(drop=True).groupby("dataset", sort=False):
        for measure in sharpness:
            scale = LOG if (group[measure].dropna() > 0).all() else LINEAR
            x = np.log10(group[measure]) if scale == LOG else group[measure]
            for evaluation in evaluations:
                found = _by_network(x, group[evaluation], group["network"])
                origin = {"dataset": dataset, "sharpness": measure, "evaluation": evaluation}
                rows += [origin | {"scale": scale, "level": LEVEL} | row for row in found]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"flips": object, "certain": object})


def slope(x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """Return ``slope``, ``lower``, ``upper``, ``p_value``, ``n`` and ``note`` of a line.

    Points that are not finite are left out, and y is rounded to 12 decimals, as equal means are
    equal only up to rounding. Fewer than three points, or equal ones, have no slope (NaN).
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float).round(DECIMALS)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if note := _why_missing(x, y):
        nothing = dict.fromkeys(("slope", "lower", "upper", "p_value"), np.nan)
        return nothing | {"n": len(x), "note": note}
    found = stats.linregress(x, y)
    width = stats.t.ppf((1 + LEVEL) / 2, len(x) - 2) * found.stderr
    ends = {"lower": found.slope - width, "upper": found.slope + width}
    return {"slope": found.slope, **ends, "p_value": found.pvalue, "n": len(x), "note": ""}


def rank_agreement(
    means: pd.DataFrame, models: pd.DataFrame, measures: Sequence[str]
) -> pd.DataFrame:
    """Return how far two measures put conditions, and models, of a network in the same order.

    Kendall's τ-b with SciPy's two-sided p-value, of each two measures: 1 for the same order, -1
    for the reverse. ``over`` says of what: the means of "conditions", or single "models", whose
    p-value takes them as independent, which those of one condition are not.

    Args:
        means: rows of `condition_means`.
        models: rows of `model_table.model_table`.
        measures: those compared; a table that lacks one leaves it out.

    Returns:
        Data frame with the columns `ORDER_COLUMNS`.
    """
    rows = []
    for over, table in (("conditions", means), ("models", models)):
        require(table, ["dataset", "network"], over)
        present = [measure for measure in measures if measure in table]
        for (dataset, network), group in table.groupby(["dataset", "network"], sort=False):
            for first, second in combinations(present, 2):
                origin = {"dataset": dataset, "network": network, "first": first}
                found = _order(group[first], group[second])
                rows.append(origin | {"second": second, "over": over} | found)
    return pd.DataFrame(rows, columns=ORDER_COLUMNS)


def _by_network(x: pd.Series, y: pd.Series, networks: pd.Series) -> Iterator[dict[str, Any]]:
    """Yield the slope over all networks, and of each if there are several, with their flags."""
    pooled = slope(x, y)
    if networks.nunique() == 1:
        yield pooled | {"network": networks.iloc[0], "flips": None, "certain": None}
        return
    own = {
        network: slope(x[rows.index], y[rows.index])
        for network, rows in networks.groupby(networks, sort=False)
    }
    flips = {network: _opposite(pooled, found) for network, found in own.items()}
    every = list(own.values())
    reversal = all(flips.values())
    certain = reversal and all(map(_without_zero, [pooled, *every]))
    yield pooled | {"network": ALL_NETWORKS, "flips": reversal, "certain": certain}
    for network, found in own.items():
        certain = flips[network] and _without_zero(found) and _without_zero(pooled)
        yield found | {"network": network, "flips": flips[network], "certain": certain}


def _opposite(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(first["slope"] * second["slope"] < 0)


def _without_zero(found: dict[str, Any]) -> bool:
    return bool(found["lower"] * found["upper"] > 0)


def _order(first: pd.Series, second: pd.Series) -> dict[str, Any]:
    pairs = np.column_stack([first, second]).astype(float)
    x, y = pairs[np.isfinite(pairs).all(axis=1)].T
    note = _why_missing(x, y)
    tau, p_value = (np.nan, np.nan) if note else stats.kendalltau(x, y)
    return {"tau": tau, "p_value": p_value, "n": len(x), "note": note}


def _why_missing(x: np.ndarray, y: np.ndarray) -> str:
    if len(x) < POINTS:
        return f"fewer than {POINTS} points"
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    return "the same for all points" if constant else ""
