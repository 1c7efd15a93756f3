"""Figure: how far ASC sharpness depends on the random directions it was measured along."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.stability import FIRST, SPLIT_HALF
from .models import NEUTRAL, count_models
from .style import (
    COLOURS,
    LINE_STYLES,
    MARKERS,
    notice,
    select_dataset,
    set_log,
    styled,
)

PANEL = (2.4, 2.2)  # inches
# Of the order of models, by kind: its label, and the place of its colour and line style.
KINDS = {
    FIRST: ("first pairs against all", 0),
    SPLIT_HALF: ("two separate sets of pairs", 1),
}


@styled()
def plot(stability: pd.DataFrame, stability_order: pd.DataFrame, dataset: str) -> Figure:
    """Return how ASC sharpness varies over pairs of directions, in three panels.

    Left: each model's coefficient of variation over pairs, in ascending order; up to the dashed
    line the pairs that were measured hold the standard error of the mean to the threshold.
    Middle: the share of models that so many pairs are enough for; dashed, how many were measured.
    Right: Kendall's τ between the orders of the models by their means over the first pairs and
    over all of them, and over two separate sets of so many, with a band for 95 % of the random
    splits; without any τ the panel says why. Where no model was measured along two pairs or more,
    the figure says so.

    Args:
        stability: a row for each model, with ``pairs``, ``cv``, ``threshold`` (fractions) and
            ``pairs_needed``.
        stability_order: a row for each ``kind`` and number of ``pairs``, with ``tau``,
            ``tau_low``, ``tau_high`` and ``note``.
        dataset: whose rows are drawn.
    """
    models = select_dataset(stability, dataset, required=False)
    known = models.dropna(subset="cv")
    if known.empty:
        return notice(dataset, "no variation over pairs of directions")
    order = select_dataset(stability_order, dataset, required=False)
    figure = Figure(figsize=(PANEL[0] * 3, PANEL[1] + 0.5), layout="constrained")
    figure.suptitle(f"{dataset}, {count_models(len(models))}, {_pairs(models)} of directions each")
    variation, needed, similarity = figure.subplots(1, 3)
    variation.set_title("Variation over directions")
    needed.set_title(f"Pairs for a standard error of {100 * models['threshold'].iloc[0]:g} %")
    similarity.set_title("Order of the models")
    _draw_variation(variation, known)
    _draw_needed(needed, known)
    _draw_order(similarity, order)
    handles = [
        *variation.get_legend_handles_labels()[0],
        *similarity.get_legend_handles_labels()[0],
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _pairs(models: pd.DataFrame) -> str:
    counts = sorted(map(int, models["pairs"].unique()))
    text = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    return f"{text} pair{'s' * (counts[-1] > 1)}"


def _draw_variation(axes: Axes, models: pd.DataFrame) -> None:
    models = models.sort_values("cv", ignore_index=True)
    rank = models.index + 1
    enough = 100 * models["threshold"] * np.sqrt(models["pairs"])
    axes.plot(rank, 100 * models["cv"], "o", markersize=3, color=COLOURS[2])
    axes.plot(rank, enough, "--", color=NEUTRAL, label="pairs that were measured")
    axes.set(xlabel="Models in order", ylabel="Coefficient of variation (%)")
    axes.set(xlim=(0, len(models) + 1), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))


def _draw_needed(axes: Axes, models: pd.DataFrame) -> None:
    needed, measured = models["pairs_needed"].astype(float), models["pairs"].max()
    axes.ecdf(needed, color=COLOURS[2])
    axes.axvline(measured, linestyle="--", color=NEUTRAL)
    set_log(axes.xaxis, [*needed, measured])
    axes.set(xlabel="Pairs of directions", ylabel="Models (fraction)", ylim=(0, 1))


def _draw_order(axes: Axes, order: pd.DataFrame) -> None:
    known = order.dropna(subset="tau")
    if known.empty:
        return _say(axes, "; ".join(order["note"].dropna().unique()))
    for kind, (label, style) in KINDS.items():
        rows = known[known["kind"] == kind].sort_values("pairs")
        if rows.empty:
            continue
        colour = COLOURS[style]
        axes.plot(
            rows["pairs"],
            rows["tau"],
            color=colour,
            linestyle=LINE_STYLES[style],
            marker=MARKERS[style],
            markersize=3,
            label=label,
        )
        axes.fill_between(
            rows["pairs"], rows["tau_low"], rows["tau_high"], color=colour, alpha=0.2, linewidth=0
        )
    axes.set(xlabel="Pairs of directions", ylabel="Kendall's τ")
    axes.set(xlim=(0.5, known["pairs"].max() + 0.5), ylim=(None, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))


def _say(axes: Axes, sentence: str) -> None:
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, textwrap.fill(sentence, 24), ha="center", va="center", transform=axes.transAxes
    )
