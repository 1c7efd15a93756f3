"""Figure: every measure for each condition, with the seeds as dots."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.measure_names import measures_of
from ..analysis.numbers import count_seeds
from ..analysis.summary import pair_matrix, summarise
from ..analysis.tables import at_minima
from .looks import Looks, draw_untrained, study_looks, untrained_handles
from .scales import log_measures, scale_axis, with_power
from .style import GREY, PAGE, balanced, finite, label_height, new_figure, rotate_labels, select

PLACE, MARGIN = 0.18, 0.8  # inches, for a condition and beside all
NARROWEST, HEIGHT = 2.3, 1.65  # inches, of a panel
TITLE = 26  # letters in a line
MEAN_OFFSET = 0.4  # of the mean beside its dots, in distances between conditions


def plot(
    measures: pd.DataFrame,
    disagreement: pd.DataFrame,
    conditions: pd.DataFrame,
    dataset: str,
    network: str,
) -> Figure:
    """Return a figure with a panel for each evaluation and each measure of sharpness.

    Dots are seeds, hollow and grey where the network did not train; grey lines join the same seed
    (same initial weights and data order) in different conditions, not those of adopted conditions
    that are not matched. The black bar is the mean over
    the seeds that trained, with its standard error (`summary.summarise`). A dot of the prediction
    disagreement is a seed's mean over the other seeds of its condition.
    """
    of_all = at_minima(select(measures, dataset))
    rows = select(of_all, dataset, network)
    pairs = select(disagreement, dataset, network, required=False)
    values = pd.concat([rows, _disagreement_of_seeds(pairs, rows)], ignore_index=True)
    looks = study_looks(conditions)
    shown = [name for name in looks.of if name in set(rows["condition"])]
    summary = summarise(rows[rows["trained"]], _among_trained(pairs, rows))
    here = select(conditions, dataset, network)
    unmatched = here.loc[~here["matched"].astype(bool), "condition"]
    panels = measures_of(finite(values), "evaluation", "sharpness")
    logarithmic = log_measures(of_all)
    key = [*_key(), *untrained_handles(rows)]
    seeds = count_seeds(rows.groupby("condition")["seed"].nunique())
    title = f"{network} on {dataset}, {seeds} per condition"
    figure, cells = _cells(title, len(panels), shown, key)
    for axes, (measure, name) in zip(cells, panels.items(), strict=True):
        of_measure = values[values["measure"] == measure]
        means = summary[summary["measure"] == measure].set_index("condition").reindex(shown)
        _draw(axes, of_measure, means, looks, unmatched)
        power = scale_axis(axes.yaxis, of_measure["value"], measure in logarithmic)
        axes.set_title(textwrap.fill(with_power(name.axis_label, power), TITLE))
    return figure


def _cells(
    title: str, count: int, conditions: Sequence[str], key: Sequence[Line2D]
) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels and a key; the lowest of a column names them.

    Below a panel without another below it the names hang into the empty cell.
    """
    width = max(NARROWEST, MARGIN + PLACE * len(conditions))
    columns = balanced(count, max(1, min(4, int(PAGE / width))))
    rows = math.ceil(count / columns)
    height = 0.5 + HEIGHT * rows + label_height(conditions)
    figure = new_figure(title, width * columns, height, key)
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for i, axes in enumerate(cells):
        has_names = i >= columns * (rows - 1)
        rotate_labels(axes, conditions if has_names else [""] * len(conditions))
    for axes in cells[count:]:
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, left=False, labelleft=False, labelbottom=False, labeltop=True)
        for label in axes.get_xticklabels():
            label.set_va("top")
    return figure, cells[:count]


def _key() -> list[Line2D]:
    seed = {"color": GREY, "linewidth": 0.5, "marker": "o", "markersize": 4, "label": "one seed"}
    mean = {"color": "black", "linestyle": "none", "marker": "_", "label": "mean ± standard error"}
    return [Line2D([], [], **seed), Line2D([], [], **mean)]


def _among_trained(pairs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of which both networks trained."""
    trained = rows.loc[rows["trained"], ["condition", "seed"]].drop_duplicates()
    for side in "ab":
        pairs = pairs.merge(trained.set_axis([f"condition_{side}", f"seed_{side}"], axis=1))
    return pairs


def _disagreement_of_seeds(pairs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return each seed's mean disagreement with the other seeds of its condition.

    Whether a seed has trained is taken from the rows of its measures.
    """
    measure = "prediction_disagreement"
    same = pairs[pairs["condition_a"] == pairs["condition_b"]]
    means = [
        pair_matrix(rows, measure).mean().rename("value").reset_index()
        for _, rows in same.groupby("condition_a", sort=False)
    ]
    frame = pd.concat(means) if means else pd.DataFrame(columns=["condition", "seed", "value"])
    trained = rows[["condition", "seed", "trained"]].drop_duplicates()
    frame = frame.merge(trained, on=["condition", "seed"], how="left")
    return frame.assign(measure=measure, family="evaluation", unit="fraction")


def _draw(
    axes: Axes, rows: pd.DataFrame, summary: pd.DataFrame, looks: Looks, unmatched: pd.Series
) -> None:
    """Draw one measure: its values, and the summary of each condition from left to right."""
    seeds = rows.pivot(index="seed", columns="condition", values="value")
    lines = seeds.drop(columns=unmatched, errors="ignore").reindex(columns=summary.index).T
    axes.plot(range(len(summary)), lines, color=GREY, lw=0.5)
    for place, condition in enumerate(summary.index):
        own = rows[rows["condition"] == condition]
        trained = own.loc[own["trained"], "value"]
        lost = own.loc[~own["trained"], "value"]
        look = looks.of[condition].dots
        axes.plot(np.full(len(trained), place), trained, **look, markersize=4, label=condition)
        draw_untrained(axes, np.full(len(lost), place), lost)
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
