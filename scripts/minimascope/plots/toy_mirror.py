"""Figure: the sharpness of networks that learn toy functions against that of the functions."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.numbers import count_seeds
from ..analysis.toy_mirror import OWN, SAM
from ..toy.functions import toy_function
from .looks import Look, list_looks
from .scales import draw_axis, is_logarithmic
from .style import NEUTRAL, notice, panel_grid

PANEL = (2.2, 1.9)  # inches
# Readings of a function's own curvature, a row of panels each; the others order functions alike.
READINGS = ("trace_at_minimum", "trace_over_domain")
SHARPNESS = "SAM-sharpness"
ROOM = 1.6  # beside the outermost function, as a factor


def plot(toy_mirror_points: pd.DataFrame) -> Figure:
    """Return SAM-sharpness at equal loss against the functions' own curvature.

    A column of panels is a loss, and a row a reading of the functions' curvature. Dots are means
    over seeds, full at the largest radius and hollow at the smallest, and bars reach from the
    lowest to the highest seed. Where no loss was reached, the figure says so.

    Args:
        toy_mirror_points: the table of `analysis.toy_mirror.mirror_tables`.
    """
    points = toy_mirror_points
    rows = points[(points["at"] == "loss") & (points["measure"] == SAM)]
    if rows.empty:
        title = "Sharpness of functions and of their networks"
        return notice(title, "no network reached any of the losses")
    losses, radii = rows["value"].unique(), sorted(rows["radius"].unique())
    fills = {radii[0]: "none", radii[-1]: "full"}
    rows = rows[rows["radius"].isin(fills)]
    # All functions have networks at epochs, in the order of the study.
    looks = list_looks(points.loc[points["at"] == "epoch", "function"].unique())
    title = f"Mean and range over {count_seeds(rows['seeds'])}"
    count, columns = len(READINGS) * len(losses), len(losses)
    figure, panels = panel_grid(title, count, columns, PANEL, _handles(rows, looks, fills))
    logarithmic = is_logarithmic(rows["lowest"], usually=True)
    for (reading, loss), axes in zip(
        ((reading, loss) for reading in READINGS for loss in losses), panels, strict=True
    ):
        shown = rows[rows["value"] == loss]
        for _, row in shown.iterrows():
            _draw(axes, row, reading, looks[row["function"]], fills[row["radius"]])
        axes.set_title(f"loss ≤ {loss:g}")
        axes.set_xlim(rows[reading].min() / ROOM, rows[reading].max() * ROOM)
        draw_axis(axes.xaxis, OWN[reading], rows[reading], logarithmic=True)
        draw_axis(axes.yaxis, SHARPNESS, shown[["lowest", "highest"]].stack(), logarithmic)
    return figure


def _draw(axes: Axes, row: pd.Series, reading: str, look: Look, fill: str) -> None:
    reach = np.abs([[row["mean"] - row["lowest"]], [row["highest"] - row["mean"]]])
    axes.errorbar(
        row[reading], row["mean"], yerr=reach, **look.dots, fillstyle=fill, elinewidth=0.8
    )


def _handles(rows: pd.DataFrame, looks: dict[str, Look], fills: dict[float, str]) -> list[Line2D]:
    functions = [
        Line2D([], [], **look.dots, label=toy_function(name).label)
        for name, look in looks.items()
        if name in set(rows["function"])
    ]
    dots = {"color": NEUTRAL, "marker": "o", "linestyle": "none"}
    return functions + [
        Line2D([], [], **dots, fillstyle=fill, label=f"ρ = {radius:g}")
        for radius, fill in fills.items()
    ]
