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
    the smallest difference that matters, the grey band, and hollow where it is not. Where no
    condition has a baseline, it is the mean accuracy. All panels have one scale. Without any
    accuracy the figure says so.

    Args:
        corruptions: rows of `analysis.corruptions.corruption_table`.
        conditions: of the whole study.
    """
    title = f"{network} on {dataset}"
    rows = select(corruptions, dataset, network, required=False)
    rows = rows[rows["accuracy"].notna() & ~rows["severity"].isin((ALL, CLEAN[1]))]
    if rows.empty:
        return notice(title, "no network that trained was tested under corruptions")
    compared = rows["difference"].notna()
    if compared.any():
        rows, value = rows[compared], "difference"
        label, what = "Difference (pp)", "difference in accuracy from the baseline"
    else:
        label, what, value = "Accuracy (%)", "accuracy", "accuracy"
    rows = rows.assign(severity=rows["severity"].astype(int), value=rows[value])
    looks, names = study_looks(conditions), list(dict.fromkeys(rows["corruption"]))
    columns = balanced(len(names), COLUMNS)
    figure, grid = panel_grid(
        f"{title}: {what}, {count_seeds(rows['n'])}",
        len(names),
        columns,
        (PAGE / columns, PANEL_HEIGHT),
        [*_conditions(rows, looks), *(_key() if compared.any() else [])],
        sharex=True,
        sharey=True,
    )
    for place, (axes, name) in enumerate(zip(grid, names, strict=True)):
        _draw(axes, rows[rows["corruption"] == name], looks)
        axes.set_title("mean over all" if name == ALL else name.replace("_", " "))
        if place % columns == 0:
            axes.set_ylabel(label)
        if place >= len(names) - columns:
            axes.set_xlabel("Severity")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, looks: Looks) -> None:
    """Draw the values of each condition under one corruption along its severities."""
    compared = rows["verdict"].notna().any()
    if compared:
        half = rows["smallest_difference"].min()
        axes.axhspan(-half, half, zorder=0, **BAND)
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=0.5)
    for condition, own in rows.groupby("condition", sort=False):
        look = looks.of[condition]
        axes.plot(own["severity"], own["value"], **look.line | {"marker": ""})
        filled = own["verdict"].isin((LARGER, SMALLER)) if compared else own["value"].notna()
        for shown, colour in ((own[filled], look.colour), (own[~filled], "white")):
            axes.plot(shown["severity"], shown["value"], **look.dots, markerfacecolor=colour)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xticks(sorted(rows["severity"].unique()))


def _conditions(rows: pd.DataFrame, looks: Looks) -> list[Line2D]:
    """Return the legend's entries for the conditions that are shown."""
    shown = {looks.of[condition] for condition in rows["condition"].unique()}
    return [
        Line2D([], [], **look.line, label=name)
        for look, name in looks.names.items()
        if look in shown
    ]


def _key() -> list[Line2D | Patch]:
    """Return the legend's entries for what markers and the band say."""
    dot = {"color": "black", "linestyle": "none", "marker": "o"}
    return [
        Line2D([], [], **dot, label="surely different"),
        Line2D([], [], **dot, markerfacecolor="white", label="not surely"),
        Patch(**BAND, label="smallest difference that matters"),
    ]
