"""Figure: reliability diagrams."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.numbers import count_seeds
from .looks import Look, study_looks
from .scales import draw_axis
from .style import GREY, HALF_PAGE, balanced, new_figure, select, wrap_name

PANEL = (2.3, 3.0)  # inches, of a diagram and its histogram
# The accuracy of bins with fewer predictions says little: its standard error is up to 0.5/√n.
FEWEST = 20


def plot(reliability: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a reliability diagram per condition, pooled over seeds.

    Above, the accuracy of the predictions in each bin of confidence against their mean confidence
    (on the dashed line the two agree), with its binomial standard error; bins of fewer than 20
    predictions are left out. Below, how many predictions each bin holds, on a logarithmic axis.

    Args:
        reliability: columns ``dataset``, ``network``, ``condition``, ``seed``, ``bin_lower``,
            ``bin_upper``, ``count``, ``confidence`` and ``accuracy`` (means over the bin, NaN
            where it is empty).
        conditions: of the whole study.
    """
    reliability = select(reliability, dataset, network)
    pooled = _pool(reliability)
    looks = {
        condition: look
        for condition, look in study_looks(conditions).of.items()
        if condition in set(reliability["condition"])
    }
    columns = balanced(len(looks))
    rows = math.ceil(len(looks) / columns)
    seeds = count_seeds(reliability.groupby("condition")["seed"].nunique())
    title = f"{network} on {dataset}, {seeds} pooled"
    figure = new_figure(title, max(HALF_PAGE, PANEL[0] * columns), 0.3 + PANEL[1] * rows)
    figure.get_layout_engine().set(h_pad=0.07)  # inches, between one's axis and the next's name
    grid = figure.add_gridspec(rows, columns)
    titles = {condition: wrap_name(condition) for condition in looks}
    breaks = max(title.count("\n") for title in titles.values())
    for cell, (condition, look) in zip(grid, looks.items(), strict=False):
        part = cell.subgridspec(2, 1, height_ratios=[2, 1])
        diagram, histogram = part.subplots(sharex=True)
        _draw(diagram, histogram, pooled.loc[condition], look, pooled["count"].max())
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


def _draw(diagram: Axes, histogram: Axes, bins: pd.DataFrame, look: Look, largest: int) -> None:
    """Draw one condition.

    The index of ``bins`` is (bin_lower, bin_upper); ``largest`` is the highest count of all
    conditions.
    """
    lower, upper = (bins.index.get_level_values(side) for side in ("bin_lower", "bin_upper"))
    shown = bins[bins["count"] >= FEWEST]
    diagram.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    accuracy = shown["accuracy"]
    diagram.errorbar(
        100 * shown["confidence"],
        100 * accuracy,
        100 * np.sqrt(accuracy * (1 - accuracy) / shown["count"]),
        color=look.colour,
        marker=look.marker,
        linestyle="none",  # between bins of few predictions it would jump
        elinewidth=0.8,
        clip_on=False,
    )
    diagram.set_ylim(-3, 103)
    diagram.set_yticks([0, 50, 100])
    diagram.set_ylabel("Accuracy (%)")
    width = 100 * (upper - lower)
    histogram.bar(100 * lower, bins["count"], width, align="edge", color=look.colour, ec="white")
    draw_axis(histogram.yaxis, "Predictions", [1, largest], logarithmic=True)
    histogram.set_ylim(0.5, 2 * largest)
    histogram.set_xlim(-3, 103)
    histogram.set_xticks([0, 50, 100])
    histogram.set_xlabel("Confidence (%)")
