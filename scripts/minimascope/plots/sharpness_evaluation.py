"""Figure: each measure of sharpness against each evaluation."""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.correlations import ALL_NETWORKS
from ..analysis.measure_names import measures_of
from ..analysis.tables import MAIN_MEASURES, at_minima
from .looks import Looks, draw_untrained, study_looks, untrained_handles
from .models import correlation
from .scales import draw_axis, log_measures
from .style import PAGE, align_labels, finite, notice, panel_grid, select

NARROWEST, WIDEST, HEIGHT = 1.7, 2.4, 1.7  # inches, of a panel


def plot(
    measures: pd.DataFrame,
    correlations: pd.DataFrame,
    conditions: pd.DataFrame,
    dataset: str,
    network: str,
) -> Figure:
    """Return a grid of scatter plots: rows are measures of sharpness, columns evaluations.

    A dot is a model, its colour and marker the condition; models that did not train are hollow
    and grey. Above each panel stands Spearman's rank correlation over the means of conditions.
    Evaluations are those of the main table, or all where that has none.

    Args:
        measures: of the whole study.
        correlations: rows of `analysis.correlations.correlations`.
        conditions: of the whole study.
    """
    of_all = at_minima(select(measures, dataset))
    rows = select(of_all, dataset, network)
    title = f"{network} on {dataset}"
    known = finite(rows)
    sharpness, evaluations = measures_of(known, "sharpness"), measures_of(known, "evaluation")
    if not sharpness or not evaluations:
        return notice(title, "no finite value of sharpness or of an evaluation")
    main = {measure: evaluations[measure] for measure in MAIN_MEASURES if measure in evaluations}
    evaluations = main or evaluations
    pairs = list(product(sharpness.items(), evaluations.items()))
    models = rows.pivot(
        index=["condition", "seed", "trained"], columns="measure", values="value"
    ).reset_index()
    found = _correlations(correlations, dataset, network)
    looks, logarithmic = study_looks(conditions), log_measures(of_all[of_all["trained"]])
    figure, grid = panel_grid(
        title,
        len(pairs),
        len(evaluations),
        (min(WIDEST, max(NARROWEST, PAGE / len(evaluations))), HEIGHT),
        [*looks.handles(), *untrained_handles(models)],
        margins=(0.6, 0.8),
        sharex="col",
        sharey="row",
    )
    for axes, ((y, y_name), (x, x_name)) in zip(grid, pairs, strict=True):
        _draw_models(axes, models, x, y, looks)
        axes.set_title(correlation(found.loc[(y, x)]), pad=3)
        draw_axis(axes.xaxis, x_name.axis_label, models[x], x in logarithmic, 20)
        draw_axis(axes.yaxis, y_name.axis_label, models[y], y in logarithmic, 20)
        axes.label_outer()
    align_labels(figure)
    return figure


def _draw_models(axes: Axes, models: pd.DataFrame, x: str, y: str, looks: Looks) -> None:
    for condition, own in models[models["trained"]].groupby("condition", sort=False):
        axes.plot(own[x], own[y], **looks.of[condition].dots, markersize=4.5, label=condition)
    lost = models[~models["trained"]]
    draw_untrained(axes, lost[x], lost[y])


def _correlations(correlations: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    """Return Spearman's correlations of a network, by measure of sharpness and evaluation."""
    rows = select(correlations, dataset)
    # A network that is alone on its data set has no rows of its own beside those of all.
    name = network if (rows["network"] == network).any() else ALL_NETWORKS
    rows = rows[(rows["network"] == name) & (rows["statistic"] == "spearman")]
    return rows.set_index(["sharpness", "evaluation"])
