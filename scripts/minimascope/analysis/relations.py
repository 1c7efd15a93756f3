"""How sharpness is related to evaluations over all models of a study, and that as text."""

import re

import pandas as pd

from .correlations import ALL_NETWORKS, cells, correlations, to_read, without_intervals
from .evidence import LEVEL
from .measure_names import describe, measures_of
from .numbers import format_estimate, format_interval, format_percent
from .render import Text, captioned, joined
from .tables import at_minima
from .variance import INTERACTION, JOINT, ONE_WAY, TOTAL, variance_shares

FACTORS = {
    "optimizer": "optimiser",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "base_condition": "condition",
    "model": "all together",
}
FACTOR = re.compile(rf"\b({'|'.join(FACTORS)})\b")
CORRELATIONS_CAPTION = (
    "Spearman's rank correlation of sharpness with evaluations: value,"
    f" {100 * LEVEL:.0f} % interval and two-sided p-value, not adjusted for the number of"
    " correlations. A point is the mean of a condition over its seeds, and n counts the conditions."
    " Interval and p-value take conditions as independent draws."
)
POOLED_CAPTION = (
    " Over all networks, points are clustered by network, and a difference between networks looks"
    " like a correlation: there, interval and p-value say nothing about other networks. Rows of"
    " single networks are free of that."
)
SHARES_CAPTION = (
    "Share of variance over trained models that goes with each setting, as categories. One-way:"
    " between groups, over the total (η²); in a design that is not balanced these shares overlap."
    " Joint: what a linear model of all of them loses without this one (type II), over the total;"
    " what settings explain together counts for none of them. With interactions: what a linear"
    " model with all interactions of two settings loses without this one and its interactions, or"
    " without the one interaction, less what noise adds to it on average. [ ]:"
    f" {100 * LEVEL:.0f} % interval of the share over endless seeds, of these settings in these"
    " numbers. ln: of the natural logarithm."
)
TESTED = " p: of the F test, two-sided, which takes models as independent draws."
NOT_TESTED = " There is no p-value: a condition has several seeds, which are not independent draws."


def relations(
    summary: pd.DataFrame, means: pd.DataFrame, models: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `correlations` and the `variance_shares` of the measures of a study.

    Args:
        summary: of `summary.summarise`, for the names of measures.
        means: of conditions, see `trends.condition_means`.
        models: single ones, see `model_table.model_table`.
    """
    minima = at_minima(summary)
    sharpness, evaluations = (
        list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")
    )
    return correlations(means, sharpness, evaluations), variance_shares(models, sharpness)


def text(found: pd.DataFrame, shares: pd.DataFrame) -> Text:
    """Return the `correlations` of each data set, then its `variance_shares`."""
    correlated = (_correlations(rows, name) for name, rows in found.groupby("dataset", sort=False))
    explained = (_shares(rows, name) for name, rows in shares.groupby("dataset", sort=False))
    return [*correlated, *explained]


def _correlations(found: pd.DataFrame, dataset: str) -> pd.DataFrame | str:
    found = to_read(found)
    if line := without_intervals(found, dataset, "correlations"):
        return f"{line}{_left_out(found)}"
    rows = [
        {
            "Network": row.network,
            "Sharpness": describe(row.sharpness, "sharpness").label,
            "Evaluation": describe(row.evaluation).label,
            **cells(row),
        }
        for row in found.itertuples()
    ]
    pooled = POOLED_CAPTION if found["network"].eq(ALL_NETWORKS).any() else ""
    return captioned(rows, f"{dataset}: {CORRELATIONS_CAPTION}{pooled}{_left_out(found)}")


def _shares(shares: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows, tested = [], shares["p_value"].notna().any()
    for (response, factor), group in shares.groupby(["response", "factor"], sort=False):
        by_kind = {row.kind: row for row in group.itertuples()}
        logarithm = group["scale"].iloc[0] == "ln"
        label = describe(response, "sharpness" if logarithm else "evaluation").label
        row = {
            "Response": f"ln {label}" if logarithm else label,
            "Setting": _in_words(factor),
        }
        for kind, name in ((ONE_WAY, "One-way"), (JOINT, "Joint")):
            found = by_kind.get(kind)
            row[name] = _share(found) if found else ""
            if tested:
                row[f"p, {name.lower()}"] = format_estimate(found.p_value) if found else ""
        row["With interactions"] = next(
            (_share(by_kind[kind]) for kind in (TOTAL, INTERACTION) if kind in by_kind), ""
        )
        rows.append(row | {"n": group["n"].iloc[0], "Note": _in_words(joined(group["note"]))})
    caption = f"{SHARES_CAPTION}{TESTED if tested else NOT_TESTED}{_left_out(shares)}"
    return captioned(rows, f"{dataset}: {caption}")


def _share(row: tuple) -> str:
    """Return a share in percent, with its interval where it has one."""
    if pd.isna(row.lower):
        return format_percent(row.value, ".1f")
    numbers = (100 * share for share in (row.value, row.lower, row.upper))
    return f"{format_interval(*numbers, '.1f')} %"


def _in_words(text: str) -> str:
    """Return a text with names of settings in words."""
    return FACTOR.sub(lambda found: FACTORS[found[0]], text)


def _left_out(rows: pd.DataFrame) -> str:
    most = rows["left_out"].max()
    if not most:
        return ""
    return f" Left out, since they did not train: {most}."
