"""Slopes within and over networks, and the orders of measures, as tables to read."""

import pandas as pd

from .correlations import ALL_NETWORKS
from .measure_names import describe
from .numbers import MISSING, format_number
from .render import Text
from .trends import LEVEL, LOG

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


def text(found: pd.DataFrame, order: pd.DataFrame) -> Text:
    """Return the slopes of each data set, then how far its measures of sharpness order alike.

    Args:
        found: rows of `trends.trends`.
        order: rows of `trends.rank_agreement`.
    """
    slopes = [_slopes(rows, name) for name, rows in found.groupby("dataset", sort=False)]
    measures = set(found["sharpness"])
    between = order[order["first"].isin(measures) & order["second"].isin(measures)]
    orders = [_orders(rows, name) for name, rows in between.groupby("dataset", sort=False)]
    return [*slopes, *orders]


def _slopes(found: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    for (sharpness, evaluation), group in found.groupby(["sharpness", "evaluation"], sort=False):
        cells = {
            "All" if row.network == ALL_NETWORKS else row.network: _slope(row)
            for row in group.itertuples()
        }
        scale = "" if group["scale"].iloc[0] == LOG else " (not its logarithm)"
        names = {
            "Sharpness": _label(sharpness, "sharpness") + scale,
            "Evaluation": _label(evaluation, "evaluation"),
        }
        flips = {"Flips": _flips(group)} if len(group) > 1 else {}
        rows.append(names | cells | {"Points": group["n"].max()} | flips)
    table = pd.DataFrame(rows).set_index("Sharpness")
    table.attrs["caption"] = f"{dataset}: {TRENDS_CAPTION}"
    return table


def _orders(order: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    for (first, second), group in order.groupby(["first", "second"], sort=False):
        names = {"Measure": _label(first, "sharpness"), "And": _label(second, "sharpness")}
        cells = {
            f"{row.network}, {row.over}": MISSING
            if pd.isna(row.tau)
            else f"{format_number(row.tau, '.3g')} ({row.n})"
            for row in group.itertuples()
        }
        rows.append(names | cells)
    table = pd.DataFrame(rows).set_index("Measure")
    table.attrs["caption"] = f"{dataset}: {ORDER_CAPTION}"
    return table


def _flips(group: pd.DataFrame) -> str:
    """Return which networks' slopes have the other sign than that over all."""
    own = group[group["network"] != ALL_NETWORKS]
    flipped = own[own["flips"].eq(True)]
    names = [f"**{row.network}**" if row.certain else row.network for row in flipped.itertuples()]
    return "every one: " + ", ".join(names) if len(names) == len(own) else ", ".join(names)


def _slope(row: tuple) -> str:
    if pd.isna(row.slope):
        return MISSING
    slope, lower, upper = (format_number(x, ".3g") for x in (row.slope, row.lower, row.upper))
    return f"{slope} [{lower}, {upper}]"


def _label(measure: str, family: str) -> str:
    return describe(measure, family, "1").column_label
