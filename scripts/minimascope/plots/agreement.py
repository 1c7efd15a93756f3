"""Figure: our means against those in print."""

import math
import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.agreement import NOT_RUN, UNCERTAIN, control_label
from ..analysis.measure_names import MEASURES
from .models import correlation
from .style import (
    GREY,
    ConditionStyle,
    condition_handles,
    condition_styles,
    notice,
    panel_grid,
    scale_axis,
    select,
)

COLUMNS = 4
PANEL = (1.9, 2.0)  # inches
TICKS = 4  # on a logarithmic axis, for which panels are narrow
MARGIN = 0.08  # around the values, as a share of their range


def plot(
    agreement: pd.DataFrame, agreement_order: pd.DataFrame, dataset: str, network: str
) -> Figure:
    """Return a figure with a panel for each metric in print that the study has values of.

    A marker is a control, our mean over the printed one with both standard errors; it is hollow
    where the printed value is uncertain. On the dashed line the two are equal. Titles give
    Spearman's ρ between the two with its interval, "n.a." for fewer than three controls, and the
    source where there are several. Axes are logarithmic where values span more than two decades, or
    one if that is usual for the metric. Without any value the figure says so.

    Args:
        agreement: result of `analysis.agreement.compare`.
        agreement_order: result of `analysis.agreement.order_of_controls`.
    """
    cells = select(agreement, dataset, network, required=False)
    cells = cells[cells["verdict"] != NOT_RUN]
    title = f"{network} on {dataset}"
    if cells.empty:
        return notice(title, "no values to compare with print")
    cells = cells.assign(label=list(map(control_label, cells["control"], cells["rho"])))
    styles = condition_styles(cells["label"].unique())
    panels = dict(list(cells.groupby(["source", "metric"], sort=False)))
    order = select(agreement_order, dataset, network, required=False)
    orders = {(row["source"], row["metric"]): correlation(row) for _, row in order.iterrows()}
    handles = [*condition_handles(styles, lines=False), *_key(cells)]
    figure, grid = panel_grid(title, len(panels), COLUMNS, PANEL, handles, margins=(0.3, 0.8))
    several = cells["source"].nunique() > 1
    for axes, ((source, metric), values) in zip(grid, panels.items(), strict=True):
        _draw(axes, values, styles)
        name = textwrap.fill(MEASURES[values["measure"].iloc[0]].column_label, 26)
        order_of_both = orders.get((source, metric), "ρ = n.a.")
        axes.set_title("\n".join([name, *[source] * several, order_of_both]))
    for axes in grid[-COLUMNS:]:
        axes.set_xlabel("In print")
    for axes in grid[::COLUMNS]:
        axes.set_ylabel("Ours")
    return figure


def _key(cells: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries besides the controls."""
    equal = Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="equal")
    look = {"color": GREY, "marker": "o", "linestyle": "none", "markerfacecolor": "none"}
    hollow = Line2D([], [], **look, label="uncertain print")
    return [equal, hollow] if (cells["verdict"] == UNCERTAIN).any() else [equal]


def _draw(axes: Axes, cells: pd.DataFrame, styles: Mapping[str, ConditionStyle]) -> None:
    for cell in cells.itertuples():
        style = styles[cell.label]
        axes.errorbar(
            cell.printed,
            cell.ours,
            xerr=cell.printed_sem,
            yerr=None if math.isnan(cell.ours_sem) else cell.ours_sem,
            **style.dots,
            markersize=4.5,
            markerfacecolor="none" if cell.verdict == UNCERTAIN else style.colour,
            elinewidth=0.8,
        )
    both = np.concatenate([cells["printed"], cells["ours"]])
    # A metric's measure as published is called a diagnostic, and these have no usual scale.
    usually_log = MEASURES[cells["metric"].iloc[0]].log_axis
    for axis in (axes.xaxis, axes.yaxis):
        scale_axis(axis, both, usually_log, TICKS)
    limits = _limits(cells, logarithmic=axes.get_xscale() == "log")
    axes.plot(limits, limits, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    axes.set(xlim=limits, ylim=limits, box_aspect=1)


def _limits(cells: pd.DataFrame, logarithmic: bool) -> tuple[float, float]:
    """Return limits for both axes that hold all values and their errors."""
    values = np.concatenate([cells["printed"], cells["ours"]])
    errors = np.nan_to_num(np.concatenate([cells["printed_sem"], cells["ours_sem"]]))
    low, high = values - errors, values + errors
    if logarithmic:
        low = np.where(low > 0, low, values)
        low, high = np.log10(low), np.log10(high)
    margin = MARGIN * (high.max() - low.min()) or 1.0
    ends = low.min() - margin, high.max() + margin
    return tuple(10.0**end for end in ends) if logarithmic else ends
