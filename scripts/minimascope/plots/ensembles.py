"""Figure: how much an ensemble gains, against diversity and sharpness of its members."""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.correlations import ALL_NETWORKS
from ..analysis.ensemble_gain import SHARPNESS, gains_table, predictors_of
from ..analysis.measure_names import describe
from ..analysis.numbers import count_seeds, format_interval, format_number
from .looks import Looks, study_looks
from .models import axis_label, correlation
from .scales import draw_axis, is_logarithmic
from .style import GREY, notice, panel_grid, select

PANEL = (2.7, 2.2)  # inches
# The measure of diversity that needs no explanation.
DIVERSITY = "prediction_disagreement"
GAINS = ("test_accuracy", "test_ece", "corruption_accuracy", "corruption_accuracy_generated")


def plot(
    ensembles: pd.DataFrame,
    summary: pd.DataFrame,
    ensemble_gain: pd.DataFrame,
    conditions: pd.DataFrame,
    dataset: str,
) -> Figure:
    """Return scatter plots of predictors (rows) against gains (columns), a point per condition.

    Predictors are the disagreement of members and every measure of sharpness. Bars are standard
    errors: of the predictor over members, of the gain over test samples. Above the dotted line
    the ensemble is better than its members are on average. Colours and markers are conditions,
    their filling the network; above a panel stands Spearman's correlation over all networks, and
    within each of several.
    """
    ensembles = select(ensembles, dataset)
    summary = select(summary, dataset)
    points = _in_points(gains_table(ensembles, summary), ensembles)
    kinds = predictors_of(summary)
    predictors = [name for name, kind in kinds.items() if kind == SHARPNESS or name == DIVERSITY]
    gains = [name for name in GAINS if f"gain_{name}" in points]
    found = select(ensemble_gain, dataset, required=False)
    if found.empty:
        return notice(dataset, "no condition whose networks all trained")
    found = found[found["statistic"] == "spearman"]
    looks = study_looks(conditions)
    handles = [*looks.handles(), *looks.network_handles()]
    pairs = list(product(predictors, gains))
    title = f"{dataset}, ensembles of {count_seeds(ensembles['members'])}"
    figure, panels = panel_grid(title, len(pairs), len(gains), PANEL, handles)
    units = ensembles.drop_duplicates("measure").set_index("measure")["unit"]
    for axes, (predictor, gain) in zip(panels, pairs, strict=True):
        _draw(axes, points, predictor, gain, looks)
        rows = found[(found["predictor"] == predictor) & (found["gain_of"] == gain)]
        axes.set_title(_correlations(rows))
        usually = kinds[predictor] == SHARPNESS
        logarithmic = usually and is_logarithmic(points[predictor], usually)
        draw_axis(axes.xaxis, axis_label(predictor), points[predictor], logarithmic, 30)
        name = describe(gain, "evaluation", units[gain]).label.removeprefix("Test ").split(",")[0]
        name = name[0].lower() + name[1:] if name[1].islower() else name  # but ECE
        draw_axis(axes.yaxis, f"Gain, {name} (pp)", points[f"gain_{gain}"], False, 24)
    figure.align_ylabels()
    return figure


def _in_points(points: pd.DataFrame, ensembles: pd.DataFrame) -> pd.DataFrame:
    """Return gains with those of fractions in percentage points."""
    fractions = ensembles.loc[ensembles["unit"] == "fraction", "measure"].unique()
    columns = [f"gain_{name}{end}" for name in fractions for end in ("", "_error")]
    return points.assign(**100 * points[points.columns.intersection(columns)])


def _draw(axes: Axes, points: pd.DataFrame, predictor: str, gain: str, looks: Looks) -> None:
    axes.axhline(0, color=GREY, linestyle=":", linewidth=0.8)
    for row in points.to_dict("records"):
        axes.errorbar(
            row[predictor],
            row[f"gain_{gain}"],
            xerr=row[f"{predictor}_error"],
            yerr=row[f"gain_{gain}_error"],
            **looks.dots(row["condition"], row["network"]),
            markersize=4.5,
            elinewidth=0.6,
            markeredgewidth=0.6,
        )


def _correlations(rows: pd.DataFrame) -> str:
    """Return the correlation over all networks, then those within each of several."""
    by_network = rows.set_index("network")
    whole, within = by_network.loc[ALL_NETWORKS], by_network.drop(ALL_NETWORKS)
    if len(within) < 2 or pd.isna(whole["value"]):
        return correlation(whole)
    each = (f"{network} {_interval(row)}" for network, row in within.iterrows())
    return "\n".join([f"ρ, all {_interval(whole)}", *each])


def _interval(row: pd.Series) -> str:
    """Return the number of conditions, their correlation and, if there is one, its interval."""
    if pd.isna(row["lower"]):
        return f"({row['n']}): {format_number(row['value'], '.2f')}, too few"
    return f"({row['n']}): " + format_interval(row["value"], row["lower"], row["upper"], ".2f")
