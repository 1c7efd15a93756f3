"""Figure: how far each condition is from the baseline, by every measure."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.measure_names import measures_of
from ..analysis.numbers import count_seeds
from .style import (
    GREY,
    ConditionStyle,
    condition_styles,
    notice,
    panel_grid,
    select,
    wrap_name,
)

COLUMNS = 4
PANEL_WIDTH = 1.9  # inches
ROW_HEIGHT = 0.24  # of a condition
# Above this share of the baseline a panel has a logarithmic axis from its linear middle on.
LARGE = 3.0


def plot(statistics: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a figure with a panel for each evaluation and measure of sharpness.

    A dot is the mean difference between a condition and its baseline over matched seeds, in
    percent of the baseline's mean, with its 95 % interval; it is hollow where the interval
    holds zero. Where some differences are above 300 %, the axis is linear up to 100 % and
    logarithmic beyond. Without anything to compare the figure says so.

    Args:
        statistics: rows of `analysis.statistics.statistics`.
    """
    rows = select(statistics, dataset, network, required=False)
    title = f"{network} on {dataset}"
    rows = rows[rows["difference"].notna() & (rows["baseline_mean"] != 0)]
    if rows.empty:
        return notice(title, "no conditions are compared with a baseline")
    panels = measures_of(rows.assign(family="evaluation"), "evaluation", "sharpness")
    conditions = list(rows["condition"].unique())
    styles = condition_styles([*rows["baseline"].unique(), *conditions])
    title = f"{title}: difference from the baseline, {count_seeds(rows['n'])}"
    size = PANEL_WIDTH, 0.65 + ROW_HEIGHT * len(conditions)
    figure, grid = panel_grid(title, len(panels), COLUMNS, size, _key(), margins=(1.2, 0.73))
    for i, (axes, (measure, name)) in enumerate(zip(grid, panels.items(), strict=True)):
        of_measure = rows[rows["measure"] == measure].set_index("condition").reindex(conditions)
        _draw(axes, of_measure, styles)
        axes.set_title(textwrap.fill(name.label, 24))
        named = conditions if i % COLUMNS == 0 else [""] * len(conditions)
        axes.set_yticks(range(len(conditions)), list(map(wrap_name, named)), parse_math=False)
    for axes in grid[-COLUMNS:]:
        axes.set_xlabel("Of the baseline (%)")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, styles: dict[str, ConditionStyle]) -> None:
    """Draw one panel; rows are conditions from top to bottom."""
    scale = 100 / rows["baseline_mean"].abs()
    shares = rows[["difference", "lower", "upper"]].mul(scale, axis=0)
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    for place, (condition, share) in enumerate(shares.iterrows()):
        if math.isnan(share["difference"]):
            continue
        style = styles[condition]
        certain = share["lower"] * share["upper"] > 0
        ends = [[share["difference"] - share["lower"]], [share["upper"] - share["difference"]]]
        axes.errorbar(
            share["difference"],
            place,
            xerr=None if math.isnan(share["lower"]) else np.maximum(ends, 0),
            **style.dots,
            markersize=4,
            markerfacecolor=style.colour if certain else "none",
            elinewidth=0.9,
        )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.1)
    if shares.abs().max(axis=None) > 100 * LARGE:
        axes.set_xscale("symlog", linthresh=100, linscale=0.8)
    else:
        axes.locator_params(axis="x", nbins=4)


def _key() -> list[Line2D]:
    look = {"color": "black", "marker": "o", "linestyle": "none"}
    return [
        Line2D([], [], **look, label="95 % interval without zero"),
        Line2D([], [], **look, markerfacecolor="none", label="with zero, or none"),
    ]
