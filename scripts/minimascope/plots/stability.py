"""Figure: how far ASC sharpness depends on the random directions it was measured along."""

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..analysis.numbers import span
from ..analysis.stability import FIRST, SPLIT_HALF
from .models import count_models
from .scales import draw_axis
from .style import GREY, NEUTRAL, notice, panel_grid, select

PANEL = (2.8, 2.2)  # inches
# Of the order of models, by kind.
KINDS = {FIRST: "first pairs against all", SPLIT_HALF: "two separate sets of pairs"}
LINES = {
    FIRST: {"color": "black", "marker": "o", "linestyle": "-"},
    SPLIT_HALF: {"color": NEUTRAL, "marker": "s", "linestyle": "-."},
}


def plot(stability: pd.DataFrame, stability_order: pd.DataFrame, dataset: str) -> Figure:
    """Return how ASC sharpness varies over pairs of directions, in three panels.

    Left: each model's coefficient of variation over pairs, in ascending order; up to the dashed
    line the pairs that were measured hold the standard error of the mean to the threshold.
    Middle: the share of models for which a number of pairs is enough; dashed, how many were
    measured.
    Right: Kendall's τ between the orders of the models by their means over the first pairs and
    over all of them, and over two separate sets of pairs, with a band for 95 % of the random
    splits; without any τ the panel says why. Where no model was measured along two pairs or more,
    the figure says so.
    """
    models = select(stability, dataset, required=False)
    known = models.dropna(subset="cv")
    if known.empty:
        return notice(dataset, "no variation over pairs of directions")
    order = select(stability_order, dataset, required=False)
    ordered = order.dropna(subset="tau")
    kinds = [kind for kind in KINDS if (ordered["kind"] == kind).any()]
    dashed = Line2D([], [], linestyle="--", color=NEUTRAL, label="pairs that were measured")
    pairs = f"{span(models['pairs'])} pair{'s' if models['pairs'].max() > 1 else ''}"
    title = f"{dataset}, {count_models(len(models))}, {pairs} of directions each"
    handles = [dashed, *(Line2D([], [], **LINES[kind], label=KINDS[kind]) for kind in kinds)]
    figure, (variation, needed, similarity) = panel_grid(
        title, 3, 3, PANEL, handles, margins=(0, 0.33)
    )
    variation.set_title("Variation over directions")
    needed.set_title(f"Pairs for a standard error of {100 * models['threshold'].iloc[0]:g} %")
    # Those with the most pairs; all, where these are too few.
    in_order = int(order["models"].max()) if len(order) else len(models)
    of = "the" if in_order == len(models) else str(in_order)
    similarity.set_title(f"Order of {of} models")
    _draw_variation(variation, known)
    _draw_needed(needed, known)
    if ordered.empty:
        reason = textwrap.fill("; ".join(order["note"].dropna().unique()), 24)
        similarity.set_axis_off()
        place = {"ha": "center", "va": "center", "transform": similarity.transAxes}
        similarity.text(0.5, 0.5, reason, **place)
    else:
        _draw_order(similarity, ordered, kinds)
    return figure


def _draw_variation(axes: Axes, models: pd.DataFrame) -> None:
    models = models.sort_values("cv", ignore_index=True)
    rank = models.index + 1
    enough = 100 * models["threshold"] * np.sqrt(models["pairs"])
    axes.plot(rank, 100 * models["cv"], "o", markersize=3, color="black")
    axes.plot(rank, enough, "--", color=NEUTRAL)
    axes.set(xlabel="Models in order", ylabel="Coefficient of variation (%)")
    axes.set(xlim=(0, len(models) + 1), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))


def _draw_needed(axes: Axes, models: pd.DataFrame) -> None:
    needed, measured = models["pairs_needed"].astype(float), models["pairs"].unique()
    axes.ecdf(needed, color="black")
    for pairs in measured:
        axes.axvline(pairs, linestyle="--", color=NEUTRAL)
    draw_axis(axes.xaxis, "Pairs of directions", [*needed, *measured], logarithmic=True)
    axes.set(ylabel="Models (fraction)", ylim=(0, 1))


def _draw_order(axes: Axes, order: pd.DataFrame, kinds: Iterable[str]) -> None:
    for kind in kinds:
        rows = order[order["kind"] == kind].sort_values("pairs")
        axes.plot(rows["pairs"], rows["tau"], **LINES[kind], markersize=3)
        band = rows["pairs"], rows["tau_low"], rows["tau_high"]
        axes.fill_between(*band, color=GREY, alpha=0.3, linewidth=0)
    axes.set(xlabel="Pairs of directions", ylabel="Kendall's τ")
    axes.set(xlim=(0.5, order["pairs"].max() + 0.5), ylim=(None, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
