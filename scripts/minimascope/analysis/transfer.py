"""Whether networks transfer better from flatter minima: sharpness before, evaluations after."""

from collections.abc import Sequence

import pandas as pd

from .correlations import ALL_NETWORKS, cells, correlations, to_read
from .evidence import LEVEL
from .measure_names import describe, measures_of
from .model_table import CONDITION, accuracies_of, require
from .numbers import format_estimate
from .relations import POOLED_CAPTION
from .render import Text, captioned
from .summary import PAIR_MEASURES
from .tables import at_minima
from .trends import ERROR

# Where the table of conditions has what a network started from.
STARTED = {"dataset": "start_dataset", "condition": "start_condition"}
CAPTION = (
    "Spearman's rank correlation of the sharpness of the minima that training started from with"
    " evaluations of the networks that it ended with: value,"
    f" {100 * LEVEL:.0f} % interval and two-sided p-value, not adjusted for the number of"
    " correlations. A point is a condition, the mean over its seeds, and n counts the conditions,"
    " which interval and p-value take as independent draws."
)
POINTS_CAPTION = (
    "mean ± standard error over the seeds that trained; before: of the networks that training"
    " started from."
)
# Before the names of evaluations of these.
BEFORE = "before_"


def transfer_tables(
    summary: pd.DataFrame, means: pd.DataFrame, conditions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the correlations of sharpness before with evaluations after, and their points.

    Args:
        summary: of `summary.summarise`, for the names of measures.
        means: of conditions, see `trends.condition_means`.
        conditions: of `conditions.condition_rows`.

    Returns:
        `correlations.correlations`, in which a data set is "first → second", and the means behind
        them: each measure of sharpness, and with ``before_`` each evaluation, of the networks that
        training started from, and the evaluations of those that it ended with.
    """
    require(conditions, [*CONDITION, *STARTED.values()], "conditions")
    minima = at_minima(summary)
    sharpness = list(measures_of(minima, "sharpness"))
    # How the networks of a condition differ is no matter of transfer.
    evaluations = [name for name in measures_of(minima, "evaluation") if name not in PAIR_MEASURES]
    started = conditions[[*CONDITION, *STARTED.values()]].dropna()
    names = [name for measure in evaluations for name in (measure, measure + ERROR)]
    after = started.merge(means[[*CONDITION, "n_untrained", *names]], on=CONDITION)
    others = [name for measure in sharpness for name in (measure, measure + ERROR)]
    before = means[[*CONDITION, "n_untrained", *others, *names]]
    before = before.rename(columns={name: BEFORE + name for name in names} | STARTED)
    points = after.merge(before, on=["network", *STARTED.values()], suffixes=("", "_before"))
    points["n_untrained"] += points.pop("n_untrained_before")
    points["dataset"] = points[STARTED["dataset"]] + " → " + points["dataset"]
    return correlations(points, sharpness, evaluations), points.drop(columns=[*STARTED.values()])


def text(found: pd.DataFrame, points: pd.DataFrame) -> Text:
    """Return the points and the correlations of each pair of data sets."""
    parts: Text = []
    for dataset, rows in found.groupby("dataset", sort=False):
        own = points[points["dataset"] == dataset]
        names = rows["sharpness"].unique()
        parts += [_points(part, names, dataset) for _, part in own.groupby("network", sort=False)]
        parts += [_correlations(to_read(rows), dataset)]
    return parts


def _points(points: pd.DataFrame, sharpness: Sequence[str], dataset: str) -> pd.DataFrame:
    accuracies = accuracies_of(points)
    columns = {name: f"{describe(name, 'sharpness').label}, before" for name in sharpness}
    columns |= {BEFORE + name: f"{describe(name).label}, before" for name in accuracies}
    columns |= {name: f"{describe(name).label}, after" for name in accuracies}
    rows = [
        {"Condition": point["condition"]}
        | {title: format_estimate(point[n], point[n + ERROR]) for n, title in columns.items()}
        for _, point in points.iterrows()
    ]
    return captioned(rows, f"{points['network'].iloc[0]}, {dataset}: {POINTS_CAPTION}")


def _correlations(found: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = [
        {
            "Network": row.network,
            "Sharpness before": describe(row.sharpness, "sharpness").label,
            "Evaluation after": describe(row.evaluation).label,
            **cells(row),
        }
        for row in found.itertuples()
    ]
    pooled = POOLED_CAPTION if found["network"].eq(ALL_NETWORKS).any() else ""
    return captioned(rows, f"{dataset}: {CAPTION}{pooled}")
