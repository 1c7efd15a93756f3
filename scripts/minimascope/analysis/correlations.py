"""How closely sharpness goes with evaluations from condition to condition."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ..registry import ALL_NETWORKS
from .model_table import require
from .numbers import MISSING, format_interval, format_number
from .rank_correlation import FEWEST, rank_correlation

COLUMNS = [
    *("dataset", "network", "sharpness", "evaluation", "statistic", "value", "lower", "upper"),
    *("p_value", "n", "left_out", "note"),
]
STATISTIC, LABEL = "spearman", "Spearman's ρ"
# Means of accuracies that are equal differ by less; as they are, they would break ties.
DECIMALS = 12
# Smaller p-values say no more.
SMALLEST_P = 0.001


def correlations(
    means: pd.DataFrame, sharpness: Sequence[str], evaluations: Sequence[str]
) -> pd.DataFrame:
    """Return Spearman's rank correlation of each measure of sharpness with each evaluation.

    Of a data set, over the conditions of all its networks, and of each network. A point is the mean
    of a condition over the seeds that trained, since seeds of one condition are no independent
    draws. See `rank_correlation.rank_correlation` for interval and p-value, which take conditions
    as independent. Over all networks they are clustered by network, so that there both say nothing
    about other networks.

    Args:
        means: rows of `trends.condition_means`; ``left_out`` counts the models that did not
            train.
        sharpness: columns of it.
        evaluations: likewise.

    Raises:
        InputError: a column is missing.
    """
    require(means, ["dataset", "network", "n_untrained", *sharpness, *evaluations], "means")
    rows = []
    for (dataset, network), group in groups(means):
        origin = {"dataset": dataset, "network": network, "left_out": group["n_untrained"].sum()}
        for measure, evaluation in product(sharpness, evaluations):
            names = {"sharpness": measure, "evaluation": evaluation}
            rows.append(origin | names | correlate(group[measure], group[evaluation]))
    return pd.DataFrame(rows, columns=COLUMNS)


def correlate(
    sharpness: Sequence[float],
    evaluation: Sequence[float],
    names: tuple[str, str] = ("sharpness", "evaluation"),
) -> dict[str, Any]:
    """Return the `rank_correlation` of an evaluation, rounded to 12 decimals, with sharpness."""
    rounded = np.asarray(evaluation, dtype=float).round(DECIMALS)
    return {"statistic": STATISTIC} | rank_correlation(sharpness, rounded, names)


def groups(rows: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield the rows of each data set together, then of each of its networks."""
    for dataset, group in rows.groupby("dataset", sort=False):
        yield (dataset, ALL_NETWORKS), group
        for network, part in group.groupby("network", sort=False):
            yield (dataset, network), part


def to_read(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a data set without those over all networks if there is only one."""
    pooled = found["network"] == ALL_NETWORKS
    return found if found.loc[~pooled, "network"].nunique() > 1 else found[~pooled]


def without_intervals(rows: pd.DataFrame, dataset: str, what: str) -> str | None:
    """Return the line that stands in place of a table in which no row has an interval."""
    if rows["lower"].notna().any():
        return None
    return (
        f"{dataset}: there are too few conditions for intervals, which take {FEWEST} or more;"
        f" tables/{what}.csv has the values without."
    )


def cells(row: tuple) -> dict[str, Any]:
    """Return a correlation, its number of conditions and its note as cells of a table to read."""
    note = row.note if isinstance(row.note, str) else ""
    return {LABEL: with_p_value(row), "n": row.n, "Note": note}


def with_p_value(row: tuple) -> str:
    """Return a correlation with its interval and p-value as text, or with the words "too few"."""
    if pd.isna(row.value):
        return MISSING
    if pd.isna(row.lower):
        return f"{format_number(row.value, '.2f')} (too few)"
    p = f"= {format_number(row.p_value, '.2g')}"
    p = f"< {SMALLEST_P}" if row.p_value < SMALLEST_P else p
    return f"{format_interval(row.value, row.lower, row.upper, '.2f')}, p {p}"
