"""Figure: loss and accuracy over the epochs of training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas.api.typing import SeriesGroupBy

from ..analysis.numbers import count_seeds
from .style import (
    HALF_PAGE,
    ConditionStyle,
    condition_handles,
    condition_styles,
    legend_columns,
    select,
    set_log,
    styled,
)

QUANTITIES = {"loss": "Loss (nats)", "accuracy": "Accuracy (fraction)"}
PARTS = {"train": "Training data", "test": "Test data"}
MARKERS_PER_LINE = 5


@styled()
def plot(history: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return training and test loss (logarithmic) and accuracy over epochs.

    Lines are means over the seeds of a condition, bands reach from the lowest to the highest
    seed. Epochs without evaluation are left out.

    Args:
        history: columns ``dataset``, ``network``, ``condition``, ``seed``, ``epoch``,
            ``train_loss``, ``train_accuracy``, ``test_loss`` and ``test_accuracy``.
        dataset: whose rows are drawn.
        network: whose rows are drawn.

    Raises:
        InputError: if the history has no rows of the data set and network.
    """
    history = select(history, dataset, network)
    styles = condition_styles(history["condition"].unique())
    columns = legend_columns(styles, HALF_PAGE)
    height = 3.7 + 0.17 * -(-len(styles) // columns)
    figure = Figure(figsize=(HALF_PAGE, height), layout="constrained")
    seeds = count_seeds(history.groupby("condition")["seed"].nunique())
    figure.suptitle(f"{network} on {dataset}, {seeds} per condition")
    grid = figure.subplots(2, 2, sharex=True, sharey="row")
    for row, (quantity, label) in zip(grid, QUANTITIES.items(), strict=True):
        for axes, part in zip(row, PARTS, strict=True):
            measure = f"{part}_{quantity}"
            for condition, rows in history.dropna(subset=measure).groupby("condition", sort=False):
                _draw(axes, rows.groupby("epoch")[measure], styles[condition], condition)
        row[0].set_ylabel(label)
    for axes, title in zip(grid[0], PARTS.values(), strict=True):
        set_log(axes.yaxis, history[["train_loss", "test_loss"]].to_numpy().ravel())
        axes.set_title(title)
    for axes in grid[1]:
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    handles = condition_handles(styles, lines=True)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def _draw(axes: Axes, seeds: SeriesGroupBy, style: ConditionStyle, condition: str) -> None:
    """Draw the mean and range of values grouped by epoch."""
    curve = seeds.agg(["mean", "min", "max"])
    axes.plot(
        curve.index,
        curve["mean"],
        color=style.colour,
        linestyle=style.line_style,
        marker=style.marker,
        markersize=3,
        markevery=max(1, len(curve) // MARKERS_PER_LINE),
        label=condition,
    )
    axes.fill_between(
        curve.index, curve["min"], curve["max"], color=style.colour, alpha=0.2, linewidth=0
    )
