"""How sharpness goes with accuracy in each domain (recording device, speaker) and in each city.

If flat minima fitted the devices that most training clips come from, and no others, ρ with accuracy
and ρ with how far accuracy is above that on the others would be below zero for these devices alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from statsmodels.stats.multitest import multipletests

from .collect import RUN
from .correlations import (
    DECIMALS,
    STATISTIC,
    correlate,
    groups,
    to_read,
    with_p_value,
    without_intervals,
)
from .evidence import LEVEL
from .measure_names import measures_of
from .model_table import CONDITION, require
from .render import Text, captioned
from .tables import MAIN_MEASURES, at_minima
from .within_networks import correlation_within
from .wording import in_words

COLUMNS = [
    *("dataset", "network", "sharpness", "kind", "name", "seen", "evaluation", "statistic"),
    *("value", "lower", "upper", "p_value", "p_holm", "tests", "n", "value_models", "n_models"),
    *("left_out", "note"),
]
ACCURACY, ABOVE_OTHERS = EVALUATIONS = "accuracy", "accuracy_above_others"
SHARPNESS = "asc_sharpness"
NOTHING = "No network whose sharpness was measured has trained, so there is nothing to correlate."
WORDS = {
    ACCURACY: "accuracy in each {kind}",
    ABOVE_OTHERS: "how far accuracy in each {kind} is above the mean of the others",
}
# Of a single place.
THERE = {ACCURACY: "accuracy", ABOVE_OTHERS: "how far accuracy is above the mean of the others"}
HOW = (
    "Spearman's rank correlation over the conditions' means: value,"
    f" {100 * LEVEL:.0f} % interval and two-sided p-value of the one correlation. Below zero: the"
    " flatter, the more accurate there, or the further above the others, which a network can also"
    " be because the others are worse. Bold: sure for all rows of a column together (Holm's"
    " correction). All: within networks, so that a difference between networks does not count."
)
UNSEEN = " In brackets: not in the training data."


def domain_correlation_table(
    domains: pd.DataFrame, summary: pd.DataFrame, models: pd.DataFrame
) -> pd.DataFrame:
    """Return the `domain_correlations` of all measures of sharpness of a study."""
    sharpness = measures_of(at_minima(summary), "sharpness")
    return domain_correlations(domains, models, [*sharpness])


def domain_correlations(
    domains: pd.DataFrame, models: pd.DataFrame, sharpness: Sequence[str]
) -> pd.DataFrame:
    """Return Spearman's ρ of sharpness with accuracy in each domain, and in each city.

    ``evaluation`` is ``accuracy``, or ``accuracy_above_others``: accuracy there minus the mean of
    that in the other domains (in the other cities), all of them counting the same. Points are the
    means of conditions over the seeds that trained, within all networks (``network`` "all",
    `within_networks.correlation_within`) and of each. ``p_holm`` is corrected (Holm 1979) for the
    ``tests`` of one evaluation and measure: the domains, or the cities. ``value_models`` is ρ over
    single models, without regard to networks; it has no interval, since the seeds of a condition
    are no independent draws.

    Args:
        domains: rows of `collect.domain_table`.
        models: rows of `model_table.model_table`.
        sharpness: columns of it.

    Raises:
        InputError: a column is missing.
    """
    require(models, [*RUN, "trained", *sharpness], "models")
    return correlated(domains, models[[*RUN, "trained", *sharpness]], RUN, sharpness)


def correlated(
    domains: pd.DataFrame, measured: pd.DataFrame, keys: Sequence[str], sharpness: Sequence[str]
) -> pd.DataFrame:
    """Return the same of sharpness that is measured by model, or by model and domain (`keys`)."""
    columns = [*RUN, "kind", "name", "seen", "accuracy"]
    require(domains, columns, "domains")
    points = with_others(domains[columns]).merge(measured, on=list(keys), validate="many_to_one")
    rows = []
    for (dataset, network), group in groups(points):
        runs = group[[*RUN, "trained"]].drop_duplicates()
        origin = {"dataset": dataset, "network": network, "left_out": (~runs["trained"]).sum()}
        trained = group[group["trained"]]
        for measure in sharpness:
            for (kind, evaluation), own in _families(trained):
                found = pd.DataFrame(_of_places(own, measure, evaluation))
                names = {"sharpness": measure, "kind": kind, "evaluation": evaluation}
                rows.append(_corrected(found).assign(**origin, **names))
    found = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)
    return found[COLUMNS]


def with_others(domains: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies with how far each is above the mean of the other places of its kind."""
    of_model = domains.groupby([*RUN, "kind"])["accuracy"]
    total, count = of_model.transform("sum"), of_model.transform("count")
    others = (total - domains["accuracy"]) / (count - 1).where(count > 1)
    return domains.assign(**{ABOVE_OTHERS: domains["accuracy"] - others})


