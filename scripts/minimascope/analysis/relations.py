"""How sharpness is related to evaluations over all models of a study, and that as text."""

import pandas as pd

from .correlations import LABELS, LEVEL, RESAMPLES, correlations, with_p_value
from .measure_names import describe, measures_of
from .numbers import format_estimate, format_percent
from .render import Text, captioned, joined
from .tables import at_minima
from .variance import JOINT, ONE_WAY, variance_shares

FACTORS = {
    "optimizer": "optimiser",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "model": "all together",
}
CORRELATIONS_CAPTION = (
    f"Correlation of sharpness with evaluations over trained models: value, {100 * LEVEL:.0f} %"
    f" bootstrap interval (percentile, {RESAMPLES:,} resamples of models) and two-sided p-value,"
    " which is not adjusted for the number of correlations; n: models. Both take models as"
    " independent draws, which those of one condition are not. Over all networks, a difference"
    " between networks looks like a correlation; the rows of single networks are free of it."
)
SHARES_CAPTION = (
    "Share of variance over trained models that goes with each setting, as categories, and the"
    " p-value of its F test. One-way: between groups, over the total (η²); in a design that is not"
    " balanced these shares overlap. Joint: what a linear model of all of them loses without this"
    " one (type II), over the total; what settings explain together counts for none of them."
    " ln: of the natural logarithm."
)


def relations(measures: pd.DataFrame, models: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `correlations` and the `variance_shares` of the measures of a study."""
    minima = at_minima(measures)
    sharpness, evaluations = (
        list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")
    )
    found = correlations(models, sharpness, evaluations)
    return found, variance_shares(models, sharpness)


def text(found: pd.DataFrame, shares: pd.DataFrame) -> Text:
    """Return the `correlations` of each data set, then its `variance_shares`."""
    correlated = (_correlations(rows, name) for name, rows in found.groupby("dataset", sort=False))
    explained = (_shares(rows, name) for name, rows in shares.groupby("dataset", sort=False))
    return [*correlated, *explained]


def _correlations(found: pd.DataFrame, dataset: str) -> pd.DataFrame:
    keys = ["network", "sharpness", "evaluation"]
    rows = []
    for (network, sharpness, evaluation), group in found.groupby(keys, sort=False):
        names = {
            "Network": network,
            "Sharpness": describe(sharpness, "sharpness").label,
            "Evaluation": describe(evaluation).label,
        }
        values = {LABELS[row.statistic]: with_p_value(row) for row in group.itertuples()}
        rows.append(names | values | {"n": group["n"].iloc[0], "Note": joined(group["note"])})
    return captioned(rows, f"{dataset}: {CORRELATIONS_CAPTION}{_left_out(found)}")


def _shares(shares: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    for (response, factor), group in shares.groupby(["response", "factor"], sort=False):
        by_kind = {row.kind: row for row in group.itertuples()}
        logarithm = group["scale"].iloc[0] == "ln"
        label = describe(response, "sharpness" if logarithm else "evaluation").label
        row = {
            "Response": f"ln {label}" if logarithm else label,
            "Setting": FACTORS.get(factor, factor),
        }
        for kind, name in ((ONE_WAY, "One-way"), (JOINT, "Joint")):
            found = by_kind.get(kind)
            row[name] = format_percent(found.value, ".1f") if found else ""
            row[f"p, {name.lower()}"] = format_estimate(found.p_value) if found else ""
        rows.append(row | {"n": group["n"].iloc[0], "Note": joined(group["note"])})
    return captioned(rows, f"{dataset}: {SHARES_CAPTION}{_left_out(shares)}")


def _left_out(rows: pd.DataFrame) -> str:
    most = rows["left_out"].max()
    if not most:
        return ""
    return f" Left out, since they did not train: {most}."
