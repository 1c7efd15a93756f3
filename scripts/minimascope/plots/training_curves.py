"""Figure: loss and accuracy over the epochs of training."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.numbers import count_seeds
from .style import (
    HALF_PAGE,
    condition_handles,
    condition_styles,
    draw_range,
    panel_grid,
    select,
    set_log,
)

QUANTITIES = {"loss": "Loss (nats)", "accuracy": "Accuracy (fraction)"}
PARTS = {"train": "Training data", "test": "Test data"}
PANEL = (HALF_PAGE / 2, 1.6)  # inches


def plot(history: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return training and test loss (logarithmic) and accuracy over epochs.

    Lines are means over the seeds of a condition, bands reach from the lowest to the highest
    seed. Epochs without evaluation are left out.

    Args:
        history: columns ``dataset``, ``network``, ``condition``, ``seed``, ``epoch``,
            ``train_loss``, ``train_accuracy``, ``test_loss`` and ``test_accuracy``.
    """
    history = select(history, dataset, network)
    styles = condition_styles(history["condition"].unique())
    handles = condition_handles(styles, lines=True)
    seeds = count_seeds(history.groupby("condition")["seed"].nunique())
    title = f"{network} on {dataset}, {seeds} per condition"
    figure, grid = panel_grid(title, 4, 2, PANEL, handles, sharex=True, sharey="row")
    for axes, (quantity, part) in zip(grid, product(QUANTITIES, PARTS), strict=True):
        measure = f"{part}_{quantity}"
        for condition, rows in history.dropna(subset=measure).groupby("condition", sort=False):
            draw_range(axes, rows.groupby("epoch")[measure], styles[condition], label=condition)
    for axes, title in zip(grid[:2], PARTS.values(), strict=True):
        set_log(axes.yaxis, history[["train_loss", "test_loss"]].to_numpy().ravel())
        axes.set_title(title)
    for axes, label in zip(grid[::2], QUANTITIES.values(), strict=True):
        axes.set_ylabel(label)
    for axes in grid[2:]:
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure
