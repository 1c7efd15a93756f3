"""Figure: accuracy on shifted test sets against clean accuracy, with the line through networks."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from ..analysis.numbers import format_number
from ..analysis.shifted import Line, empirical_logit
from .looks import study_looks
from .models import count_models, draw_models, legend_handles
from .style import GREY, balanced, notice, panel_grid, select

PANEL = (2.5, 2.4)  # inches
# Accuracies at which both axes are marked, and the distance from their ends.
MARKS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85)
MARKS += (0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998)
MARGIN = 0.15  # logits
MOST_MARKS = 6


def plot(
    shifted_points: pd.DataFrame, shifted: pd.DataFrame, conditions: pd.DataFrame, dataset: str
) -> Figure:
    """Return a panel for each shifted set: a dot is a network, both axes are on the logit scale.

    Colours and markers are conditions, their filling the network; models that did not train are
    hollow and grey. The grey line is the least-squares one over networks that trained: what lies
    above it is effective robustness. On the dotted line both accuracies are equal.
    """
    points = select(shifted_points, dataset, required=False)
    models = points.drop_duplicates(["network", "condition", "seed"])
    title = f"{dataset}, {count_models(len(models))}"
    if not points["trained"].any():
        return notice(title, "no network that trained was tested on a shifted set")
    looks, names = study_looks(conditions), list(dict.fromkeys(points["set"]))
    columns = balanced(len(names))
    figure, panels = panel_grid(title, len(names), columns, PANEL, legend_handles(models, looks))
    lines = select(shifted, dataset).drop_duplicates("set").set_index("set")
    for place, (axes, name) in enumerate(zip(panels, names, strict=True)):
        rows = points[points["set"] == name]
        # As the line is fitted to.
        clean = empirical_logit(rows["clean_accuracy"], rows["clean_n"])
        other = empirical_logit(rows["accuracy"], rows["n"])
        draw_models(axes, clean, other, rows, looks)
        line = Line(*lines.loc[name, ["intercept", "slope", "n_networks"]])
        _draw_lines(axes, line, clean, other)
        slope = "" if np.isnan(line.slope) else f"\nslope {format_number(line.slope, '.2f')}"
        axes.set_title(name.replace("_", " ") + slope)
        _mark(axes, "x", clean)
        _mark(axes, "y", other)
        axes.set_xlabel("Clean accuracy (%)")
        if place % columns == 0:
            axes.set_ylabel("Shifted accuracy (%)")
    return figure


def _draw_lines(axes: Axes, line: Line, clean: pd.Series, other: pd.Series) -> None:
    x = np.array([clean.min() - MARGIN, clean.max() + MARGIN])
    if not np.isnan(line.slope):
        axes.plot(x, line.intercept + line.slope * x, color=GREY, linewidth=1, zorder=1)
    axes.plot(x, x, color=GREY, linestyle=":", linewidth=0.8, zorder=1)
    axes.set_xlim(*x)
    axes.set_ylim(other.min() - MARGIN, other.max() + MARGIN)


def _mark(axes: Axes, side: str, values: pd.Series) -> None:
    """Mark round accuracies on one axis, in percent."""
    low, high = getattr(axes, f"get_{side}lim")()
    inside = [mark for mark in MARKS if low <= special.logit(mark) <= high]
    marks = inside[:: -(-len(inside) // MOST_MARKS) or 1]
    labels = [f"{100 * mark:g}" for mark in marks]
    getattr(axes, f"set_{side}ticks")(special.logit(marks), labels)
