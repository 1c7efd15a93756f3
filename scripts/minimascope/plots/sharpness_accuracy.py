"""Figure: sharpness against accuracy in-domain and out-of-domain, over all models."""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.correlations import ALL_NETWORKS
from .models import (
    count_models,
    draw_models,
    legend_handles,
    measure_label,
    model_looks,
    shown_measures,
)
from .style import (
    notice,
    number,
    panels_with_legend,
    select_dataset,
    set_log_where_positive,
    styled,
)

PANEL = (2.6, 2.2)  # inches
COLUMNS = 3  # where there is one accuracy


@styled()
def plot(models: pd.DataFrame, correlations: pd.DataFrame, dataset: str) -> Figure:
    """Return scatter plots of sharpness against accuracy of all models.

    That is ASC sharpness, or every measure of sharpness where ASC sharpness was not measured,
    against accuracy in-domain and out-of-domain, or overall where the data have no domains. Colours
    are optimisers (controls where all have the same) and markers networks. Above a panel stand
    Spearman's correlation over all networks with its interval, and how many models it is of.
    Axes of sharpness are logarithmic unless a value is not positive.

    Args:
        models: a row per trained model, with its settings and a column per measure.
        correlations: of each ``sharpness`` with each ``evaluation``; rows with ``network`` "all"
            and ``statistic`` "spearman" are read.
        dataset: whose rows are drawn.

    Raises:
        InputError: there are no models of the data set.
    """
    models = select_dataset(models, dataset)
    rows = select_dataset(correlations, dataset, required=False)
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
    figure, panels = panels_with_legend(len(pairs), columns, PANEL, legend_handles(looks))
    figure.suptitle(title)
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
    """Return a correlation with its interval and number of models."""
    interval = "" if pd.isna(row["lower"]) else f" [{number(row['lower'])}, {number(row['upper'])}]"
    left_out = f" ({row['left_out']:.0f} left out)" if row["left_out"] > 0 else ""
    return f"ρ = {number(row['value'])}{interval}, n = {row['n']:.0f}{left_out}"
