"""Figure: every measure for each condition, with the seeds as dots."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.measure_names import MeasureName, measures_of
from ..analysis.numbers import count_seeds
from ..analysis.summary import pair_matrix, summarise
from ..analysis.tables import at_minima
from .style import (
    GREY,
    HALF_PAGE,
    condition_styles,
    label_height,
    new_figure,
    rotate_labels,
    scale_axis,
    select,
)

COLUMNS = 4
MEAN_OFFSET = 0.4  # of the mean beside its dots, in distances between conditions


def plot(measures: pd.DataFrame, disagreement: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a figure with a panel for each evaluation and each measure of sharpness.

    Dots are seeds; grey lines join the same seed (same initial weights and data order) in
    different conditions. The black bar is the mean over seeds with its standard error
    (`summary.summarise`). A dot of the prediction disagreement is a seed's mean over the other
    seeds of its condition. The axis is logarithmic where values span more than two decades, or
    one if that is usual for the measure.
    """
    measures = at_minima(select(measures, dataset, network))
    conditions = list(measures["condition"].unique())
    pairs = select(disagreement, dataset, network, required=False)
    values = pd.concat([measures, _disagreement_of_seeds(pairs)], ignore_index=True)
    summary = summarise(measures, pairs).set_index(["measure", "condition"])
    panels = measures_of(values, "evaluation", "sharpness")

    rows = math.ceil(len(panels) / COLUMNS)
    width = max(HALF_PAGE, COLUMNS * (0.75 + 0.18 * len(conditions)))
    spare = COLUMNS * rows - len(panels)
    title = f"{network} on {dataset}, {count_seeds(summary['n_seeds'])} per condition"
    height = 0.7 + 1.35 * rows + label_height(conditions)
    figure = new_figure(title, width, height, [] if spare else _key())
    cells = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    # In the first row, so that every column ends with a panel that names the conditions.
    for axes in cells[COLUMNS - spare : COLUMNS]:
        axes.set_axis_off()
    if spare:
        cells[COLUMNS - spare].legend(handles=_key(), loc="center right")
    cells = [axes for axes in cells if axes.axison]
    for axes, (measure, name) in zip(cells, panels.items(), strict=True):
        seeds = values[values["measure"] == measure].pivot(
            index="seed", columns="condition", values="value"
        )
        _draw(axes, seeds.reindex(columns=conditions), summary.loc[measure], name)
        is_last = axes.get_subplotspec().is_last_row()
        rotate_labels(axes, conditions if is_last else [""] * len(conditions))
    figure.align_ylabels(cells)
    return figure


def _key() -> list[Line2D]:
    seed = {"color": GREY, "linewidth": 0.5, "marker": "o", "markersize": 3.5, "label": "one seed"}
    mean = {"color": "black", "linestyle": "none", "marker": "_", "label": "mean ± SEM"}
    return [Line2D([], [], **seed), Line2D([], [], **mean)]


def _disagreement_of_seeds(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return each seed's mean disagreement with the other seeds of its condition."""
    measure = "prediction_disagreement"
    same = pairs[pairs["condition_a"] == pairs["condition_b"]]
    means = [
        pair_matrix(rows, measure).mean().rename("value").reset_index()
        for _, rows in same.groupby("condition_a", sort=False)
    ]
    frame = pd.concat(means) if means else pd.DataFrame(columns=["condition", "seed", "value"])
    return frame.assign(measure=measure, family="evaluation", unit="fraction")


def _draw(axes: Axes, seeds: pd.DataFrame, summary: pd.DataFrame, name: MeasureName) -> None:
    axes.plot(range(seeds.shape[1]), seeds.T, color=GREY, linewidth=0.5, zorder=1)
    for place, (condition, style) in enumerate(condition_styles(seeds.columns).items()):
        places = np.full(len(seeds), place)
        axes.plot(places, seeds[condition], **style.dots, markersize=3, label=condition)
    summary = summary.reindex(seeds.columns)
    axes.errorbar(
        np.arange(len(summary)) + MEAN_OFFSET,
        summary["mean"],
        summary["sem"],
        fmt="_",
        color="black",
        markersize=4.5,
        elinewidth=0.8,
        capsize=1.5,
        zorder=3,
    )
    scale_axis(axes.yaxis, seeds.to_numpy().ravel(), name.log_axis)
    axes.set_ylabel(textwrap.fill(name.axis_label, 22))
