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
    rotate_labels,
    scale_axis,
    select,
    styled,
)

COLUMNS = 4
MEAN_OFFSET = 0.4  # of the mean beside its dots, in distances between conditions


@styled()
def plot(measures: pd.DataFrame, disagreement: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a figure with a panel for each evaluation and each measure of sharpness.

    Dots are seeds; grey lines join the same seed (same initial weights and data order) in
    different conditions. The black bar is the mean over seeds with its standard error
    (`summary.summarise`). A dot of the prediction disagreement is a seed's mean over the other
    seeds of its condition. The axis is logarithmic where values span more than two decades, or
    one if that is usual for the measure.

    Raises:
        InputError: if there is nothing to show of the data set and network.
    """
    measures = at_minima(select(measures, dataset, network))
    conditions = list(measures["condition"].unique())
    pairs = select(disagreement, dataset, network, required=False)
    values = pd.concat([measures, _disagreement_of_seeds(pairs)], ignore_index=True)
    summary = summarise(measures, pairs).set_index(["measure", "condition"])
    panels = measures_of(values, "evaluation", "sharpness")

    rows = math.ceil(len(panels) / COLUMNS)
    width = max(HALF_PAGE, COLUMNS * (0.75 + 0.18 * len(conditions)))
    height = 0.7 + 1.35 * rows + label_height(conditions)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{network} on {dataset}, {count_seeds(summary['n_seeds'])} per condition")
    cells, key = _cells(figure, rows, len(panels))
    for axes, (measure, name) in zip(cells, panels.items(), strict=True):
        seeds = values[values["measure"] == measure].pivot(
            index="seed", columns="condition", values="value"
        )
        _draw(axes, seeds.reindex(columns=conditions), summary.loc[measure], name)
    for axes in cells:
        is_last = axes.get_subplotspec().is_last_row()
        rotate_labels(axes, conditions if is_last else [""] * len(conditions))
    figure.align_ylabels(cells)
    _add_key(key)
    return figure


def _cells(figure: Figure, rows: int, panels: int) -> tuple[list[Axes], Axes | Figure]:
    """Return the panels and where the key goes: a cell that is left over, or below all."""
    cells = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    # In the first row, so that every column ends with a panel that names the conditions.
    spare = cells[COLUMNS - (len(cells) - panels) : COLUMNS]
    for axes in spare:
        axes.set_axis_off()
        cells.remove(axes)
    return cells, spare[0] if spare else figure


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
    positions = np.arange(len(seeds.columns))
    axes.plot(positions, seeds.T, color=GREY, linewidth=0.5, zorder=1)
    for position, (condition, style) in zip(
        positions, condition_styles(seeds.columns).items(), strict=True
    ):
        axes.plot(
            np.full(len(seeds), position),
            seeds[condition],
            linestyle="none",
            marker=style.marker,
            markersize=3,
            color=style.colour,
            label=condition,
        )
    summary = summary.reindex(seeds.columns)
    axes.errorbar(
        positions + MEAN_OFFSET,
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


def _add_key(holder: Axes | Figure) -> None:
    handles = [
        Line2D([], [], color=GREY, linewidth=0.5, marker="o", markersize=3.5, label="one seed"),
        Line2D([], [], color="black", linestyle="none", marker="_", label="mean ± SEM"),
    ]
    if isinstance(holder, Figure):
        holder.legend(handles=handles, loc="outside lower center", ncols=2)
    else:
        holder.legend(handles=handles, loc="center right")
