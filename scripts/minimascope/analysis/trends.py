"""Slopes of evaluations along sharpness, within networks and over all, and orders of measures.

Both as tables of numbers and as tables to read.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .correlations import ALL_NETWORKS, DECIMALS, with_p_value, without_intervals
from .differences import Difference, Estimate
from .evidence import LEVEL, SIGNIFICANT
from .measure_names import describe, measures_of
from .model_table import CONDITION, require
from .numbers import format_interval, format_number, span
from .rank_correlation import FEWEST, finite_pairs, rank_correlation, why_missing
from .render import Text, captioned
from .smallest_difference import SmallestDifference
from .summary import PAIR_MEASURES
from .tables import at_minima
from .wording import in_words

LOG, LINEAR = "log10", "1"
# Ends the column of a measure's standard error.
ERROR = "_sem"
TOO_FEW = f"too few: an interval takes {FEWEST} conditions or more"
COLUMNS = [
    *("dataset", "network", "sharpness", "evaluation", "scale", "slope", "lower", "upper"),
    *("level", "p_value", "n", "flips", "certain", "note"),
]
ORDER_COLUMNS = [
    *("dataset", "network", "first", "second", "value", "lower", "upper", "p_value", "n", "note"),
]
TRENDS_CAPTION = (
    "slope of each evaluation along each measure of sharpness over the conditions' means, with its"
    f" {100 * LEVEL:.0f} % interval (Student's t), in the evaluation's unit per tenfold sharpness,"
    " or per unit of sharpness where that is not positive throughout. The interval takes conditions"
    f" as independent draws; with fewer than {FEWEST} there is none, as for correlations. All: over"
    " the conditions of all networks together, where differences between networks make a slope,"
    " too. Flips: networks whose slope has the other sign than that,"
    " which can be chance (Simpson's paradox, where it is every one). Bold: these are surely of"
    " opposite signs, at 95 % for all rows together."
)
ORDER_CAPTION = (
    "whether two measures of sharpness put the conditions' means in the same order: Spearman's ρ"
    f" with its {100 * LEVEL:.0f} % interval and p-value, 1 for the same order and −1 for the"
    " reverse. tables/rank_agreement.csv has the evaluations, too."
)


def trend_tables(
    summary: pd.DataFrame, values: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the `trends` of a study, their points (`condition_means`) and its `rank_agreement`.

    Args:
        summary: of `summary.summarise`.
        values: of `summary.seed_values`.
    """
    means, minima = condition_means(summary, values), at_minima(summary)
    sharpness, evaluations = (
        list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")
    )
    order = rank_agreement(means, [*sharpness, *evaluations])
    return trends(means, sharpness, evaluations), means, order


