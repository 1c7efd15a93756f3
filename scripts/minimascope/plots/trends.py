"""Figure: evaluations along sharpness, within each network and over all (Simpson's paradox)."""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.correlations import ALL_NETWORKS
from ..analysis.tables import MAIN_MEASURES
from ..analysis.trends import ERROR, LOG
from .looks import Looks, study_looks
from .models import axis_label
from .scales import draw_axis
from .style import NEUTRAL, align_labels, notice, panel_grid, select

PANEL = (2.3, 1.8)  # inches
ERROR_BAR = {"fmt": "none", "elinewidth": 0.6, "alpha": 0.6, "zorder": 1.5}
POOLED = {"color": "black", "linestyle": "-", "linewidth": 3.0, "alpha": 0.25}


def plot(
    trends: pd.DataFrame, trend_points: pd.DataFrame, conditions: pd.DataFrame, dataset: str
) -> Figure:
    """Return a grid of scatter plots: rows are evaluations, columns measures of sharpness.

    A dot is the mean of a condition over its seeds, with its standard error where the points have
    any: colour and marker are the condition, its filling the network. Lines are those of least
    squares: thin of each network, thick and pale of all together. "reversal" stands above a panel
    where every network's slope has the other sign than that of all together and no interval of
    these slopes holds zero. Measures are those of the main table.

    Args:
        trends: rows of `analysis.trends.trends`.
        trend_points: rows of `analysis.trends.condition_means`.
        conditions: of the whole study.
    """
    points = select(trend_points, dataset)
    rows = select(trends, dataset, required=False)
    rows = rows[rows["slope"].notna() & rows["evaluation"].isin(MAIN_MEASURES)]
    if rows.empty:
        return notice(dataset, "too few conditions for a trend")
    sharpness, evaluations = (list(rows[name].unique()) for name in ("sharpness", "evaluation"))
    sharpness = [name for name in sharpness if name in MAIN_MEASURES] or sharpness
    looks = study_looks(conditions)
    handles = [*looks.handles(), *looks.network_handles(lines=True)]
    if len(looks.networks) > 1:
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
        _draw(axes, points, rows[here], (measure, evaluation), looks)
        # Lines of least squares over logarithms are straight on a logarithmic axis alone.
        logarithmic = rows.loc[rows["sharpness"] == measure, "scale"].iloc[0] == LOG
        draw_axis(axes.xaxis, axis_label(measure), points[measure], logarithmic, 26)
        draw_axis(axes.yaxis, axis_label(evaluation), points[evaluation], False, 22)
        axes.label_outer()
    align_labels(figure)
    return figure


def _draw(
    axes: Axes, points: pd.DataFrame, rows: pd.DataFrame, names: tuple[str, str], looks: Looks
) -> None:
    """Draw one panel: the points of all networks, and a line for each slope."""
    errors = [f"{name}{ERROR}" for name in names]
    points = points.reindex(columns=["network", "condition", *names, *errors])
    points = points.set_axis(["network", "condition", "x", "y", "dx", "dy"], axis=1)
    points = points[np.isfinite(points[["x", "y"]]).all(axis=1)]
    logarithmic = len(rows) > 0 and rows["scale"].iloc[0] == LOG
    for row in points.itertuples():
        look = looks.dots(row.condition, row.network)
        axes.plot(row.x, row.y, **look, markersize=4.5)
        axes.errorbar(row.x, row.y, row.dy, row.dx, color=look["color"], **ERROR_BAR)
    for row in rows.itertuples():
        pooled = row.network == ALL_NETWORKS
        own = points if pooled else points[points["network"] == row.network]
        line = {"color": NEUTRAL, "linewidth": 1.0}
        look = POOLED if pooled else line | {"linestyle": looks.networks[row.network][1]}
        x = np.log10(own["x"]) if logarithmic else own["x"]
        ends = np.array([x.min(), x.max()])
        # A line of least squares leads through the mean.
        heights = own["y"].mean() + row.slope * (ends - x.mean())
        axes.plot(10**ends if logarithmic else ends, heights, **look, zorder=1)
    of_all = rows[rows["network"] == ALL_NETWORKS]
    if (of_all["flips"].eq(True) & of_all["certain"].eq(True)).any():
        axes.set_title("reversal", loc="right", pad=2)
