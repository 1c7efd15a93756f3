"""Figure: how far two measures put conditions in the same order."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.measure_names import MeasureName, describe
from ..analysis.numbers import format_number, span
from ..analysis.tables import MAIN_MEASURES
from .style import label_height, new_figure, notice, rotate_labels, select

CELL = 0.32  # inches
ABOVE = (
    "above the diagonal: end of the 95 % interval nearer 0, not adjusted for the number of pairs"
)


def _described(name: str) -> MeasureName:
    return describe(name, "sharpness", "1")


EVALUATIONS = [name for name in MAIN_MEASURES if _described(name).category == "evaluation"]


def plot(rank_agreement: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the matrix of Spearman's ρ between any two measures of one network.

    It is over the conditions' means. Above the diagonal stands the end of its 95 % interval that is
    nearer zero; the cell is empty where the interval holds zero or there are too few conditions for
    one. Intervals are not adjusted for the number of pairs. Lines separate measures of sharpness
    from evaluations, which are those of the main table.

    Args:
        rank_agreement: rows of `analysis.trends.rank_agreement`.
    """
    rows = select(rank_agreement, dataset, network, required=False)
    present = pd.unique(rows[["first", "second"]].to_numpy().ravel())
    sharpness = [name for name in present if _described(name).category == "sharpness"]
    names = [*sharpness, *(name for name in EVALUATIONS if name in present)]
    rows = rows[rows["first"].isin(names) & rows["second"].isin(names) & rows["value"].notna()]
    title = f"{network} on {dataset}"
    if rows.empty:
        return notice(title, "too few conditions for an order")
    labels = [_described(name).label for name in names]
    side = CELL * len(names) + label_height(labels)
    counts = span(rows["n"])
    title = f"{title}, means of {counts} condition{'s' if rows['n'].max() > 1 else ''}"
    matrix = _matrix(rows, names)
    if np.isfinite(matrix[np.triu_indices(len(names))]).any():
        title += f"\n{ABOVE}"
    figure = new_figure(title, side + 0.3, side + 1.1)
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    _write_numbers(axes, matrix)
    rotate_labels(axes, labels)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set(xlim=(-0.5, len(names) - 0.5))
    axes.tick_params(length=0)
    for line in axes.axhline, axes.axvline:
        line(len(sharpness) - 0.5, color="black", linewidth=0.8)
    bar = {
        "location": "bottom",
        "label": "Spearman's ρ",
        "aspect": 30,
        "ticks": [-1, -0.5, 0, 0.5, 1],
    }
    figure.colorbar(image, ax=axes, **bar)
    return figure


def _matrix(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Return ρ below the diagonal and its interval's end nearer zero above it, NaN elsewhere."""
    matrix = np.full((len(names), len(names)), np.nan)
    for row in rows.itertuples():
        high, low = sorted((names.index(row.first), names.index(row.second)))
        matrix[low, high] = row.value
        if row.lower * row.upper > 0:
            matrix[high, low] = min(row.lower, row.upper, key=abs)
    return matrix


def _write_numbers(axes: Axes, matrix: np.ndarray) -> None:
    for row, column in np.argwhere(~np.isnan(matrix)):
        value = matrix[row, column]
        colour = "white" if abs(value) > 0.6 else "black"
        axes.text(column, row, format_number(value, ".1f"), ha="center", va="center", color=colour)