def condition_means(summary: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each condition, with the mean and error of every measure at minima.

    Means are over the seeds that trained. A measure of pairs of models has none where a seed did
    not train, since its pairs hold that model. Evaluations are rounded to 12 decimals: means of
    the same numbers in another order differ by less, which would break ties.

    Args:
        summary: of `summary.summarise`, for the measures of pairs.
        values: of `summary.seed_values`, for all others.

    Returns:
        Columns ``dataset``, ``network``, ``condition``, ``n_untrained`` (seeds that did not train)
        and two for each measure: its mean, and with `ERROR` its standard error over seeds.
    """
    require(summary, [*CONDITION, "view", "measure", "mean", "sem", "n_untrained"], "summary")
    require(values, [*CONDITION, "measure", "value", "trained"], "seed_values")
    rows = at_minima(summary)
    pairs = rows[rows["measure"].isin(PAIR_MEASURES) & (rows["n_untrained"] == 0)]
    single = values[values["trained"] & ~values["measure"].isin(PAIR_MEASURES)]
    keys = [*CONDITION, "measure"]
    of_seeds, of_pairs = single.groupby(keys)["value"], pairs.set_index(keys)
    measures = rows["measure"].unique()
    table = _by_measure([of_seeds.mean(), of_pairs["mean"]], measures)
    errors = _by_measure([of_seeds.sem(), of_pairs["sem"]], measures).add_suffix(ERROR)
    table = table.round(dict.fromkeys(measures_of(rows, "evaluation"), DECIMALS))
    untrained = rows.groupby(CONDITION, sort=False)["n_untrained"].max()
    return untrained.to_frame().join(table).join(errors).reset_index()


def _by_measure(parts: Sequence[pd.Series], measures: Sequence[str]) -> pd.DataFrame:
    """Return values by condition and measure as a table with a column for each measure."""
    table = pd.concat([part for part in parts if len(part)] or parts).unstack()
    return table.reindex(columns=measures)


def trends(
    means: pd.DataFrame, sharpness: Sequence[str], evaluations: Sequence[str]
) -> pd.DataFrame:
    """Return the slope of each evaluation along each measure of sharpness, over conditions.

    A point is the mean of a condition over the seeds that trained, since seeds of one condition
    are not independent draws of a trend. Slopes are those of least squares, with the 95 % interval
    and two-sided p-value of Student's t. Sharpness counts by its decimal logarithm
    (``scale`` "log10"),
    unless a value of the data set is not positive ("1").

    Over all networks of a data set (``network`` "all") differences between networks make a slope,
    too, which can be the reverse of every network's own (Simpson's paradox). Where there are
    several, ``flips`` says of a network that its slope has the other sign than that over all, and
    of all that every network's has, which can be chance. ``certain`` says of the latter that it is
    none, by the test of claim 5 with no smallest slope that matters: the largest p-value of these
    slopes, times the number of pairs of a measure and an evaluation, is at most 0.025.

    Args:
        means: rows of `condition_means`.
        sharpness: columns of it.
        evaluations: columns of it.

    Raises:
        InputError: a column is missing.
    """
    require(means, ["dataset", "network", *sharpness, *evaluations], "means")
    rows, pairs = [], len(sharpness) * len(evaluations)
    for dataset, group in means.reset_index(drop=True).groupby("dataset", sort=False):
        for measure in sharpness:
            scale = LOG if (group[measure].dropna() > 0).all() else LINEAR
            x = np.log10(group[measure]) if scale == LOG else group[measure]
            for evaluation in evaluations:
                found = _by_network(x, group[evaluation], group["network"], pairs)
                origin = {"dataset": dataset, "sharpness": measure, "evaluation": evaluation}
                rows += [origin | {"scale": scale, "level": LEVEL} | row for row in found]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"flips": object, "certain": object})


def slope(x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """Return ``slope``, ``lower``, ``upper``, ``p_value``, ``n`` and ``note`` of a line.

    Points that are not finite are left out, and y is rounded to 12 decimals, as equal means are
    equal only up to rounding. Fewer than three points, or equal ones, have no slope (NaN). Fewer
    than five have neither interval nor p-value, as a `rank_correlation.rank_correlation`.
    """
    x, y = finite_pairs(x, np.asarray(y, dtype=float).round(DECIMALS))
    missing = dict.fromkeys(("slope", "lower", "upper", "p_value"), np.nan) | {"n": len(x)}
    if note := why_missing(x, y, ("sharpness", "evaluation")):
        return missing | {"note": note}
    found = stats.linregress(x, y)
    if len(x) < FEWEST:
        return missing | {"slope": found.slope, "note": TOO_FEW}
    width = stats.t.ppf((1 + LEVEL) / 2, len(x) - 2) * found.stderr
    ends = {"lower": found.slope - width, "upper": found.slope + width}
    return {"slope": found.slope, **ends, "p_value": found.pvalue, "n": len(x), "note": ""}


def slope_difference(
    x: Sequence[float], y: Sequence[float], smallest: SmallestDifference
) -> Difference:
    """Return the `slope` of y along x as a difference from zero, in the unit of y per unit of x.

    What matters is a slope that changes y by δ over the range of x. Where δ is a share of the mean
    of y, the error of that mean counts: it is σ(x) times that of the slope, and independent of it.

    Args:
        x: one value per point, of which at least five are finite.
        y: likewise.
        smallest: the smallest difference of y that matters.
    """
    found, (x, y) = slope(x, y), finite_pairs(x, y)
    df = len(x) - 2
    error = (found["upper"] - found["slope"]) / stats.t.ppf((1 + LEVEL) / 2, df)
    mean, spread = y.mean(), np.ptp(x)
    delta, share = float(smallest.of(mean)) / spread, float(smallest.share(mean)) / spread
    beyond = error * math.hypot(1, share * x.std())
    sides = (Estimate(found["slope"] + sign * delta, beyond, df) for sign in (-1, 1))
    return Difference(Estimate(found["slope"], error, df), delta, *sides)


def rank_agreement(means: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return how far two measures put the conditions of a network in the same order.

    That is the `rank_correlation.rank_correlation` of each two measures, with its interval and
    p-value.

    Args:
        means: rows of `condition_means`.
        measures: those compared.

    Raises:
        InputError: a column is missing.
    """
    require(means, ["dataset", "network", *measures], "means")
    rows = []
    for (dataset, network), group in means.groupby(["dataset", "network"], sort=False):
        for pair in combinations(measures, 2):
            origin = {"dataset": dataset, "network": network}
            origin |= dict(zip(("first", "second"), pair, strict=True))
            words = tuple(map(in_words, pair))
            rows.append(origin | rank_correlation(*(group[name] for name in pair), words))
    return pd.DataFrame(rows, columns=ORDER_COLUMNS)


