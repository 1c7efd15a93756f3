"""Figure: loss and accuracy over the epochs of training."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.measure_names import unit_of_loss
from ..analysis.numbers import count_seeds
from .looks import study_looks
from .scales import draw_axis, is_logarithmic
from .style import draw_range, panel_grid, select

QUANTITIES = {"loss": "Loss ({})", "accuracy": "Accuracy (fraction)"}
PARTS = {"train": "Training data", "test": "Test data"}
PANEL = (3.0, 2.0)  # inches


def plot(history: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return training and test loss (logarithmic) and accuracy over epochs.

    Lines are means over the seeds of a condition, bands reach from the lowest to the highest
    seed. Epochs without evaluation are left out.

    Args:
        history: columns ``dataset``, ``network``, ``condition``, ``seed``, ``epoch``,
            ``train_loss``, ``train_accuracy``, ``test_loss`` and ``test_accuracy``.
        conditions: of the whole study.
    """
    of_all = select(history, dataset)
    history = select(of_all, dataset, network)
    looks = study_looks(conditions)
    handles = looks.handles(lines=True)
    seeds = count_seeds(history.groupby("condition")["seed"].nunique())
    title = f"{network} on {dataset}, {seeds} per condition"
    figure, grid = panel_grid(title, 4, 2, PANEL, handles, sharex=True, sharey="row")
    for axes, (quantity, part) in zip(grid, product(QUANTITIES, PARTS), strict=True):
        measure = f"{part}_{quantity}"
        for condition, rows in history.dropna(subset=measure).groupby("condition", sort=False):
            line = looks.of[condition].line
            draw_range(axes, rows.groupby("epoch")[measure], line, label=condition)
    for axes, title in zip(grid[:2], PARTS.values(), strict=True):
        axes.set_title(title)
    for axes, (quantity, label) in zip(grid[::2], QUANTITIES.items(), strict=True):
        of_both = [f"{part}_{quantity}" for part in PARTS]
        logarithmic = quantity == "loss" and is_logarithmic(
            of_all[of_both].to_numpy().ravel(), True
        )
        label = label.format(unit_of_loss(conditions, dataset))
        draw_axis(axes.yaxis, label, history[of_both].to_numpy().ravel(), logarithmic)
    for axes in grid[2:]:
        axes.set_xlabel("Epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure
