"""Figure: how far each condition is from the baseline, by every measure."""

import math
import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..analysis.measure_names import MeasureName, measures_of
from ..analysis.numbers import count_seeds
from .looks import Look, study_looks
from .scales import draw_axis, is_logarithmic
from .style import BAND, GREY, notice, panel_grid, select, wrap_name

COLUMNS = 3
PANEL_WIDTH = 2.5  # inches
ROW_HEIGHT, LINE = 0.26, 0.11  # of a condition, and of each further line of its name
NAME = 22  # letters in a line, spaces at breaks included
DIFFERENT, SAME = ("larger", "smaller"), "no difference"
EQUAL = {"marker": "|", "markersize": 9, "markeredgewidth": 2}
ENDLESS = {"linewidth": 2.5, "alpha": 0.3, "zorder": 0.7}
# The least range of a logarithmic axis, as factors, and its margin.
ENDS, MARGIN = (0.5, 2.0), 1.15


def plot(statistics: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a figure with a panel for each evaluation and measure of sharpness.

    A dot is the mean difference between a condition and its baseline over matched seeds, with its
    interval, and the grey band the smallest difference that matters. The dot is filled where the
    test finds the condition larger or smaller, an equals sign where it finds no difference, and
    hollow where neither is sure. Measures of sharpness are the mean over that of the baseline, on
    a logarithmic axis, unless a mean on the data set is not positive; an interval that reaches
    zero runs off it, and a pale line over the whole panel is one without ends. Without anything to
    compare the figure says so.

    Args:
        statistics: rows of `analysis.statistics.statistics`.
        conditions: of the whole study.
    """
    title = f"{network} on {dataset}"
    of_all = select(statistics, dataset, required=False)
    of_all = of_all[of_all["difference"].notna()]
    rows = of_all[of_all["network"] == network]
    if rows.empty:
        return notice(title, "no conditions are compared with a baseline")
    panels = measures_of(rows.assign(family="evaluation"), "evaluation", "sharpness")
    looks = study_looks(conditions).of
    shown = [name for name in looks if name in set(rows["condition"])]
    title = f"{title}: difference from the baseline, {count_seeds(rows['n'])}"
    names = [wrap_name(name, NAME) for name in shown]
    row = ROW_HEIGHT + LINE * max(name.count("\n") for name in names)
    size = PANEL_WIDTH, 0.75 + row * len(shown)
    figure, grid = panel_grid(title, len(panels), COLUMNS, size, _key(), margins=(1.2, 0.73))
    for i, (axes, (measure, name)) in enumerate(zip(grid, panels.items(), strict=True)):
        everywhere = of_all[of_all["measure"] == measure]
        means = everywhere[["baseline_mean", "mean"]].to_numpy().ravel()
        as_ratio = is_logarithmic(means, name.log_axis)
        own = rows[rows["measure"] == measure].set_index("condition").reindex(shown)
        (_draw_ratios if as_ratio else _draw_differences)(axes, own, name, looks)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_title(textwrap.fill(name.label, 28))
        named = names if i % COLUMNS == 0 else [""] * len(names)
        axes.set_yticks(range(len(shown)), named, parse_math=False)
    return figure


def _draw_differences(
    axes: Axes, rows: pd.DataFrame, name: MeasureName, looks: Mapping[str, Look]
) -> None:
    """Draw differences in the unit of the measure; rows are conditions from top to bottom."""
    half = rows["smallest_difference"]
    _draw(axes, rows.assign(value=rows["difference"], below=-half, above=half), looks)
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=0.5)
    axes.margins(x=0.08)
    ends = rows[["difference", "lower", "upper"]].to_numpy().ravel()
    # Two percentages differ by percentage points.
    unit = "pp" if name.unit == "%" else name.unit
    draw_axis(axes.xaxis, f"Difference ({unit})", ends, logarithmic=False)


def _draw_ratios(
    axes: Axes, rows: pd.DataFrame, _name: MeasureName, looks: Mapping[str, Look]
) -> None:
    """Draw means over that of the baseline on a logarithmic axis."""
    ratios = 1 + rows[["share", "share_lower", "share_upper"]]
    ratios.columns = ["value", "lower", "upper"]
    half = rows["smallest_difference"] / rows["baseline_mean"]
    low, high = ratios.where(ratios > 0).min(axis=None), ratios.max(axis=None)
    low, high = min(low, ENDS[0]) / MARGIN, max(high, ENDS[1]) * MARGIN
    points = pd.DataFrame(
        {
            "value": ratios["value"],
            # Values that are not positive run off the axis.
            "lower": ratios["lower"].mask(ratios["lower"] <= 0, low / 2),
            "upper": ratios["upper"],
            "below": (1 - half).clip(lower=low / 2),
            "above": 1 + half,
            "verdict": rows["verdict"],
        }
    )
    # Fieller's interval has no ends where the baseline's mean is not surely other than zero.
    for place in np.flatnonzero(rows["lower"].notna() & ratios["lower"].isna()):
        axes.axhline(place, color=looks[rows.index[place]].colour, **ENDLESS)
    axes.set_xscale("log")
    _draw(axes, points, looks)
    axes.axvline(1, color=GREY, linewidth=0.8, zorder=0.5)
    draw_axis(axes.xaxis, "Times the baseline", [low, high], logarithmic=True)
    axes.set_xlim(low, high)


def _draw(axes: Axes, rows: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw a dot with its interval for each row, on the band of the smallest difference.

    The band reaches from ``below`` to ``above``.
    """
    for place, (condition, row) in enumerate(rows.iterrows()):
        if math.isnan(row["value"]):
            continue
        ends = row["below"], row["above"]
        axes.fill_betweenx([place - 0.5, place + 0.5], *ends, zorder=0, **BAND)
        look, same = looks[condition], row["verdict"] == SAME
        reach = [[row["value"] - row["lower"]], [row["upper"] - row["value"]]]
        axes.errorbar(
            row["value"],
            place,
            xerr=None if math.isnan(row["lower"]) else reach,
            **look.dots | (EQUAL if same else {"markersize": 4}),
            markerfacecolor=look.colour if row["verdict"] in (*DIFFERENT, SAME) else "white",
            elinewidth=0.9,
        )


def _key() -> list[Line2D | Patch]:
    look = {"color": "black", "linestyle": "none"}
    return [
        Line2D([], [], **look, marker="o", label="surely different"),
        Line2D([], [], **look | EQUAL, label="surely no difference that matters"),
        Line2D([], [], **look, marker="o", markerfacecolor="white", label="open"),
        Patch(**BAND, label="smallest difference that matters"),
    ]
