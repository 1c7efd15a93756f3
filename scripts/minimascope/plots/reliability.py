"""Figure: reliability diagrams."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..analysis.numbers import count_seeds
from .style import (
    GREY,
    HALF_PAGE,
    ConditionStyle,
    condition_styles,
    new_figure,
    select,
    set_log,
    wrap_name,
)

COLUMNS = 3


def plot(reliability: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a reliability diagram per condition, pooled over seeds.

    Above, the accuracy of the samples in each bin of confidence against their mean confidence
    (on the dashed line the two agree); below, how many samples are in the bin, on a
    logarithmic axis.

    Args:
        reliability: columns ``dataset``, ``network``, ``condition``, ``seed``, ``bin_lower``,
            ``bin_upper``, ``count``, ``confidence`` and ``accuracy`` (means over the bin, NaN
            where it is empty).
    """
    reliability = select(reliability, dataset, network)
    styles = condition_styles(reliability["condition"].unique())
    pooled = _pool(reliability)
    rows = math.ceil(len(styles) / COLUMNS)
    seeds = count_seeds(reliability.groupby("condition")["seed"].nunique())
    title = f"{network} on {dataset}, {seeds} pooled"
    figure = new_figure(title, COLUMNS * HALF_PAGE / 2, 0.3 + 2.35 * rows)
    figure.get_layout_engine().set(h_pad=0.07)  # inches, between one's axis and the next's name
    grid = figure.add_gridspec(rows, COLUMNS)
    titles = {condition: wrap_name(condition) for condition in styles}
    breaks = max(title.count("\n") for title in titles.values())
    for cell, (condition, style) in zip(grid, styles.items(), strict=False):
        part = cell.subgridspec(2, 1, height_ratios=[3, 1])
        diagram, histogram = part.subplots(sharex=True)
        _draw(diagram, histogram, pooled.loc[condition], style, pooled["count"].max())
        title = titles[condition]
        diagram.set_title("\n" * (breaks - title.count("\n")) + title)  # as high as the others
        figure.align_ylabels([diagram, histogram])
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


def _draw(
    diagram: Axes, histogram: Axes, bins: pd.DataFrame, style: ConditionStyle, largest: int
) -> None:
    """Draw one condition.

    The index of ``bins`` is (bin_lower, bin_upper); ``largest`` is the highest count of all
    conditions.
    """
    lower, upper = (bins.index.get_level_values(side) for side in ("bin_lower", "bin_upper"))
    filled = bins.dropna()
    diagram.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    diagram.plot(
        100 * filled["confidence"],
        100 * filled["accuracy"],
        color=style.colour,
        marker=style.marker,
        clip_on=False,
    )
    diagram.set_ylim(-3, 103)
    diagram.set_yticks([0, 50, 100])
    diagram.set_ylabel("Accuracy (%)")
    width = 100 * (upper - lower)
    histogram.bar(100 * lower, bins["count"], width, align="edge", color=style.colour, ec="white")
    set_log(histogram.yaxis, [1, largest])
    histogram.yaxis.set_major_locator(LogLocator(numticks=3))
    histogram.set_ylim(0.5, 2 * largest)
    histogram.set_xlim(-3, 103)
    histogram.set_xticks([0, 50, 100])
    histogram.set_xlabel("Confidence (%)")
    histogram.set_ylabel("Samples\n(count)")
