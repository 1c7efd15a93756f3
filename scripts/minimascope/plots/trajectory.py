"""Figures: measures along trainings, over epochs and over the training loss."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.measure_name import COMPARED
from ..analysis.measure_names import MEASURES, measures_of
from ..analysis.numbers import count_seeds
from ..analysis.trajectory import THRESHOLDS
from .looks import study_looks
from .scales import draw_axis, log_measures
from .style import balanced, draw_range, finite, notice, panel_grid, select

PANEL = (2.4, 2.0)  # inches
# Ratios of epochs from which on these are drawn evenly by their logarithm.
MANY = 20
# Such as of a path alone, whose numbers are of a whole training.
ONE_MOMENT = "nothing was measured at two moments of a training"
NO_LOSS = "no training loss is known where measures were taken on the way"


def over_epochs(
    trajectory: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str
) -> Figure:
    """Return a panel for each measure over the epochs of training, and one for the learning rate.

    Lines are means over the seeds of a condition, bands reach from the lowest to the highest seed.

    Args:
        trajectory: of `analysis.trajectory.trajectory_tables`.
        conditions: of the whole study.
    """
    rows = _drawn(trajectory, dataset, network)
    if rows.empty:
        return notice(f"{network} on {dataset}", ONE_MOMENT)
    names = measures_of(rows, *COMPARED)
    looks = study_looks(conditions)
    title = f"{network} on {dataset}, {_seeds(rows)} per condition"
    count = len(names) + 1
    figure, panels = panel_grid(title, count, balanced(count), PANEL, looks.handles(lines=True))
    logarithmic = log_measures(finite(select(trajectory, dataset)))
    for axes, (measure, name) in zip(panels[:-1], names.items(), strict=True):
        own = rows[rows["measure"] == measure]
        for condition, values in own.groupby("condition", sort=False):
            draw_range(axes, values.groupby("epoch")["value"], looks.of[condition].line)
        draw_axis(axes.yaxis, name.axis_label, own["value"], measure in logarithmic, 24)
        _epochs(axes, own)
    rates = rows.drop_duplicates(["condition", "seed", "epoch"])
    for condition, values in rates.groupby("condition", sort=False):
        line = looks.of[condition].line
        draw_range(panels[-1], values.groupby("epoch")["learning_rate"], line)
    draw_axis(panels[-1].yaxis, "Learning rate of the last step", rates["learning_rate"], False, 24)
    _epochs(panels[-1], rates)
    return figure


def over_loss(
    trajectory: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str
) -> Figure:
    """Return a panel for each measure over the training loss of the same weights.

    A line joins the means over seeds of a condition at each moment; trainings go from right to
    left. See `over_epochs`.
    """
    rows = _drawn(trajectory, dataset, network)
    if rows.empty:
        return notice(f"{network} on {dataset}", ONE_MOMENT)
    rows = rows[rows["measure"] != "train_loss"].dropna(subset="train_loss")
    if rows.empty:
        return notice(f"{network} on {dataset}", NO_LOSS)
    names = measures_of(rows, *COMPARED)
    looks = study_looks(conditions)
    title = f"{network} on {dataset}, means over {_seeds(rows)} per condition"
    count = len(names)
    figure, panels = panel_grid(title, count, balanced(count), PANEL, looks.handles(lines=True))
    logarithmic = log_measures(finite(select(trajectory, dataset)))
    loss = MEASURES["train_loss"].label
    for axes, (measure, name) in zip(panels, names.items(), strict=True):
        own = rows[rows["measure"] == measure]
        for condition, values in own.groupby("condition", sort=False):
            means = values.groupby("epoch")[["train_loss", "value"]].mean()
            axes.plot(means["train_loss"], means["value"], **looks.of[condition].line, ms=3)
        draw_axis(axes.xaxis, loss, own["train_loss"], (own["train_loss"] > 0).all(), 30)
        draw_axis(axes.yaxis, name.axis_label, own["value"], measure in logarithmic, 24)
    return figure


def _drawn(trajectory: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    """Return the rows of a network, of measures that are its own and are there at two moments."""
    rows = finite(select(trajectory, dataset, network))
    rows = rows[~rows["measure"].isin(THRESHOLDS)]
    return rows[rows.groupby("measure")["epoch"].transform("nunique") > 1]


def _seeds(rows: pd.DataFrame) -> str:
    return count_seeds(rows.groupby("condition")["seed"].nunique())


def _epochs(axes: Axes, rows: pd.DataFrame) -> None:
    """Scale an axis of epochs: a ladder of them by their logarithm, with 0 at its left."""
    epochs = rows["epoch"][rows["epoch"] > 0]
    if len(epochs) and epochs.max() > MANY * epochs.min():
        axes.set_xscale("symlog", linthresh=epochs.min(), linscale=0.5)
        axes.set_xlim(left=0)
    axes.set_xlabel("Epoch")
