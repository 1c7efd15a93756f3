"""How well networks tell their own test split from samples of classes that they never saw."""

import pandas as pd

from ..evaluation.measures_of_unseen import METRICS, SCORE_NAMES
from .collect import RUN
from .model_table import CONDITION, require
from .numbers import count_seeds, format_estimate
from .render import Text, captioned, in_blocks

COLUMNS = [
    *(*CONDITION, "set", "score", *(f"{name}{end}" for name in METRICS for end in ("", "_error"))),
    *("n_seeds", "n", "n_unseen"),
]
ABOUT = (
    "In percent, ± standard error over seeds, of networks that trained. Positive are samples of the"
    " data set's own test split, for which a score should be larger. AUROC: the probability that"
    " such a sample has a larger score than one of unseen classes; a score that says nothing has"
    " 50 %. FPR at 95 %: the share of unseen samples taken for known ones where 95 % of the known"
    " ones are. AUPR: average precision, of which a score that says nothing has the share of"
    " known samples. Energy is minus log Σ exp(logits), and its negative the score, as for entropy."
)


def unseen_table(scores: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Return means over the seeds that trained, of each condition, set and score, as fractions.

    Args:
        scores: rows of `evaluation.other_sets.unseen_rows`.
        values: rows of `summary.seed_values`, which say what trained.

    Raises:
        InputError: a column is missing.
    """
    require(scores, [*RUN, "set", "score", *METRICS, "n", "n_unseen"], "unseen")
    require(values, [*RUN, "trained"], "values")
    models = values[[*RUN, "trained"]].drop_duplicates(RUN)
    rows = scores.merge(models, on=RUN, how="left", validate="many_to_one")
    numbers = {name: (name, "mean") for name in METRICS}
    numbers |= {f"{name}_error": (name, "sem") for name in METRICS}
    counts = {"n_seeds": ("seed", "nunique")} | {n: (n, "first") for n in ("n", "n_unseen")}
    groups = rows[rows["trained"].eq(True)].groupby([*CONDITION, "set", "score"], sort=False)
    return groups.agg(**numbers, **counts).reset_index()[COLUMNS]


def text(found: pd.DataFrame) -> Text:
    """Return a table for each set of unseen classes, and how to read them."""
    if found.empty:
        return ["No network that trained was tested on unseen classes."]
    sets = found.groupby(["dataset", "set"], sort=False)
    return [*(_table(rows, *names) for names, rows in sets), ABOUT]


def _table(rows: pd.DataFrame, dataset: str, name: str) -> pd.DataFrame:
    shown = []
    for (network, condition), own in rows.groupby(CONDITION[1:], sort=False):
        line = {"Network, condition": f"{network}, {condition}"}
        for metric, label in METRICS.items():
            for row in own.to_dict("records"):
                value, error = 100 * row[metric], 100 * row[f"{metric}_error"]
                line[f"{label}, {SCORE_NAMES[row['score']]}"] = format_estimate(value, error)
        shown.append(line)
    first, seeds = rows.iloc[0], count_seeds(rows["n_seeds"])
    title = f"{name}, for {dataset}: {first['n_unseen']:,} samples, against {first['n']:,} of the"
    title += f" test split ({100 * first['n'] / (first['n'] + first['n_unseen']):.0f} %), {seeds}."
    return in_blocks(captioned(shown, title))
