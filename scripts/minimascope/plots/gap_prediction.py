"""Figure: how often each measure is wrong about the gap, in the worst environment and in all."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.gap_prediction import ALL_AXES, ENVIRONMENT, MEAN, MOST, WORST
from ..analysis.gap_prediction_text import axes_of, axis_in_words, ordered
from ..analysis.measure_names import describe
from ..analysis.predictors import KINDS
from .style import COLOURS, GREY, NEUTRAL, label_height, new_figure, notice, select

ROW, PANEL = 0.28, 3.4  # inches, high for a measure and wide for sign errors
CELL = 0.62  # inches for each setting
COLOUR_OF = dict(zip(KINDS, COLOURS, strict=False))
MARKER_OF = dict(zip(KINDS, ("o", "s", "^", "D"), strict=True))
# Area in points² of a dot that holds all environments.
LARGEST = 260
COIN = 0.5
MISSING_PAIRS = "no two conditions with clearly different gaps differ in one setting alone"


def plot(gap_prediction: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the sign errors of all measures of one network, the most robust one on top.

    The large mark is the worst environment, with the interval that holds it; its colour and form
    are the measure's kind. Grey dots are all environments, their areas the shares with that error;
    a tick is what nine in ten do not exceed, a hollow mark the mean. Cells on the right hold the
    worst environment along each setting, red where it is worse than a coin.

    Args:
        gap_prediction: rows of `analysis.gap_prediction.gap_prediction`.
    """
    rows = select(gap_prediction, dataset, network, required=False)
    title = f"{network} on {dataset}: predicting the gap"
    worst = rows[(rows["statistic"] == WORST) & (rows["axis"] == ALL_AXES)]
    if worst["value"].isna().all():
        return notice(title, MISSING_PAIRS)
    names = ordered(rows)
    labels = [describe(name, "sharpness").label for name in names]
    axes_there = axes_of(rows)
    kinds = [kind for kind in KINDS if kind in set(rows["kind"])]
    width = PANEL + CELL * len(axes_there) + label_height(labels)
    heads = [axis_in_words(axis) for axis in axes_there]
    height = ROW * len(names) + 0.9 + label_height(heads)
    figure = new_figure(title, width, height, _key(kinds))
    ratios = {"width_ratios": [PANEL, CELL * len(axes_there)]}
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw=ratios)
    for place, name in enumerate(names):
        _draw(left, place, rows[rows["measure"] == name])
    left.axvline(COIN, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    left.set_yticks(range(len(names)), labels, parse_math=False)
    left.set(xlim=(-0.07, 1.07), ylim=(len(names) - 0.5, -0.5), xticks=[0, 0.25, 0.5, 0.75, 1])
    left.set_xlabel("Sign error (0.5: a coin, 1: always wrong)")
    _cells(right, rows, names, axes_there)
    return figure


def _draw(axes: Axes, place: int, rows: pd.DataFrame) -> None:
    """Draw the environments of a measure, and the three numbers over all of them."""
    of_all = rows[rows["axis"] == ALL_AXES].set_index("statistic")
    colour, marker = (table[rows["kind"].iloc[0]] for table in (COLOUR_OF, MARKER_OF))
    shares = rows.loc[rows["statistic"] == ENVIRONMENT, "value"].value_counts(normalize=True)
    axes.scatter(
        shares.index,
        [place] * len(shares),
        LARGEST * shares,
        color="#CCCCCC",
        linewidth=0,
        zorder=1,
    )
    worst = of_all.loc[WORST]
    if pd.isna(worst["value"]):
        return
    axes.plot(worst[["lower", "upper"]], [place] * 2, color=colour, linewidth=1, zorder=2)
    look = {"linestyle": "none", "color": colour, "zorder": 3}
    axes.plot(
        of_all.at[MEAN, "value"], place, marker, markerfacecolor="white", markersize=4, **look
    )
    axes.plot(of_all.at[MOST, "value"], place, "|", markersize=11, markeredgewidth=1.6, **look)
    axes.plot(worst["value"], place, marker, markersize=6, **look | {"zorder": 4})


def _cells(axes: Axes, rows: pd.DataFrame, names: list[str], columns: list[str]) -> None:
    """Write the worst sign error along each setting."""
    worst = rows[rows["statistic"] == WORST].set_index(["measure", "axis"])["value"]
    table = worst.unstack().reindex(index=names, columns=columns)
    axes.imshow(table, cmap="RdBu_r", vmin=0, vmax=1, aspect="auto", alpha=0.55)
    for row, values in enumerate(table.to_numpy()):
        for column, value in enumerate(values):
            # Along this setting no two gaps differ clearly.
            shown = "" if pd.isna(value) else f"{value:.2f}"
            axes.text(column, row, shown, ha="center", va="center", color="black")
    axes.set_xticks(range(len(columns)), [axis_in_words(name) for name in columns], rotation=90)
    axes.set_title("worst along", color=NEUTRAL)
    axes.tick_params(length=0, labelleft=False)
    axes.spines[:].set_visible(False)


def _key(kinds: list[str]) -> list[Line2D]:
    """Return the entries of the legend: kinds, and what the marks are."""

    def mark(label: str, marker: str, **look: Mapping) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, label=label, **look)

    found = [mark(kind, MARKER_OF[kind], color=COLOUR_OF[kind], markersize=6) for kind in kinds]
    return [
        *found,
        mark("mean", "o", color=NEUTRAL, markerfacecolor="white"),
        mark("9 in 10", "|", color=NEUTRAL, markersize=10, markeredgewidth=1.6),
        mark("environments", "o", color="#CCCCCC", markersize=8),
    ]