def _by_network(
    x: pd.Series, y: pd.Series, networks: pd.Series, pairs: int
) -> Iterator[dict[str, Any]]:
    """Yield the slope over all networks, and of each if there are several, with their flags.

    Args:
        x: sharpness.
        y: evaluation.
        networks: the network of each point.
        pairs: how many pairs of a measure and an evaluation are looked at.
    """
    pooled = slope(x, y)
    if networks.nunique() == 1:
        yield pooled | {"network": networks.iloc[0], "flips": None, "certain": None}
        return
    own = {
        network: slope(x[rows.index], y[rows.index])
        for network, rows in networks.groupby(networks, sort=False)
    }
    flips = {network: _opposite(pooled, found) for network, found in own.items()}
    reversal = all(flips.values())
    # Two-sided, since the claim is about a reversal in either direction.
    least_sure = np.max([found["p_value"] for found in (pooled, *own.values())])
    # Where one of them has no p-value, nothing is certain.
    certain = reversal and bool(pairs * least_sure <= SIGNIFICANT)
    yield pooled | {"network": ALL_NETWORKS, "flips": reversal, "certain": certain}
    for network, found in own.items():
        yield found | {"network": network, "flips": flips[network], "certain": None}


def _opposite(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return bool(first["slope"] * second["slope"] < 0)


def text(found: pd.DataFrame, order: pd.DataFrame) -> Text:
    """Return the `trends` of each data set, then the `rank_agreement` of measures of sharpness."""
    slopes = [_slopes(rows, name) for name, rows in found.groupby("dataset", sort=False)]
    measures = set(found["sharpness"])
    between = order[order["first"].isin(measures) & order["second"].isin(measures)]
    orders = [_orders(rows, name) for name, rows in between.groupby("dataset", sort=False)]
    return [*slopes, *orders]


def _slopes(found: pd.DataFrame, dataset: str) -> pd.DataFrame | str:
    if line := without_intervals(found, dataset, "trends"):
        return line
    rows = []
    for (sharpness, evaluation), group in found.groupby(["sharpness", "evaluation"], sort=False):
        scale = "" if group["scale"].iloc[0] == LOG else " (not its logarithm)"
        row = {
            "Sharpness": describe(sharpness, "sharpness").column_label + scale,
            "Evaluation": describe(evaluation).column_label,
        }
        for found_of in group.itertuples():
            name = "All" if found_of.network == ALL_NETWORKS else found_of.network
            row[name] = _slope(found_of)
        row["Points"] = group["n"].max()
        rows.append(row | ({"Flips": _flips(group)} if len(group) > 1 else {}))
    return captioned(rows, f"{dataset}: {TRENDS_CAPTION}")


def _slope(row: tuple) -> str:
    """Return a slope with its interval, or with the words "too few"."""
    if not pd.isna(row.slope) and pd.isna(row.lower):
        return f"{format_number(row.slope, '.3g')} (too few)"
    return format_interval(row.slope, row.lower, row.upper, ".3g")


def _orders(order: pd.DataFrame, dataset: str) -> pd.DataFrame | str:
    if line := without_intervals(order, dataset, "rank_agreement"):
        return line
    rows = []
    for (first, second), group in order.groupby(["first", "second"], sort=False):
        names = (describe(name, "sharpness").column_label for name in (first, second))
        row = dict(zip(("Measure", "And"), names, strict=True))
        row |= {found.network: with_p_value(found) for found in group.itertuples()}
        rows.append(row | {"Conditions": span(group["n"])})
    return captioned(rows, f"{dataset}: {ORDER_CAPTION}")


def _flips(group: pd.DataFrame) -> str:
    """Return which networks' slopes have the other sign than that over all."""
    pooled = group["network"] == ALL_NETWORKS
    names = ", ".join(group.loc[~pooled & group["flips"].eq(True), "network"])
    if not group.loc[pooled, "flips"].eq(True).any():
        return names
    text = f"every one: {names}"
    return f"**{text}**" if group.loc[pooled, "certain"].eq(True).any() else text
