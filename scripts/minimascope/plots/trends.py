"""Figure: evaluations along sharpness, within each network and over all (Simpson's paradox)."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.correlations import ALL_NETWORKS
from ..analysis.tables import MAIN_MEASURES
from ..analysis.trends import LOG
from .models import measure_label
from .style import (
    ConditionStyle,
    align_labels,
    condition_handles,
    condition_styles,
    notice,
    panel_grid,
    select,
    set_log,
)

PANEL = (1.75, 1.6)  # inches
POOLED = {"color": "black", "linestyle": "-", "linewidth": 1.6, "alpha": 0.6}


def plot(trends: pd.DataFrame, trend_points: pd.DataFrame, dataset: str) -> Figure:
    """Return a grid of scatter plots: rows are evaluations, columns measures of sharpness.

    A dot is the mean of a condition over its seeds, its colour and marker the network. Lines are
    those of least squares: of each network in its colour, of all together black. "flips" stands
    above a panel where a network's slope has the other sign than that of all together, "reversal"
    where every network's has; with an exclamation mark no interval of these slopes holds zero.
    Evaluations are those of the main table.

    Args:
        trends: rows of `analysis.trends.trends`.
        trend_points: rows of `analysis.trends.condition_means`.
    """
    points = select(trend_points, dataset)
    rows = select(trends, dataset, required=False)
    rows = rows[rows["slope"].notna() & rows["evaluation"].isin(MAIN_MEASURES)]
    if rows.empty:
        return notice(dataset, "too few conditions for a trend")
    sharpness, evaluations = (list(rows[name].unique()) for name in ("sharpness", "evaluation"))
    styles = condition_styles(points["network"].unique())
    handles = condition_handles(styles, lines=True)
    if len(styles) > 1:
        handles.append(Line2D([], [], **POOLED, label="all networks"))
    figure, grid = panel_grid(
        f"{dataset}: means of conditions",
        len(evaluations) * len(sharpness),
        len(sharpness),
        PANEL,
        handles,
        margins=(0.7, 0.9),
        sharex="col",
        sharey="row",
    )
    for axes, (evaluation, measure) in zip(grid, product(evaluations, sharpness), strict=True):
        here = (rows["sharpness"] == measure) & (rows["evaluation"] == evaluation)
        _draw(axes, points, rows[here], (measure, evaluation), styles)
        axes.set(xlabel=measure_label(measure, 26), ylabel=measure_label(evaluation, 22))
        axes.label_outer()
    align_labels(figure)
    return figure


def _draw(
    axes: Axes,
    points: pd.DataFrame,
    rows: pd.DataFrame,
    names: tuple[str, str],
    styles: Mapping[str, ConditionStyle],
) -> None:
    """Draw one panel: the points of all networks, and a line for each slope."""
    points = points[["network", *names]].dropna().set_axis(["network", "x", "y"], axis=1)
    logarithmic = len(rows) > 0 and rows["scale"].iloc[0] == LOG
    for network, own in points.groupby("network", sort=False):
        axes.plot(own["x"], own["y"], **styles[network].dots, markersize=3.5)
    for row in rows.itertuples():
        pooled = row.network == ALL_NETWORKS
        own = points if pooled else points[points["network"] == row.network]
        look = POOLED if pooled else styles[row.network].line | {"marker": "None", "linewidth": 1.0}
        x = np.log10(own["x"]) if logarithmic else own["x"]
        ends = np.array([x.min(), x.max()])
        # A line of least squares leads through the mean.
        heights = own["y"].mean() + row.slope * (ends - x.mean())
        axes.plot(10**ends if logarithmic else ends, heights, **look, zorder=1)
    if logarithmic:
        set_log(axes.xaxis, points["x"], ticks=4)
    axes.set_title(_flag(rows), loc="right", pad=2)


def _flag(rows: pd.DataFrame) -> str:
    """Return whether the slopes of networks and that of all together have different signs."""
    flipped = rows[rows["flips"].eq(True)]
    if flipped.empty:
        return ""
    word = "reversal" if (flipped["network"] == ALL_NETWORKS).any() else "flips"
    return word + ("!" if flipped["certain"].eq(True).any() else "")
