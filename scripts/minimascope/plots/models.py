"""What the figures of all models of a data set share: which measures, points, boxes and counts."""

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.lines import Line2D

from ..analysis.measure_names import describe
from ..analysis.numbers import format_interval, format_number
from .looks import Looks, draw_untrained, untrained_handles
from .style import GREY

SHARPNESS = "asc_sharpness"  # the measure of the audio study
BY_DOMAIN = ("accuracy_in_domain", "accuracy_out_of_domain")
OVERALL = "test_accuracy"
FACTORS = {
    "optimizer": "Optimiser",
    "learning_rate": "Learning rate",
    "batch_size": "Batch size",
    "network": "Network",
    "base_condition": "Condition",
}
BOX = 0.7  # width, in distances between positions
SPREAD = 0.5  # of points beside each other
GOLDEN = (5**0.5 - 1) / 2
EDGES = ("med", "q1", "q3", "whislo", "whishi")


def shown_measures(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return which measures of sharpness and which accuracies are drawn, of those named.

    ASC sharpness stands alone where it was measured; otherwise all measures of sharpness are
    drawn. Accuracy is in-domain and out-of-domain, or overall without domains.
    """
    names = list(dict.fromkeys(names))
    accuracies = [name for name in BY_DOMAIN if name in names] or [OVERALL] * (OVERALL in names)
    sharpness = [name for name in names if name not in (*BY_DOMAIN, OVERALL)]
    return ([SHARPNESS] if SHARPNESS in sharpness else sharpness), accuracies


def correlation(row: pd.Series, width: int = 24) -> str:
    """Return Spearman's correlation with its interval and number of conditions, for a title."""
    if pd.isna(row["value"]):
        return textwrap.fill(f"no ρ: {row['note']}", width)
    count = f"n = {row['n']:.0f}"
    if pd.isna(row["lower"]):
        return f"ρ = {format_number(row['value'], '.2f')}, {count}\n(too few for an interval)"
    return f"ρ = {format_interval(row['value'], row['lower'], row['upper'], '.2f')}\n{count}"


def count_models(count: int) -> str:
    """Return a number of models as text."""
    return f"{count} model{'s' if count != 1 else ''}"


def axis_label(name: str) -> str:
    """Return the label of an axis for a measure of sharpness or another."""
    return describe(name, "sharpness", "1").axis_label


def draw_models(axes: Axes, x: pd.Series, y: pd.Series, models: pd.DataFrame, looks: Looks) -> None:
    """Draw a point for each model; ``x`` and ``y`` have the index of the models.

    Those that did not train are hollow and grey.
    """
    trained = models[models["trained"]]
    for (condition, network), rows in trained.groupby(["condition", "network"], sort=False):
        axes.plot(
            x[rows.index],
            y[rows.index],
            **looks.dots(condition, network),
            markersize=4.2,
            markeredgewidth=0.6,
            alpha=0.85,
            zorder=3,
            label=f"{condition}, {network}",
        )
    lost = models.index[~models["trained"]]
    draw_untrained(axes, x[lost], y[lost])


def legend_handles(models: pd.DataFrame, looks: Looks) -> list[Line2D]:
    """Return the legend's entries: conditions first, then networks, then what did not train."""
    return [*looks.handles(), *looks.network_handles(), *untrained_handles(models)]


def spread(values: pd.Series, positions: pd.Series) -> pd.Series:
    """Return the positions moved by up to a quarter, so that points do not hide each other.

    The k-th smallest value at a position takes the k-th place of the golden ratio's Weyl
    sequence: places are even, neighbours in value lie far apart, and nothing is random.
    """
    ranks = values.groupby(positions).rank(method="first")
    return positions + SPREAD * (GOLDEN * ranks % 1 - 0.5)


def draw_boxes(axes: Axes, values: pd.Series, positions: pd.Series) -> None:
    """Draw a box of the values at each position, of their logarithms on a logarithmic axis."""
    logarithmic = axes.get_yscale() == "log"
    boxes = {x: _box(group, logarithmic) for x, group in values.dropna().groupby(positions)}
    line = {"color": GREY, "linewidth": 0.8}
    axes.bxp(
        list(boxes.values()),
        positions=list(boxes),
        widths=BOX,
        showfliers=False,
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops={"color": "black", "linewidth": 1.2},
    )


def _box(values: pd.Series, logarithmic: bool) -> dict[str, float]:
    """Return the median, quartiles and ends of the whiskers of values, or of their logarithms."""
    [box] = boxplot_stats(np.log(values) if logarithmic else values)
    edges = {edge: box[edge] for edge in EDGES}
    return {edge: np.exp(value) for edge, value in edges.items()} if logarithmic else edges
