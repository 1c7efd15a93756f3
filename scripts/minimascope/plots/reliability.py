"""Figure: reliability diagrams."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.tables import count_seeds
from .style import GREY, HALF_PAGE, ConditionStyle, condition_styles, select, styled

COLUMNS = 2


@styled()
def plot(reliability: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a reliability diagram per condition, pooled over seeds.

    Above, the accuracy of the samples in each bin of confidence against their mean confidence
    (on the dashed line, confidence and accuracy agree); below, the share of samples in the bin.

    Args:
        reliability: columns ``dataset``, ``network``, ``condition``, ``seed``, ``bin_lower``,
            ``bin_upper``, ``count``, ``confidence`` and ``accuracy`` (means over the bin, NaN
            where it is empty).
        dataset: whose rows are drawn.
        network: whose rows are drawn.

    Raises:
        InputError: if the data frame has no rows of the data set and network.
    """
    reliability = select(reliability, dataset, network)
    styles = condition_styles(reliability["condition"].unique())
    pooled = _pool(reliability)
    rows = math.ceil(len(styles) / COLUMNS)
    figure = Figure(figsize=(HALF_PAGE, 0.3 + 2.3 * rows), layout="constrained")
    seeds = count_seeds(reliability.groupby("condition")["seed"].nunique())
    figure.suptitle(f"{network} on {dataset}, {seeds} pooled")
    parts = figure.subfigures(rows, COLUMNS, squeeze=False)
    for part, (condition, style) in zip(parts.flat, styles.items(), strict=False):
        diagram, histogram = part.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw(diagram, histogram, pooled.loc[condition], style)
        diagram.set_title(condition)
    return figure


def _pool(reliability: pd.DataFrame) -> pd.DataFrame:
    """Return counts, mean confidence and mean accuracy per (condition, bin) over all seeds."""
    weighted = reliability.assign(
        confidence=reliability["confidence"] * reliability["count"],
        accuracy=reliability["accuracy"] * reliability["count"],
    )
    sums = weighted.groupby(["condition", "bin_lower", "bin_upper"], sort=False)[
        ["count", "confidence", "accuracy"]
    ].sum()
    for column in ("confidence", "accuracy"):
        sums[column] = (sums[column] / sums["count"]).where(sums["count"] > 0)
    return sums


def _draw(diagram: Axes, histogram: Axes, bins: pd.DataFrame, style: ConditionStyle) -> None:
    """Draw one condition; the frame's index is (bin_lower, bin_upper)."""
    lower, upper = (bins.index.get_level_values(side) for side in ("bin_lower", "bin_upper"))
    filled = bins.dropna()
    diagram.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    diagram.plot(filled["confidence"], filled["accuracy"], color=style.colour, marker=style.marker)
    diagram.set_ylim(-0.03, 1.03)
    diagram.set_ylabel("Accuracy\n(fraction)")
    share = 100 * bins["count"] / bins["count"].sum()
    histogram.bar(lower, share, upper - lower, align="edge", color=style.colour, edgecolor="white")
    histogram.set_xlim(-0.03, 1.03)
    histogram.set_xlabel("Confidence (fraction)")
    histogram.set_ylabel("Samples\n(%)")
