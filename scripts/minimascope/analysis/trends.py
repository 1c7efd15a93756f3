"""Slopes of evaluations along sharpness, within networks and over all, and orders of measures.

Both as tables of numbers and as tables to read.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .correlations import ALL_NETWORKS, DECIMALS, finite_pairs
from .measure_names import describe, measures_of
from .model_table import CONDITION, require
from .numbers import MISSING, format_interval, format_number
from .render import Text, captioned
from .tables import at_minima

LEVEL = 0.95
# Fewer points have a line, or an order, that says nothing.
POINTS = 3
LOG, LINEAR = "log10", "1"
COLUMNS = [
    *("dataset", "network", "sharpness", "evaluation", "scale", "slope", "lower", "upper"),
    *("level", "p_value", "n", "flips", "certain", "note"),
]
ORDER_COLUMNS = ["dataset", "network", "first", "second", "over", "tau", "p_value", "n", "note"]
TRENDS_CAPTION = (
    "slope of each evaluation along each measure of sharpness over the conditions' means, with its"
    f" {100 * LEVEL:.0f} % interval (Student's t), in the evaluation's unit per tenfold sharpness,"
    " or per unit of sharpness where that is not positive throughout. All: over the conditions of"
    " all networks together, where differences between networks make a slope, too. Flips: networks"
    " whose slope has the other sign than that (Simpson's paradox, where it is every one); bold:"
    " neither interval holds zero."
)
ORDER_CAPTION = (
    "how far two measures of sharpness put the conditions' means, and the single models, in the"
    " same order: Kendall's τ-b, 1 for the same order and −1 for the reverse, and how many they"
    " are. tables/rank_agreement.csv has the evaluations, too, and p-values."
)


def trend_tables(
    summary: pd.DataFrame, models: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the `trends` of a study, their points (`condition_means`) and its `rank_agreement`."""
    means, minima = condition_means(summary), at_minima(summary)
    sharpness, evaluations = (
        list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")
    )
    order = rank_agreement(means, models, [*sharpness, *evaluations])
    return trends(means, sharpness, evaluations), means, order


def condition_means(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each condition of a network, with the mean of every measure at minima."""
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
    x, y = finite_pairs(x, np.asarray(y, dtype=float).round(DECIMALS))
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
        models: single ones.
        measures: those compared; a table that lacks one leaves it out.
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
    x, y = finite_pairs(first, second)
    note = _why_missing(x, y)
    tau, p_value = (np.nan, np.nan) if note else stats.kendalltau(x, y)
    return {"tau": tau, "p_value": p_value, "n": len(x), "note": note}


def _why_missing(x: np.ndarray, y: np.ndarray) -> str:
    if len(x) < POINTS:
        return f"fewer than {POINTS} points"
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    return "the same for all points" if constant else ""


def text(found: pd.DataFrame, order: pd.DataFrame) -> Text:
    """Return the `trends` of each data set, then the `rank_agreement` of measures of sharpness."""
    slopes = [_slopes(rows, name) for name, rows in found.groupby("dataset", sort=False)]
    measures = set(found["sharpness"])
    between = order[order["first"].isin(measures) & order["second"].isin(measures)]
    orders = [_orders(rows, name) for name, rows in between.groupby("dataset", sort=False)]
    return [*slopes, *orders]


def _slopes(found: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    for (sharpness, evaluation), group in found.groupby(["sharpness", "evaluation"], sort=False):
        scale = "" if group["scale"].iloc[0] == LOG else " (not its logarithm)"
        row = {
            "Sharpness": describe(sharpness, "sharpness").column_label + scale,
            "Evaluation": describe(evaluation).column_label,
        }
        for found_of in group.itertuples():
            name = "All" if found_of.network == ALL_NETWORKS else found_of.network
            row[name] = format_interval(found_of.slope, found_of.lower, found_of.upper, ".3g")
        row["Points"] = group["n"].max()
        rows.append(row | ({"Flips": _flips(group)} if len(group) > 1 else {}))
    return captioned(rows, f"{dataset}: {TRENDS_CAPTION}")


def _orders(order: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    for (first, second), group in order.groupby(["first", "second"], sort=False):
        names = (describe(name, "sharpness").column_label for name in (first, second))
        row = dict(zip(("Measure", "And"), names, strict=True))
        for found in group.itertuples():
            tau = (
                MISSING if pd.isna(found.tau) else f"{format_number(found.tau, '.3g')} ({found.n})"
            )
            row[f"{found.network}, {found.over}"] = tau
        rows.append(row)
    return captioned(rows, f"{dataset}: {ORDER_CAPTION}")


def _flips(group: pd.DataFrame) -> str:
    """Return which networks' slopes have the other sign than that over all."""
    own = group[group["network"] != ALL_NETWORKS]
    flipped = own[own["flips"].eq(True)]
    names = [f"**{row.network}**" if row.certain else row.network for row in flipped.itertuples()]
    return "every one: " + ", ".join(names) if len(names) == len(own) else ", ".join(names)
