"""What the figures of all models of a data set share: which measures, colours and markers."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..analysis.measure_names import describe
from .style import COLOURS, GREY, MARKERS, number

SHARPNESS = "asc_sharpness"  # the measure of the audio study
BY_DOMAIN = ("accuracy_in_domain", "accuracy_out_of_domain")
OVERALL = "test_accuracy"
FACTORS = {
    "optimizer": "Optimiser",
    "learning_rate": "Learning rate",
    "batch_size": "Batch size",
    "network": "Network",
    "control": "Control",
}
NEUTRAL = "#555555"
BOX = 0.7  # width, in distances between positions
SPREAD = 0.5  # of points beside each other
GOLDEN = (5**0.5 - 1) / 2
EDGES = ("med", "q1", "q3", "whislo", "whishi")


@dataclass(frozen=True)
class ModelLooks:
    """How models look: the colour is a level of one factor, the marker the network.

    Attributes:
        factor: column of the models whose level is the colour.
        colours: colour of each level, and whether markers are filled.
        markers: of each network.
    """

    factor: str
    colours: dict[str, tuple[str, bool]]
    markers: dict[str, str]


def shown_measures(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return which measures of sharpness and which accuracies are drawn, of those named.

    ASC sharpness stands alone where it was measured; otherwise all measures of sharpness are
    drawn. Accuracy is that in-domain and out-of-domain, or overall where there are no domains.
    """
    names = list(dict.fromkeys(names))
    accuracies = [name for name in BY_DOMAIN if name in names] or [OVERALL] * (OVERALL in names)
    sharpness = [name for name in names if name not in (*BY_DOMAIN, OVERALL)]
    return ([SHARPNESS] if SHARPNESS in sharpness else sharpness), accuracies


def correlation(row: pd.Series) -> str:
    """Return Spearman's correlation with its interval, or "too few", and n, for a title."""
    interval = f" [{number(row['lower'])}, {number(row['upper'])}]"
    if pd.isna(row["lower"]):
        interval = "" if pd.isna(row["value"]) else " (too few)"
    return f"ρ = {number(row['value'])}{interval}, n = {row['n']:.0f}"


def count_models(count: int) -> str:
    """Return so many models as text."""
    return f"{count} model{'s' if count != 1 else ''}"


def measure_label(name: str, width: int = 24) -> str:
    """Return the label of an axis, in lines of about so many letters."""
    return textwrap.fill(describe(name, "sharpness", "1").axis_label, width)


def model_looks(models: pd.DataFrame) -> ModelLooks:
    """Return how models look; colours are optimisers, or controls where all have the same.

    There are eight colours; from the ninth level on they come again, with hollow markers.
    """
    factor = "optimizer" if models["optimizer"].nunique() > 1 else "control"
    return ModelLooks(
        factor,
        {
            level: (COLOURS[i % len(COLOURS)], i < len(COLOURS))
            for i, level in enumerate(models[factor].unique())
        },
        {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(models["network"].unique())},
    )


def draw_models(
    axes: Axes, x: pd.Series, y: pd.Series, models: pd.DataFrame, looks: ModelLooks
) -> None:
    """Draw a point for each model; ``x`` and ``y`` have the index of the models."""
    for (level, network), rows in models.groupby([looks.factor, "network"], sort=False):
        colour, filled = looks.colours[level]
        axes.plot(
            x[rows.index],
            y[rows.index],
            linestyle="none",
            marker=looks.markers[network],
            markersize=3.8,
            markeredgewidth=0.6,
            markeredgecolor="white" if filled else colour,
            markerfacecolor=colour if filled else "none",
            alpha=0.85,
            zorder=3,
            label=f"{level}, {network}",
        )


def legend_handles(looks: ModelLooks) -> list[Artist]:
    """Return the legend's entries: colours first, then markers."""
    patches = [
        Patch(facecolor=colour if filled else "none", edgecolor=colour, label=str(level))
        for level, (colour, filled) in looks.colours.items()
    ]
    markers = [
        Line2D([], [], color=NEUTRAL, marker=marker, linestyle="none", label=str(network))
        for network, marker in looks.markers.items()
    ]
    return [*patches, *markers]


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
