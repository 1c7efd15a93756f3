"""Sharpness of the loss on the training samples of each domain, and of each city."""

import pandas as pd

from ..registry import SHARPNESS
from .collect import RUN
from .domain_correlations import correlated, shown_sharpness
from .domain_correlations import text as correlations_text
from .measure_names import describe, measures_of
from .model_table import CONDITION, require
from .numbers import format_estimate
from .render import Text, captioned, in_blocks
from .tables import at_minima
from .wording import in_words

PLACE = ["kind", "name"]
COLUMNS = [
    *(*CONDITION, *PLACE, "measure", "mean", "sem", "n_seeds", "unit", "protocol", "n"),
    *("over_all", "over_all_sem"),
]

# Measures that nothing is drawn at random for.
NOT_DRAWN = frozenset(SHARPNESS["forward"].gives)


def domain_sharpness_tables(
    measured: pd.DataFrame, domains: pd.DataFrame, models: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return measures on each domain's training samples, and how accuracy there goes with them.

    The first has a row for each condition, domain or city, and measure: ``mean`` and ``sem`` over
    the seeds that trained, ``n`` samples, and ``over_all``, the mean over seeds of the value over
    that on all training data, with its standard error. The second has the columns of
    `domain_correlations`; sharpness is that on the domain's own samples.

    Args:
        measured: rows of `collect.domain_measures_table`.
        domains: rows of `collect.domain_table`.
        models: rows of `model_table.model_table`.

    Raises:
        InputError: a column is missing.
    """
    require(measured, [*RUN, "view", *PLACE, "measure", "value", "n"], "domain_measures")
    rows = at_minima(measured)
    rows = rows.merge(models[[*RUN, "trained"]], on=RUN, validate="many_to_one")
    names = [name for name in rows["measure"].unique() if name in models]
    whole = models.melt(RUN, names, "measure", "whole")
    rows = rows.merge(whole, "left", [*RUN, "measure"], validate="many_to_one")
    kept = rows[rows["trained"]].assign(over_all=lambda found: found["value"] / found["whole"])
    by = [*CONDITION, *PLACE, "measure", "unit", "protocol", "n"]
    means = kept.groupby(by, sort=False).agg(
        mean=("value", "mean"),
        sem=("value", "sem"),
        n_seeds=("value", "count"),
        over_all=("over_all", "mean"),
        over_all_sem=("over_all", "sem"),
    )
    keys, sharpness = [*RUN, *PLACE], [*measures_of(rows, "sharpness")]
    by_model = rows.pivot(index=[*keys, "trained"], columns="measure", values="value")
    by_model = by_model[sharpness].reset_index()
    return means.reset_index()[COLUMNS], correlated(domains, by_model, keys, sharpness)


def text(means: pd.DataFrame, correlations: pd.DataFrame) -> Text:
    """Return sharpness by domain for each condition, then its correlations with accuracy there."""
    if means.empty:
        return ["No network whose sharpness was measured by domain has trained."]
    shown = means[means["measure"].isin(shown_sharpness(means["measure"]))]
    by = ["dataset", "network", "kind", "measure"]
    tables = [_table(rows, *names) for names, rows in shown.groupby(by, sort=False)]
    return [*tables, *correlations_text(correlations, on_own=True)]


def _table(rows: pd.DataFrame, dataset: str, network: str, kind: str, measure: str) -> pd.DataFrame:
    cells = [
        {"Condition": condition}
        | {row.name: format_estimate(row.mean, row.sem) for row in own.itertuples(index=False)}
        for condition, own in rows.groupby("condition", sort=False)
    ]
    label = in_words(measure, "sharpness")
    unit = describe(measure, "sharpness").unit
    drawn = ", along the same directions and perturbations as on all of them"
    caption = (
        f"{network} on {dataset}: {label} ({unit}) of the loss on the training samples of each"
        f" {kind} alone{'' if measure in NOT_DRAWN else drawn}. ±: standard error over seeds."
    )
    return in_blocks(captioned(cells, caption))
