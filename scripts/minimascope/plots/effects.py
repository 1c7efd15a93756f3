"""Figure: how far each condition is from the baseline, by every measure."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.measure_names import measures_of
from .style import (
    GREY,
    HALF_PAGE,
    ConditionStyle,
    condition_styles,
    notice,
    select,
    styled,
    wrap_name,
)

COLUMNS = 4
PANEL_WIDTH = 1.9  # inches
ROW_HEIGHT = 0.24  # of a condition
# Above this share of the baseline a panel has a logarithmic axis from its linear middle on.
LARGE = 3.0


@styled()
def plot(statistics: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a figure with a panel for each evaluation and measure of sharpness.

    A dot is the mean difference between a condition and its baseline over matched seeds, in
    percent of the baseline's mean, with its bootstrap interval; it is hollow where the interval
    holds zero. Where some differences are above 300 %, the axis is linear up to 100 % and
    logarithmic beyond. Without anything to compare the figure says so.

    Args:
        statistics: rows of `analysis.statistics.statistics`.
        dataset: whose rows are drawn.
        network: whose rows are drawn.
    """
    rows = select(statistics, dataset, network, required=False)
    title = f"{network} on {dataset}"
    rows = rows[rows["difference"].notna() & (rows["baseline_mean"] != 0)]
    if rows.empty:
        return notice(title, "no conditions are compared with a baseline")
    panels = measures_of(rows.assign(family="evaluation"), "evaluation", "sharpness")
    conditions = list(rows["condition"].unique())
    styles = condition_styles([*rows["baseline"].unique(), *conditions])

    columns = min(COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    width = max(HALF_PAGE, columns * PANEL_WIDTH + 1.2)
    height = 0.9 + lines * (0.65 + ROW_HEIGHT * len(conditions))
    figure = Figure(figsize=(width, height), layout="constrained")
    few, most = rows["n"].min(), rows["n"].max()
    seeds = f"{most}" if few == most else f"{few}–{most}"
    figure.suptitle(f"{title}: difference from the baseline, {seeds} seeds")
    for i, (measure, name) in enumerate(panels.items()):
        axes = figure.add_subplot(lines, columns, i + 1)
        of_measure = rows[rows["measure"] == measure].set_index("condition").reindex(conditions)
        _draw(axes, of_measure, styles)
        axes.set_title(textwrap.fill(name.label, 24))
        named = conditions if i % columns == 0 else [""] * len(conditions)
        axes.set_yticks(range(len(conditions)), list(map(wrap_name, named)), parse_math=False)
        if i >= len(panels) - columns:
            axes.set_xlabel("Of the baseline (%)")
    figure.legend(handles=_key(), loc="outside lower center", ncols=2)
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
            linestyle="none",
            marker=style.marker,
            markersize=4,
            color=style.colour,
            markerfacecolor=style.colour if certain else "none",
            elinewidth=0.9,
        )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.1)
    if shares.abs().to_numpy()[shares.notna().to_numpy()].max(initial=0) > 100 * LARGE:
        axes.set_xscale("symlog", linthresh=100, linscale=0.8)
    else:
        axes.locator_params(axis="x", nbins=4)


def _key() -> list[Line2D]:
    look = {"color": "black", "marker": "o", "linestyle": "none"}
    return [
        Line2D([], [], **look, label="95 % bootstrap interval without zero"),
        Line2D([], [], **look, markerfacecolor="none", label="with zero, or none"),
    ]