def _families(points: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield what is corrected for together: a kind of place, and an evaluation."""
    for kind, own in points.groupby("kind", sort=False):
        for evaluation in EVALUATIONS:
            if own[evaluation].notna().any():
                yield (kind, evaluation), own


def _of_places(points: pd.DataFrame, measure: str, evaluation: str) -> Iterator[dict[str, Any]]:
    for name, own in points.groupby("name", sort=False):
        means = own.groupby(CONDITION, sort=False)[[measure, evaluation]].mean()
        single = correlate(own[measure], own[evaluation])
        yield {
            "name": name,
            "seen": own["seen"].iloc[0],
            "statistic": STATISTIC,
            **correlation_within(
                means[measure],
                means[evaluation].round(DECIMALS),
                means.index.get_level_values("network"),
                ("sharpness", THERE[evaluation]),
            ),
            "value_models": single["value"],
            "n_models": single["n"],
        }


def _corrected(found: pd.DataFrame) -> pd.DataFrame:
    """Return rows with p-values corrected for their number."""
    tested = found["p_value"].dropna()
    adjusted = multipletests(tested, method="holm")[1] if len(tested) else []
    return found.assign(p_holm=pd.Series(adjusted, tested.index, dtype=float), tests=len(tested))


def text(found: pd.DataFrame, on_own: bool = False) -> Text:
    """Return a table of each data set, evaluation and kind of place, a column for each network.

    Args:
        found: rows of `domain_correlations`.
        on_own: whether sharpness is that on the place's own training samples.
    """
    parts: list[pd.DataFrame | str] = []
    for dataset, own in found.groupby("dataset", sort=False):
        own = to_read(own)
        shown = own[own["sharpness"].isin(shown_sharpness(own["sharpness"]))]
        if line := without_intervals(shown, dataset, "domain_correlations"):
            parts.append(line)
            continue
        by = ["sharpness", "evaluation", "kind"]
        parts += [
            _table(rows, dataset, on_own, *names) for names, rows in shown.groupby(by, sort=False)
        ]
    if not parts:
        return [NOTHING]
    return [*parts, HOW] if any(isinstance(part, pd.DataFrame) for part in parts) else parts


def shown_sharpness(names: pd.Series) -> list[str]:
    """Return which measures of sharpness are shown: ASC sharpness, or those of the main table."""
    there = list(names.unique())
    return [SHARPNESS] if SHARPNESS in there else [n for n in MAIN_MEASURES if n in there]


def _table(
    rows: pd.DataFrame, dataset: str, on_own: bool, measure: str, evaluation: str, kind: str
) -> pd.DataFrame:
    cells = [
        {kind.capitalize(): name, **{row.network: _cell(row) for row in own.itertuples()}}
        for name, own in rows.assign(name=place_names(rows)).groupby("name", sort=False)
    ]
    where = f" on the training samples of each {kind} alone" if on_own else ""
    words = f"{in_words(measure, 'sharpness')}{where} with {WORDS[evaluation].format(kind=kind)}"
    counts = rows.groupby("network", sort=False)["n"].max()
    points = ", ".join(f"{network} {n}" for network, n in counts.items())
    unseen = UNSEEN if rows["seen"].eq(False).any() else ""
    return captioned(cells, f"{dataset}: {words}. Conditions: {points}.{unseen}")


def place_names(rows: pd.DataFrame) -> pd.Series:
    """Return the names of places, in brackets where the training data lack them."""
    names = rows["name"].astype(str)
    return names.where(~rows["seen"].eq(False), "(" + names + ")")


def _cell(row: tuple) -> str:
    shown = with_p_value(row)
    return f"**{shown}**" if row.p_holm <= 1 - LEVEL else shown
