"""Figure: sharpness against accuracy in-domain and out-of-domain, over all models."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure

from ..analysis.correlations import ALL_NETWORKS
from .looks import study_looks
from .models import (
    axis_label,
    correlation,
    count_models,
    draw_models,
    legend_handles,
    shown_measures,
)
from .scales import draw_axis, is_logarithmic
from .style import balanced, notice, panel_grid, select

PANEL = (2.6, 2.3)  # inches


def plot(
    models: pd.DataFrame, correlations: pd.DataFrame, conditions: pd.DataFrame, dataset: str
) -> Figure:
    """Return scatter plots of sharpness against accuracy of all models.

    That is ASC sharpness, or every measure of sharpness where ASC sharpness was not measured,
    against accuracy in-domain and out-of-domain, or overall where the data have no domains. Colours
    and markers are conditions, their filling the network; models that did not train are hollow and
    grey. Above a panel stand Spearman's correlation over the means of all networks' conditions with
    its interval, and how many these are. Axes of sharpness are logarithmic unless a value is not
    positive.
    """
    models = select(models, dataset)
    rows = select(correlations, dataset, required=False)
    title = f"{dataset}, {count_models(len(models))}"
    known = rows[rows["n"] > 0]
    sharpness, _ = shown_measures(known["sharpness"])
    _, accuracies = shown_measures(known["evaluation"])
    if not (sharpness and accuracies):
        return notice(title, "no sharpness to compare with accuracy")
    rows = rows[(rows["network"] == ALL_NETWORKS) & (rows["statistic"] == "spearman")]
    rows = rows.set_index(["sharpness", "evaluation"])
    looks, trained = study_looks(conditions), models[models["trained"]]
    pairs = list(product(sharpness, accuracies))
    columns = len(accuracies) if len(accuracies) > 1 else balanced(len(pairs))
    figure, panels = panel_grid(title, len(pairs), columns, PANEL, legend_handles(models, looks))
    for axes, (y, x) in zip(panels, pairs, strict=True):
        draw_models(axes, models[x], models[y], models, looks)
        axes.set_title(_statistics(rows.loc[(y, x)]))
        draw_axis(axes.xaxis, axis_label(x), models[x], False, 24)
        logarithmic = is_logarithmic(trained[y], usually=True)
        draw_axis(axes.yaxis, axis_label(y), models[y], logarithmic, 24)
    figure.align_ylabels()
    return figure


def _statistics(row: pd.Series) -> str:
    left_out = f" ({row['left_out']:.0f} left out)" if row["left_out"] > 0 else ""
    return f"{correlation(row)}{left_out}"
