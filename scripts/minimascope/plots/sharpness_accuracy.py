"""Figure: sharpness against accuracy in-domain and out-of-domain, over all models."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.correlations import ALL_NETWORKS
from .models import (
    correlation,
    count_models,
    draw_models,
    legend_handles,
    measure_label,
    model_looks,
    shown_measures,
)
from .style import notice, panel_grid, select, set_log_where_positive

PANEL = (2.6, 2.2)  # inches
COLUMNS = 3  # where there is one accuracy


def plot(models: pd.DataFrame, correlations: pd.DataFrame, dataset: str) -> Figure:
    """Return scatter plots of sharpness against accuracy of all models.

    That is ASC sharpness, or every measure of sharpness where ASC sharpness was not measured,
    against accuracy in-domain and out-of-domain, or overall where the data have no domains. Colours
    are optimisers (controls where all have the same) and markers networks. Above a panel stand
    Spearman's correlation over the conditions of all networks, with its interval and their number.
    Axes of sharpness are logarithmic unless a value is not positive.
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
    looks = model_looks(models)
    pairs = list(product(sharpness, accuracies))
    columns = len(accuracies) if len(accuracies) > 1 else COLUMNS
    figure, panels = panel_grid(title, len(pairs), columns, PANEL, legend_handles(looks))
    for axes, (y, x) in zip(panels, pairs, strict=True):
        draw_models(axes, models[x], models[y], models, looks)
        axes.set_title(_statistics(rows.loc[(y, x)]))
        set_log_where_positive(axes.yaxis, models[y])
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel(measure_label(x, 36))
        axes.set_ylabel(measure_label(y))
    figure.align_ylabels()
    return figure


def _statistics(row: pd.Series) -> str:
    left_out = f" ({row['left_out']:.0f} left out)" if row["left_out"] > 0 else ""
    return f"{correlation(row)}{left_out}"
