"""Figure: curvature along trainings beside what the optimiser's steps can bear."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.numbers import count_seeds, format_number
from ..analysis.trajectory import EDGE, THRESHOLDS
from .scales import draw_axis
from .style import COLOURS, NEUTRAL, balanced, panel_grid, select

# A threshold that is so many times all that was measured is not drawn.
FAR = 2.5
PANEL = (2.6, 2.0)  # inches
PRECONDITIONED = "preconditioned_top_eigenvalue"
CURVES = {
    "hessian_top_eigenvalue": ("Largest eigenvalue of the Hessian", COLOURS[0], "-"),
    PRECONDITIONED: ("Largest eigenvalue of the preconditioned Hessian", COLOURS[1], "-"),
    "critical_sharpness": ("Critical sharpness", COLOURS[2], "-"),
    "batch_sharpness": ("Batch sharpness", COLOURS[3], "-"),
    "stability_threshold": ("Threshold of stability", NEUTRAL, "--"),
    "small_batch_threshold": ("Threshold of small batches", NEUTRAL, ":"),
}


def plot(trajectory_summary: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a panel for each condition: curvature over epochs, and the threshold of stability.

    Lines are means over seeds, bands reach from the lowest to the highest.

    Args:
        trajectory_summary: of `analysis.trajectory.trajectory_tables`.
    """
    rows = select(trajectory_summary, dataset, network)
    rows = rows[(rows["family"] == EDGE) & rows["measure"].isin(CURVES)]
    order = rows["condition"].unique()
    there = [name for name in CURVES if name in {*rows["measure"]}]
    handles = [
        Line2D([], [], color=CURVES[name][1], linestyle=CURVES[name][2], label=CURVES[name][0])
        for name in there
    ]
    seeds = count_seeds(rows.groupby("condition")["n_seeds"].max())
    title = f"{network} on {dataset}, {seeds} per condition"
    figure, panels = panel_grid(title, len(order), balanced(len(order), 3), PANEL, handles)
    for axes, condition in zip(panels, order, strict=True):
        own = _comparable(rows[rows["condition"] == condition])
        for name, values in own.groupby("measure", sort=False):
            _, colour, style = CURVES[name]
            axes.plot(values["epoch"], values["mean"], color=colour, linestyle=style)
            band = {"color": colour, "alpha": 0.2, "linewidth": 0}
            axes.fill_between(values["epoch"], values["lowest"], values["highest"], **band)
        axes.set_title(condition)
        axes.set_xlabel("Epoch")
        _scale(axes, own)
    return figure


def _scale(axes: Axes, rows: pd.DataFrame) -> None:
    """Scale an axis for what was measured; a threshold far above is told in numbers."""
    is_threshold = rows["measure"].isin(THRESHOLDS)
    highest, threshold = rows["highest"][~is_threshold].max(), rows["highest"][is_threshold].max()
    far = threshold > FAR * highest > 0
    shown = rows[rows["highest"] <= FAR * highest] if far else rows
    draw_axis(axes.yaxis, "Curvature", shown["highest"], False, 24)
    axes.set_ylim(min(0.0, shown["lowest"].min()), 1.1 * max(0.0, shown["highest"].max()) or None)
    if far:
        where = {"xycoords": "axes fraction", "ha": "right", "va": "top"}
        axes.annotate(f"threshold {format_number(threshold, '.3g')}", (1, 1), **where)


def _comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the measures that a threshold is about: with division of gradients, those divided."""
    divided = (rows["measure"] == PRECONDITIONED).any()
    plain = ["hessian_top_eigenvalue", "batch_sharpness"]
    return rows[~rows["measure"].isin(plain)] if divided else rows
