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
from .style import (
    GREY,
    HALF_PAGE,
    ConditionStyle,
    condition_handles,
    condition_styles,
    legend_columns,
    limit_ticks,
    scale_axis,
    select,
    styled,
)

COLUMNS = 4
PANEL = (1.9, 2.0)  # inches
TICKS = 4  # on a logarithmic axis, for which panels are narrow
MARGIN = 0.08  # around the values, as a share of their range


@styled()
def plot(
    agreement: pd.DataFrame, agreement_order: pd.DataFrame, dataset: str, network: str
) -> Figure:
    """Return a figure with a panel for each metric in print that the study has values of.

    A marker is a control, our mean over the printed one with both standard errors; it is hollow
    where the printed value is uncertain. On the dashed line the two are equal. Titles give
    Kendall's τ between the two, "n.a." for fewer than three controls, and the source
    where there are several. Axes are logarithmic where values span more than two decades, or
    one if that is usual for the metric. Without any value the figure says so.

    Args:
        agreement: result of `analysis.agreement.compare`.
        agreement_order: result of `analysis.agreement.order_of_controls`.
        dataset: whose rows are drawn.
        network: whose rows are drawn.
    """
    cells = select(agreement, dataset, network, required=False)
    cells = cells[cells["verdict"] != NOT_RUN]
    if cells.empty:
        return _nothing(f"{network} on {dataset}")
    cells = cells.assign(label=list(map(control_label, cells["control"], cells["rho"])))
    styles = condition_styles(cells["label"].unique())
    panels = dict(list(cells.groupby(["source", "metric"], sort=False)))
    order = select(agreement_order, dataset, network, required=False)
    taus = order.set_index(["source", "metric"])["tau"].to_dict()

    handles = [*condition_handles(styles, lines=False), *_key(cells)]
    columns = min(COLUMNS, len(panels))
    width = max(HALF_PAGE, PANEL[0] * columns + 0.3)
    in_legend = legend_columns([handle.get_label() for handle in handles], width)
    rows = math.ceil(len(panels) / columns)
    height = PANEL[1] * rows + 0.8 + 0.17 * math.ceil(len(handles) / in_legend)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{network} on {dataset}")
    grid = [figure.add_subplot(rows, columns, i + 1) for i in range(len(panels))]
    several = cells["source"].nunique() > 1
    for axes, ((source, metric), values) in zip(grid, panels.items(), strict=True):
        _draw(axes, values, styles)
        name = textwrap.fill(MEASURES[values["measure"].iloc[0]].column_label, 26)
        tau = _tau(taus.get((source, metric), math.nan))
        axes.set_title("\n".join([name, *[source] * several, f"τ = {tau}"]))
    for axes in grid[-columns:]:
        axes.set_xlabel("In print")
    for axes in grid[::columns]:
        axes.set_ylabel("Ours")
    figure.legend(handles=handles, loc="outside lower center", ncols=in_legend)
    return figure


def _nothing(title: str) -> Figure:
    figure = Figure(figsize=(HALF_PAGE, 1), layout="constrained")
    figure.suptitle(title)
    figure.text(0.5, 0.4, "no values to compare with print", ha="center", va="center")
    return figure


def _key(cells: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries besides the controls."""
    equal = Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="equal")
    hollow = Line2D(
        [],
        [],
        color=GREY,
        marker="o",
        linestyle="none",
        markerfacecolor="none",
        label="uncertain print",
    )
    return [equal, hollow] if (cells["verdict"] == UNCERTAIN).any() else [equal]


def _draw(axes: Axes, cells: pd.DataFrame, styles: Mapping[str, ConditionStyle]) -> None:
    for cell in cells.itertuples():
        style = styles[cell.label]
        axes.errorbar(
            cell.printed,
            cell.ours,
            xerr=cell.printed_sem,
            yerr=None if math.isnan(cell.ours_sem) else cell.ours_sem,
            linestyle="none",
            marker=style.marker,
            markersize=4.5,
            color=style.colour,
            markerfacecolor="none" if cell.verdict == UNCERTAIN else style.colour,
            elinewidth=0.8,
            label=cell.label,
        )
    both = np.concatenate([cells["printed"], cells["ours"]])
    # A metric's measure as published is called a diagnostic, and these have no usual scale.
    usually_log = MEASURES[cells["metric"].iloc[0]].log_axis
    for axis in (axes.xaxis, axes.yaxis):
        scale_axis(axis, both, usually_log)
        if axis.get_scale() == "log":
            limit_ticks(axis, TICKS)
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


def _tau(tau: float) -> str:
    return "n.a." if math.isnan(tau) else f"{tau:.2f}".replace("-", "−")
