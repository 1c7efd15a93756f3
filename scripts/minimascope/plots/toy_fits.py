"""Figures: loss and sharpness of the networks that learn toy functions."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.numbers import count_seeds
from ..toy.functions import toy_function
from .style import (
    ConditionStyle,
    condition_handles,
    condition_styles,
    notice,
    panels_with_legend,
    set_log,
    set_log_where_positive,
    styled,
)

PANEL = (1.9, 1.7)  # inches
PANELS_PER_ROW = 4
LOSSES = {"train_loss": "training", "test_loss": "test"}


@styled()
def losses(toy_fits: pd.DataFrame) -> Figure:
    """Return training and test loss over epochs, a panel for each function.

    Args:
        toy_fits: rows of `analysis.toy_fits.fits_table`; lines are means over seeds, bands reach
            from the lowest to the highest seed.
    """
    rows = _kept_at(toy_fits, "epoch").drop_duplicates(["function", "seed", "epoch"])
    styles = condition_styles(LOSSES.values())
    figure, panels = _panels(rows, condition_handles(styles, lines=True))
    for axes, (_, of_function) in zip(panels, rows.groupby("function", sort=False), strict=True):
        for column, label in LOSSES.items():
            _draw(axes, of_function, "value", column, styles[label])
        set_log(axes.xaxis, of_function["value"])
        set_log_where_positive(axes.yaxis, of_function[list(LOSSES)].to_numpy().ravel())
    _label(figure, panels, rows, "Epoch", "Mean squared error")
    return figure


@styled()
def sharpness(toy_fits: pd.DataFrame) -> Figure:
    """Return SAM-sharpness over epochs at every radius, a panel for each function; see `losses`."""
    rows = _kept_at(toy_fits, "epoch")
    styles = condition_styles(f"ρ = {radius:g}" for radius in sorted(rows["radius"].unique()))
    figure, panels = _panels(rows, condition_handles(styles, lines=True))
    for axes, (_, of_function) in zip(panels, rows.groupby("function", sort=False), strict=True):
        for radius, of_radius in of_function.groupby("radius"):
            _draw(axes, of_radius, "value", "sharpness", styles[f"ρ = {radius:g}"])
        set_log(axes.xaxis, of_function["value"])
        set_log_where_positive(axes.yaxis, of_function["sharpness"])
    _label(figure, panels, rows, "Epoch", "SAM-sharpness")
    return figure


@styled()
def equal_loss(toy_fits: pd.DataFrame) -> Figure:
    """Return SAM-sharpness where each loss is first reached, a panel for each radius.

    Functions side by side at one loss differ in sharpness by what they are, not by how far their
    networks have come; see `losses` for lines and bands. Where no loss was reached, the figure
    says so.
    """
    rows = _kept_at(toy_fits, "loss")
    if rows.empty:
        return notice("Sharpness at equal training loss", "no network reached any of the losses")
    labels = {name: toy_function(name).label for name in rows["function"].unique()}
    styles = condition_styles(labels.values())
    radii = sorted(rows["radius"].unique())
    handles = condition_handles(styles, lines=True)
    figure, panels = panels_with_legend(len(radii), PANELS_PER_ROW, PANEL, handles)
    for axes, radius in zip(panels, radii, strict=True):
        of_radius = rows[rows["radius"] == radius]
        for name, label in labels.items():
            chosen = of_radius[of_radius["function"] == name]
            _draw(axes, chosen, "value", "sharpness", styles[label])
        axes.set_title(f"ρ = {radius:g}")
        set_log(axes.xaxis, of_radius["value"])
        set_log_where_positive(axes.yaxis, of_radius["sharpness"])
        # From left to right as networks learn.
        axes.xaxis.set_inverted(True)
    _label(figure, panels, rows, "Training loss reached", "SAM-sharpness")
    return figure


def _kept_at(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[(table["at"] == kind) & table["epoch"].notna()]


def _panels(rows: pd.DataFrame, handles: list[Line2D]) -> tuple[Figure, list[Axes]]:
    functions = rows["function"].unique()
    figure, panels = panels_with_legend(len(functions), PANELS_PER_ROW, PANEL, handles)
    for axes, name in zip(panels, functions, strict=True):
        axes.set_title(toy_function(name).label)
    return figure, panels


def _label(
    figure: Figure, panels: Sequence[Axes], rows: pd.DataFrame, below: str, left: str
) -> None:
    seeds = count_seeds(rows.groupby("function")["seed"].nunique())
    figure.suptitle(f"Mean and range over {seeds}")
    figure.supylabel(left, fontsize="medium")
    # The lowest of each column; a label of the figure would lie in the legend.
    for axes in panels[-PANELS_PER_ROW:]:
        axes.set_xlabel(below)


def _draw(axes: Axes, rows: pd.DataFrame, x: str, y: str, style: ConditionStyle) -> None:
    """Draw the mean of the seeds and their range."""
    curve = rows.groupby(x)[y].agg(["mean", "min", "max"])
    axes.plot(
        curve.index,
        curve["mean"],
        color=style.colour,
        linestyle=style.line_style,
        marker=style.marker,
        markersize=3,
    )
    axes.fill_between(
        curve.index, curve["min"], curve["max"], color=style.colour, alpha=0.2, linewidth=0
    )
