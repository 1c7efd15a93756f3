"""Figure: each measure of sharpness against each evaluation."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from ..analysis.measure_names import measures_of
from ..analysis.tables import at_minima
from ..errors import InputError
from .style import (
    HALF_PAGE,
    ConditionStyle,
    condition_handles,
    condition_styles,
    legend_columns,
    scale_axis,
    select,
    styled,
)

PANEL = (1.35, 1.35)  # inches


@styled()
def plot(measures: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a grid of scatter plots: rows are measures of sharpness, columns evaluations.

    A dot is a model, its colour and marker the condition. Above each panel stand Spearman's
    rank correlation over all its models and their number; the correlation is "n.a." for fewer
    than three models or if one of the two is constant. Axes are logarithmic where values span
    more than two decades, or one if that is usual for the measure.

    Raises:
        InputError: if the data set and network have no sharpness or no evaluation.
    """
    measures = at_minima(select(measures, dataset, network))
    sharpness = measures_of(measures, "sharpness")
    evaluations = measures_of(measures, "evaluation")
    if not sharpness or not evaluations:
        raise InputError(
            f"figures: {network} on {dataset} needs a measure of sharpness and an evaluation; "
            "turn one of each on"
        )
    models = measures.pivot(index=["condition", "seed"], columns="measure", values="value")
    styles = condition_styles(measures["condition"].unique())

    width = max(HALF_PAGE, PANEL[0] * len(evaluations) + 0.6)
    columns = legend_columns(styles, width)
    height = PANEL[1] * len(sharpness) + 0.8 + 0.17 * -(-len(styles) // columns)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{network} on {dataset}")
    grid = figure.subplots(
        len(sharpness), len(evaluations), squeeze=False, sharex="col", sharey="row"
    )
    for row, (y, y_name) in zip(grid, sharpness.items(), strict=True):
        for axes, (x, x_name) in zip(row, evaluations.items(), strict=True):
            _draw(axes, models[[x, y]].dropna(), styles)
            scale_axis(axes.xaxis, models[x], x_name.log_axis)
            scale_axis(axes.yaxis, models[y], y_name.log_axis)
        row[0].set_ylabel(textwrap.fill(y_name.axis_label, 20))
    for axes, name in zip(grid[-1], evaluations.values(), strict=True):
        axes.set_xlabel(textwrap.fill(name.axis_label, 20))
    figure.align_labels()
    handles = condition_handles(styles, lines=False)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def _draw(axes: Axes, models: pd.DataFrame, styles: Mapping[str, ConditionStyle]) -> None:
    """Draw one panel; the frame's columns are x and y, its index (condition, seed)."""
    for condition, rows in models.groupby(level="condition", sort=False):
        style = styles[condition]
        axes.plot(
            *rows.to_numpy().T,
            linestyle="none",
            marker=style.marker,
            markersize=3.5,
            color=style.colour,
            label=condition,
        )
    axes.set_title(f"ρ = {_correlation(models)}, n = {len(models)}", loc="right", pad=2)


def _correlation(models: pd.DataFrame) -> str:
    """Return Spearman's correlation of two columns as text."""
    x, y = models.to_numpy().T
    if len(models) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return "n.a."
    return f"{spearmanr(x, y).statistic:.2f}".replace("-", "−")
