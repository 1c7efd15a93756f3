"""Figures: loss and sharpness of the networks that learn toy functions.

Each is of the rows of `analysis.toy_fits.fits_table`. Lines are means over seeds, bands reach from
the lowest to the highest seed.
"""

import pandas as pd
from matplotlib.figure import Figure

from ..analysis.numbers import count_seeds
from ..toy.functions import toy_function
from .style import (
    condition_handles,
    condition_styles,
    draw_range,
    notice,
    panel_grid,
    set_log,
    set_log_where_positive,
)

PANEL = (1.9, 1.7)  # inches
PANELS_PER_ROW = 4
LOSSES = {"train_loss": "training", "test_loss": "test"}
EPOCH, LOSS, SHARPNESS = "Epoch", "Mean squared error", "SAM-sharpness"


def losses(toy_fits: pd.DataFrame) -> Figure:
    """Return training and test loss over epochs, a panel for each function."""
    rows = _kept_at(toy_fits, "epoch").drop_duplicates(["function", "seed", "epoch"])
    rows = rows.rename(columns=LOSSES).melt(
        ["function", "seed", "value"], LOSSES.values(), "line", LOSS
    )
    return _figure(rows.assign(panel=_labels(rows)), EPOCH, LOSS)


def sharpness(toy_fits: pd.DataFrame) -> Figure:
    """Return SAM-sharpness over epochs at every radius, a panel for each function."""
    rows = _kept_at(toy_fits, "epoch")
    return _figure(rows.assign(panel=_labels(rows), line=_radii(rows)), EPOCH, SHARPNESS)


def equal_loss(toy_fits: pd.DataFrame) -> Figure:
    """Return SAM-sharpness where each loss is first reached, a panel for each radius.

    Functions side by side at one loss differ in sharpness by what they are, not by how far their
    networks have come. Where no loss was reached, the figure says so.
    """
    rows = _kept_at(toy_fits, "loss")
    if rows.empty:
        return notice("Sharpness at equal training loss", "no network reached any of the losses")
    rows = rows.assign(panel=_radii(rows), line=_labels(rows))
    figure = _figure(rows, "Training loss reached", SHARPNESS)
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


def _figure(rows: pd.DataFrame, below: str, left: str) -> Figure:
    """Return the column ``left`` over ``value``, a line for each ``line`` of each ``panel``."""
    panels, styles = rows["panel"].unique(), condition_styles(rows["line"].unique())
    title = f"Mean and range over {count_seeds(rows.groupby('function')['seed'].nunique())}"
    handles = condition_handles(styles, lines=True)
    figure, grid = panel_grid(title, len(panels), PANELS_PER_ROW, PANEL, handles)
    for axes, panel in zip(grid, panels, strict=True):
        own = rows[rows["panel"] == panel]
        for line, style in styles.items():
            draw_range(axes, own[own["line"] == line].groupby("value")[left], style)
        set_log(axes.xaxis, own["value"])
        set_log_where_positive(axes.yaxis, own[left])
        axes.set_title(panel)
    # The lowest of each column; a label of the figure would lie in the legend.
    for axes in grid[-PANELS_PER_ROW:]:
        axes.set_xlabel(below)
    figure.supylabel(left, fontsize="medium")
    return figure
