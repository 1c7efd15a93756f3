"""Figures: loss and sharpness of the networks that learn toy functions.

Each is of the rows of `analysis.toy_fits.fits_table`. Lines are means over seeds, bands reach from
the lowest to the highest seed.
"""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.numbers import count_seeds
from ..analysis.toy_mirror import FIRST_EPOCH
from ..toy.functions import toy_function
from .looks import list_looks
from .scales import draw_axis, is_logarithmic
from .style import LINE_STYLES, NEUTRAL, balanced, draw_range, notice, panel_grid

PANEL = (2.4, 1.9)  # inches
LOSSES = {"train_loss": "training", "test_loss": "test"}
EPOCH, LOSS, SHARPNESS = "Epoch", "Mean squared error", "SAM-sharpness"


def losses(toy_fits: pd.DataFrame) -> Figure:
    """Return training and test loss over epochs, a panel for each function."""
    rows = _kept_at(toy_fits, "epoch").drop_duplicates(["function", "seed", "epoch"])
    rows = rows.rename(columns=LOSSES).melt(
        ["function", "seed", "value"], LOSSES.values(), "line", LOSS
    )
    lines = {"training": {"color": "black"}, "test": {"color": NEUTRAL, "linestyle": "--"}}
    return _figure(rows.assign(panel=_labels(rows)), EPOCH, LOSS, lines)


def sharpness(toy_fits: pd.DataFrame) -> Figure:
    """Return SAM-sharpness over epochs at every radius, a panel for each function."""
    rows = _kept_at(toy_fits, "epoch")
    rows = rows.assign(panel=_labels(rows), line=_radii(rows))
    radii = rows["line"].unique()
    shades = colormaps["Greys"](np.linspace(0.4, 1, len(radii)))
    looks = zip(radii, shades, cycle(LINE_STYLES), strict=False)
    lines = {radius: {"color": to_hex(shade), "linestyle": style} for radius, shade, style in looks}
    return _figure(rows, EPOCH, SHARPNESS, lines)


def equal_loss(toy_fits: pd.DataFrame) -> Figure:
    """Return SAM-sharpness where each loss is first reached, a panel for each radius.

    Functions side by side at one loss differ in sharpness by what they are, not by how far their
    networks have come. A network that was below a loss after its first epoch did not come to it,
    and is left out there, as in `analysis.toy_mirror`. Where no network came to any loss, the
    figure says so.
    """
    rows = _kept_at(toy_fits, "loss")
    rows = rows[rows["epoch"] > FIRST_EPOCH]
    if rows.empty:
        return notice("Sharpness at equal training loss", "no network came to any of the losses")
    rows = rows.assign(panel=_radii(rows), line=_labels(rows))
    looks = list_looks(_labels(toy_fits).unique())
    lines = {name: look.line for name, look in looks.items() if name in set(rows["line"])}
    figure = _figure(rows, "Training loss reached", SHARPNESS, lines)
    for axes in figure.axes:
        # From left to right as networks learn.
        axes.xaxis.set_inverted(True)
    return figure


def _kept_at(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return what was kept at epochs or at losses, radii in ascending order."""
    rows = table[(table["at"] == kind) & table["epoch"].notna()]
    rows = rows.rename(columns={"sharpness": SHARPNESS})
    return rows.sort_values("radius", kind="stable")


def _labels(rows: pd.DataFrame) -> pd.Series:
    return rows["function"].map(lambda name: toy_function(name).label)


def _radii(rows: pd.DataFrame) -> pd.Series:
    return rows["radius"].map("ρ = {:g}".format)


def _figure(
    rows: pd.DataFrame, below: str, left: str, lines: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """Return the column ``left`` over ``value``, a line for each ``line`` of each ``panel``."""
    panels = rows["panel"].unique()
    title = f"Mean and range over {count_seeds(rows.groupby('function')['seed'].nunique())}"
    handles = [Line2D([], [], **look, label=name) for name, look in lines.items()]
    figure, grid = panel_grid(title, len(panels), balanced(len(panels)), PANEL, handles)
    for axes, panel in zip(grid, panels, strict=True):
        own = rows[rows["panel"] == panel]
        for line, look in lines.items():
            draw_range(axes, own[own["line"] == line].groupby("value")[left], look)
        draw_axis(axes.xaxis, below, own["value"], logarithmic=True)
        draw_axis(axes.yaxis, left, own[left], is_logarithmic(rows[left], usually=True))
        axes.set_title(panel)
    return figure
