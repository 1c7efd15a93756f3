"""Figure: sharpness and accuracy of all models, by each hyper-parameter that varies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from ..analysis.numbers import format_number
from .looks import study_looks
from .models import (
    FACTORS,
    axis_label,
    count_models,
    draw_boxes,
    draw_models,
    legend_handles,
    shown_measures,
    spread,
)
from .scales import draw_axis
from .style import (
    HALF_PAGE,
    align_labels,
    label_height,
    new_figure,
    notice,
    rotate_labels,
    select,
)

ROW = 1.7  # inches
LEVEL = 0.44  # inches
MARGIN = 0.75  # inches beside the first column


def plot(
    models: pd.DataFrame, variance_shares: pd.DataFrame, conditions: pd.DataFrame, dataset: str
) -> Figure:
    """Return box plots of sharpness and accuracy (rows) by hyper-parameter (columns).

    A box holds the middle half of the models of a level and their median; whiskers reach to the
    last model within 1.5 times the box's length. Boxes of sharpness are computed from its
    logarithm; like the share, they leave out models without positive sharpness. Points are models,
    moved aside so that they do not hide each other, in the colours and markers of the scatter
    plots. Above a panel is the share of the variance between the levels (one-way η²), and the
    number of models unless it is all of them.
    """
    models = select(models, dataset)
    title = f"{dataset}, {count_models(len(models))}"
    shares = select(variance_shares, dataset, required=False)
    shares = shares[shares["kind"] == "one-way"].set_index(["response", "factor"])
    found = set(shares.index.get_level_values("factor"))
    factors = {factor: _levels(models[factor]) for factor in FACTORS if factor in found}
    if "base_condition" in factors:  # in the order of the study
        factors["base_condition"] = {name: name for name in conditions["base_condition"].unique()}
    sharpness, accuracies = shown_measures(shares.index[shares["n"] > 0].get_level_values(0))
    responses = [*sharpness, *accuracies]
    if not (factors and responses):
        return notice(title, "no hyper-parameter varies")
    looks = study_looks(conditions)
    figure, grid = _panels(title, len(responses), factors, legend_handles(models, looks))
    for row, response in zip(grid, responses, strict=True):
        values = models[response].where(np.isfinite(models[response]))
        if response in sharpness:
            values = values.where(values > 0)
        draw_axis(row[0].yaxis, axis_label(response), values, response in sharpness, 20)
        for axes, (factor, levels) in zip(row, factors.items(), strict=True):
            positions = models[factor].map({level: i for i, level in enumerate(levels)})
            draw_boxes(axes, values, positions)
            draw_models(axes, spread(values, positions), values, models, looks)
            axes.set_title(_statistics(shares, (response, factor), len(models)), pad=3)
    for axes, (factor, levels) in zip(grid[-1], factors.items(), strict=True):
        rotate_labels(axes, levels.values())
        axes.set_xlabel(FACTORS[factor])
    align_labels(figure)
    return figure


def _panels(
    title: str, responses: int, factors: Mapping[str, Mapping[Any, str]], handles: Sequence[Artist]
) -> tuple[Figure, np.ndarray]:
    """Return a figure with a row of panels per response and a column per factor, and a legend."""
    widths = [max(len(levels), 3) for levels in factors.values()]
    width = max(HALF_PAGE, MARGIN + LEVEL * sum(widths) + 0.15 * len(widths))
    names = label_height([label for levels in factors.values() for label in levels.values()])
    figure = new_figure(title, width, ROW * responses + names + 0.6, handles)
    shared = {"sharex": "col", "sharey": "row", "width_ratios": widths}
    return figure, figure.subplots(responses, len(factors), squeeze=False, **shared)


def _levels(settings: pd.Series) -> dict[Any, str]:
    """Return the levels of a factor with their labels, numbers in ascending order."""
    levels = settings.dropna().unique()
    if pd.api.types.is_numeric_dtype(settings):
        return {level: f"{level:g}" for level in sorted(levels)}
    return {level: str(level) for level in levels}


def _statistics(shares: pd.DataFrame, names: tuple[str, str], models: int) -> str:
    """Return the share of variance, and the number of models behind it unless it is all of them.

    Values of a response may lie at a single level of a factor, and then no share is known.
    """
    if names not in shares.index:
        return "no η²: one level"
    row = shares.loc[names]
    count = f", n = {row['n']:.0f}" if row["n"] < models else ""
    return f"η² = {format_number(row['value'], '.2f')}{count}"
