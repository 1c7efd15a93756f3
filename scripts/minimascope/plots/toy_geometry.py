"""Figure: the toy functions, their minima and how curved they are there."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..errors import InputError
from ..toy.functions import toy_function

EXTENT = 4.0  # the panels show [-4, 4]², which holds all minima
POINTS = 201  # per axis
LEVELS = np.linspace(0, 12, 25)  # of ln(1 + f), which stays below 12 in the panels
COLUMNS = 4
OUTLINE = withStroke(linewidth=2, foreground="black")


def plot(toy_geometry: pd.DataFrame) -> Figure:
    """Return a figure with contours of ln(1 + f) for each toy function, its minima marked.

    Beside a minimum stands the largest eigenvalue of the Hessian there. All panels share the
    colours, so that they show which function is steeper.

    Args:
        toy_geometry: the table of `compare_toy_geometry`, of which the rows with ``quantity``
            ``max_eigenvalue`` and the columns ``function``, ``minimum_x``, ``minimum_y`` and
            ``computed`` are read.

    Raises:
        InputError: there is no such row or a function is unknown.
    """
    eigenvalues = toy_geometry[toy_geometry["quantity"] == "max_eigenvalue"]
    if eigenvalues.empty:
        raise InputError("toy geometry: no row with quantity 'max_eigenvalue'; nothing to plot")
    functions = eigenvalues["function"].unique()
    rows = math.ceil(len(functions) / COLUMNS)
    figure = Figure(figsize=(7.5, 0.6 + 1.75 * rows), layout="compressed")
    cells = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flat
    for axes, name in zip(cells, functions, strict=False):
        contours = _draw_function(axes, name)
        _mark_minima(axes, eigenvalues[eigenvalues["function"] == name])
    for axes in cells[len(functions) :]:
        axes.remove()
    for axes in figure.axes[-COLUMNS:]:
        axes.tick_params(labelbottom=True)
    bar = figure.colorbar(contours, ax=figure.axes, aspect=30, ticks=range(0, 13, 2))
    bar.set_label("ln(1 + f)")
    figure.suptitle("Global minima and the largest Hessian eigenvalue there")
    figure.supxlabel("x", fontsize="medium")
    figure.supylabel("y", fontsize="medium")
    return figure


def _draw_function(axes: Axes, name: str) -> QuadContourSet:
    function = toy_function(name)
    line = np.linspace(-EXTENT, EXTENT, POINTS)
    height = np.log1p(function.value(*np.meshgrid(line, line)))
    lines = axes.contour(line, line, height, LEVELS, colors="white", linewidths=0.3, alpha=0.5)
    ticks = [-4, -2, 0, 2, 4]
    axes.set(title=function.label, aspect="equal", xticks=ticks, yticks=ticks)
    axes.spines[:].set_visible(True)
    filled = axes.contourf(line, line, height, LEVELS, cmap="viridis", zorder=0)
    for layer in (filled, lines):
        layer.set_rasterized(True)  # as paths they take megabytes
    return filled


def _mark_minima(axes: Axes, minima: pd.DataFrame) -> None:
    for x, y, eigenvalue in minima[["minimum_x", "minimum_y", "computed"]].to_numpy():
        axes.plot(x, y, "o", markersize=4, color="white", markeredgecolor="black")
        # Towards the middle of the panel, where there is room for the text.
        above = y < 0.6 * EXTENT
        side = "left" if x < -EXTENT / 2 else "right" if x > EXTENT / 2 else "center"
        axes.annotate(
            f"{eigenvalue:.4g}",
            (x, y),
            xytext=(0, 5 if above else -5),
            textcoords="offset points",
            ha=side,
            va="bottom" if above else "top",
            color="white",
            path_effects=[OUTLINE],
        )
