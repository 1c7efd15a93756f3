"""Figure: how much an ensemble gains, against diversity and sharpness of its members."""

import textwrap
from collections.abc import Mapping
from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..analysis.correlations import ALL_NETWORKS
from ..analysis.ensemble_gain import SHARPNESS, gains_table, predictors_of
from ..analysis.measure_names import describe
from ..analysis.numbers import count_seeds
from .models import correlation, measure_label
from .style import (
    GREY,
    ConditionStyle,
    condition_handles,
    condition_styles,
    panel_grid,
    select,
    set_log_where_positive,
)

PANEL = (2.6, 2.0)  # inches
LABEL = 24  # letters in a line
# Of the measures of diversity the one that needs no explanation.
DIVERSITY = "prediction_disagreement"
GAINS = ("test_accuracy", "test_ece", "corruption_accuracy", "corruption_accuracy_generated")


def plot(
    ensembles: pd.DataFrame, summary: pd.DataFrame, ensemble_gain: pd.DataFrame, dataset: str
) -> Figure:
    """Return scatter plots of predictors (rows) against gains (columns), a point per condition.

    Predictors are the disagreement of members and every measure of sharpness. Bars are standard
    errors: of the predictor over members, of the gain over test samples. Above the dotted line
    the ensemble is better than its members are on average. Colours and markers are networks;
    above a panel stand Spearman's correlations over all networks and within each of several.
    """
    ensembles = select(ensembles, dataset)
    summary = select(summary, dataset)
    points = gains_table(ensembles, summary)
    kinds = predictors_of(summary)
    predictors = [name for name, kind in kinds.items() if kind == SHARPNESS or name == DIVERSITY]
    gains = [name for name in GAINS if f"gain_{name}" in points]
    found = select(ensemble_gain, dataset)
    found = found[found["statistic"] == "spearman"]
    styles = condition_styles(points["network"].unique())
    handles = condition_handles(styles, lines=False)
    pairs = list(product(predictors, gains))
    title = f"{dataset}, ensembles of {count_seeds(ensembles['members'])}"
    figure, panels = panel_grid(title, len(pairs), len(gains), PANEL, handles)
    units = ensembles.drop_duplicates("measure").set_index("measure")["unit"]
    for axes, (predictor, gain) in zip(panels, pairs, strict=True):
        _draw(axes, points, predictor, gain, styles, units[gain])
        rows = found[(found["predictor"] == predictor) & (found["gain_of"] == gain)]
        axes.set_title(_correlations(rows), fontsize="small")
        if kinds[predictor] == SHARPNESS:
            set_log_where_positive(axes.xaxis, points[predictor])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel(measure_label(predictor, 36))
    figure.align_ylabels()
    return figure


def _draw(
    axes: Axes,
    points: pd.DataFrame,
    predictor: str,
    gain: str,
    styles: Mapping[str, ConditionStyle],
    unit: str,
) -> None:
    # Fractions as percentage points.
    scale = 100 if unit == "fraction" else 1
    axes.axhline(0, color=GREY, linestyle=":", linewidth=0.8)
    for network, rows in points.groupby("network", sort=False):
        axes.errorbar(
            rows[predictor],
            scale * rows[f"gain_{gain}"],
            xerr=rows[f"{predictor}_error"],
            yerr=scale * rows[f"gain_{gain}_error"],
            **styles[network].dots,
            elinewidth=0.6,
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
    name = describe(gain, "evaluation", unit)
    label = f"Gain, {name.label.removeprefix('Test ').split(',')[0]} (pp)"
    axes.set_ylabel(textwrap.fill(label, LABEL))


def _correlations(rows: pd.DataFrame) -> str:
    """Return the correlation over all networks, then those within each of several."""
    by_network = rows.set_index("network")
    within = by_network.drop(ALL_NETWORKS)
    shown = [correlation(by_network.loc[ALL_NETWORKS])]
    if len(within) > 1:
        shown += [f"{network}: {correlation(row)}" for network, row in within.iterrows()]
    return "\n".join(shown)
