"""Figure: on how many test samples any two models disagree."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..analysis.summary import pair_matrix
from .style import label_height, new_figure, notice, select

NUMBERS_UP_TO = 20  # models
NUMBER_CELL = 0.24  # inches


def plot(disagreement: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the matrix of prediction disagreement over all models, in percent.

    Rows and columns are models, by condition and then by seed; lines separate conditions. The
    diagonal, a model with itself, is left white. Up to 20 models the cells hold their numbers.
    With fewer than two models the figure says that there are no pairs.
    """
    pairs = select(disagreement, dataset, network, required=False)
    title = f"{network} on {dataset}"
    if pairs.empty:
        return notice(title, "no pairs of models to compare")
    matrix = 100 * pair_matrix(pairs, "prediction_disagreement")
    blocks = matrix.groupby(level="condition", sort=False).size()
    with_numbers = len(matrix) <= NUMBERS_UP_TO

    side = max(2.2, 0.16 * len(blocks), NUMBER_CELL * len(matrix) * with_numbers)
    side += label_height(blocks.index) + 0.4
    figure = new_figure(f"{title}, {len(matrix)} models", side, side + 0.8)
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="viridis", norm=Normalize(vmin=0))
    _label(axes, blocks, matrix.index.get_level_values("seed") if with_numbers else None)
    if with_numbers:
        _write_numbers(axes, matrix.to_numpy(), image.norm)
    figure.colorbar(
        image, ax=axes, location="bottom", label="Prediction disagreement (%)", aspect=30
    )
    return figure


def _label(axes: Axes, blocks: pd.Series, seeds: pd.Index | None) -> None:
    """Outline and name the conditions, given their numbers of models, and number the seeds."""
    ends = blocks.cumsum().to_numpy()
    for boundary in ends[:-1] - 0.5:
        axes.axhline(boundary, color="white", linewidth=1.5)
        axes.axvline(boundary, color="white", linewidth=1.5)
    centres = ends - blocks.to_numpy() / 2 - 0.5
    axes.set_xticks(centres, blocks.index, rotation=90)
    axes.set_yticks(centres, blocks.index)
    axes.tick_params(length=0, pad=2 if seeds is None else 14)
    name = "Condition" if seeds is None else "Seed, condition"
    axes.set(xlabel=name, ylabel=name)
    if seeds is not None:
        for axis in (axes.xaxis, axes.yaxis):
            axis.remove_overlapping_locs = False  # a seed's number and a condition's name
            axis.set_ticks(np.arange(len(seeds)), seeds, minor=True)
        axes.tick_params(which="minor", length=0, pad=2)


def _write_numbers(axes: Axes, percent: np.ndarray, norm: Normalize) -> None:
    for row, column in np.argwhere(~np.isnan(percent)):
        value = percent[row, column]
        text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
        colour = "white" if norm(value) < 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour)
