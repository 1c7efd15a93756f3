"""Figure: each measure of sharpness against each evaluation."""

import textwrap
from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.measure_names import measures_of
from ..analysis.tables import at_minima
from ..errors import InputError
from .style import (
    ConditionStyle,
    align_labels,
    condition_handles,
    condition_styles,
    number,
    panel_grid,
    scale_axis,
    select,
)

PANEL = (1.35, 1.35)  # inches


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
    pairs = list(product(sharpness.items(), evaluations.items()))
    figure, grid = panel_grid(
        f"{network} on {dataset}",
        len(pairs),
        len(evaluations),
        PANEL,
        condition_handles(styles, lines=False),
        margins=(0.6, 0.8),
        sharex="col",
        sharey="row",
    )
    for axes, ((y, y_name), (x, x_name)) in zip(grid, pairs, strict=True):
        _draw(axes, models[[x, y]].dropna(), styles)
        scale_axis(axes.xaxis, models[x], x_name.log_axis)
        scale_axis(axes.yaxis, models[y], y_name.log_axis)
        axes.set_xlabel(textwrap.fill(x_name.axis_label, 20))
        axes.set_ylabel(textwrap.fill(y_name.axis_label, 20))
        axes.label_outer()
    align_labels(figure)
    return figure


def _draw(axes: Axes, models: pd.DataFrame, styles: Mapping[str, ConditionStyle]) -> None:
    """Draw one panel; the frame's columns are x and y, its index (condition, seed)."""
    for condition, rows in models.groupby(level="condition", sort=False):
        axes.plot(*rows.to_numpy().T, **styles[condition].dots, markersize=3.5, label=condition)
    axes.set_title(f"ρ = {_correlation(models)}, n = {len(models)}", loc="right", pad=2)


def _correlation(models: pd.DataFrame) -> str:
    x, y = models.to_numpy().T
    if len(models) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return "n.a."
    # Spearman's; SciPy's takes longer to load than the figure to draw.
    return number(models.rank().corr().iloc[0, 1])
