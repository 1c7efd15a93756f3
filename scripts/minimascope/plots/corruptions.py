"""Figure: how far each condition is from the baseline under each corruption, by severity."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..analysis.corruptions import ALL, CLEAN
from ..analysis.differences import LARGER, SMALLER
from ..analysis.numbers import count_seeds
from .looks import Looks, study_looks
from .style import BAND, GREY, PAGE, balanced, notice, panel_grid, select

COLUMNS = 5
PANEL_HEIGHT = 1.5  # inches


def plot(corruptions: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a figure with a panel for each corruption, and one for the mean over all.

    A marker is the mean difference in accuracy between a condition and its baseline over matched
    seeds, at a severity; it is filled where the condition is surely better or worse by more than
    the smallest difference that matters, the grey band, and hollow where it is not. All panels have
    one scale. Without anything to compare the figure says so.

    Args:
        corruptions: rows of `analysis.corruptions.corruption_table`.
        conditions: of the whole study.
    """
    title = f"{network} on {dataset}"
    rows = select(corruptions, dataset, network, required=False)
    rows = rows[rows["difference"].notna() & ~rows["severity"].isin((ALL, CLEAN[1]))]
    if rows.empty:
        return notice(title, "no conditions are compared with a baseline under corruptions")
    rows = rows.assign(severity=rows["severity"].astype(int))
    looks = study_looks(conditions)
    names = list(dict.fromkeys(rows["corruption"]))
    title = f"{title}: difference in accuracy from the baseline, {count_seeds(rows['n'])}"
    columns = balanced(len(names), COLUMNS)
    size = PAGE / columns, PANEL_HEIGHT
    figure, grid = panel_grid(
        title, len(names), columns, size, _key(rows, looks), sharex=True, sharey=True
    )
    for place, (axes, name) in enumerate(zip(grid, names, strict=True)):
        _draw(axes, rows[rows["corruption"] == name], looks)
        axes.set_title("mean over all" if name == ALL else name.replace("_", " "))
        if place % columns == 0:
            axes.set_ylabel("Difference (pp)")
        if place >= len(names) - columns:
            axes.set_xlabel("Severity")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, looks: Looks) -> None:
    """Draw the differences of each condition under one corruption along its severities."""
    half = rows["smallest_difference"].min()
    axes.axhspan(-half, half, zorder=0, **BAND)
    axes.axhline(0, color=GREY, linewidth=0.8, zorder=0.5)
    for condition, own in rows.groupby("condition", sort=False):
        look = looks.of[condition]
        axes.plot(own["severity"], own["difference"], **look.line | {"marker": ""})
        for sure, fill in ((True, look.colour), (False, "white")):
            shown = own[own["verdict"].isin((LARGER, SMALLER)) == sure]
            axes.plot(shown["severity"], shown["difference"], **look.dots, markerfacecolor=fill)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xticks(sorted(rows["severity"].unique()))


def _key(rows: pd.DataFrame, looks: Looks) -> list[Line2D | Patch]:
    """Return the legend: the conditions that are compared, and what markers and band say."""
    shown = {looks.of[condition] for condition in rows["condition"].unique()}
    conditions = [
        Line2D([], [], **look.line, label=name)
        for look, name in looks.names.items()
        if look in shown
    ]
    dot = {"color": "black", "linestyle": "none", "marker": "o"}
    return [
        *conditions,
        Line2D([], [], **dot, label="surely different"),
        Line2D([], [], **dot, markerfacecolor="white", label="not surely"),
        Patch(**BAND, label="smallest difference that matters"),
    ]
