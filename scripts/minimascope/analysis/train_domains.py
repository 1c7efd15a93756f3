"""What leaving domains out of training changes: the same networks of the same seeds, compared.

Networks of both data sets start from the same initial weights of a seed, and are tested on the same
samples. Their normalisation is that of their own training data.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from .collect import RUN
from .differences import Difference, differences_from
from .domain_correlations import shown_sharpness
from .evidence import LEVEL
from .measure_names import describe, measures_of, names_in
from .model_table import require
from .numbers import MISSING, format_estimate, format_interval
from .render import Text, captioned
from .smallest_difference import SmallestDifference
from .tables import at_minima
from .wording import counted

ACCURACY, OVERALL = "accuracy", "test_accuracy"
MEASURED = ("measure", "value", "noise_floor")
# Of the whole training, or test, data.
EVERYWHERE = "all"
COLUMNS = [
    *("dataset", "reference", "network", "condition", "measure", "kind", "name", "n"),
    *("reference_mean", "mean", "difference", "standard_error", "lower", "upper", "level"),
    *("smallest_difference", "verdict", "p_value", "p_holm", "tests", "left_out"),
]
CAPTION = (
    "{dataset} minus {reference}, {network}: the same networks of the same seeds, trained without"
    " some domains, and with them. Sharpness is on all training samples of each, and on those of"
    " single domains that both have; accuracy is on the test samples of each domain. Difference"
    f" with its {100 * LEVEL:.0f} % interval, Student's t of differences paired by seed. Bold:"
    " surely not zero for all domains and conditions of a measure together (Holm's correction)."
)
NONE_TRAINED = f" {MISSING}: of no seed did both networks train."
NO_PAIR = (
    "Networks were trained both with and without some domains, but of no seed did both train, so"
    " that there is nothing to compare."
)


def differences_by_training(
    values: pd.DataFrame,
    domains: pd.DataFrame,
    domain_measures: pd.DataFrame,
    models: pd.DataFrame,
    *,
    references: Mapping[str, str],
    smallest_differences: Mapping[str, float | str],
) -> pd.DataFrame:
    """Return how networks that were trained without some domains differ from the others.

    Of each measure on all data (``kind`` "all"), of sharpness on the training samples of each
    domain and city that both have, and of accuracy on the test samples of each (``measure``
    "accuracy"). Pairs of networks of a seed that both trained count; ``left_out`` counts the
    networks that did not, and without any pair ``n`` is 0. ``p_holm`` is corrected (Holm 1979) for
    the ``tests`` of one measure: its places and conditions.

    Args:
        values: rows of `summary.seed_values`.
        domains: rows of `collect.domain_table`.
        domain_measures: rows of `collect.domain_measures_table`; none if nothing was measured so.
        models: rows of `model_table.model_table`.
        references: by data set the one that it is compared with.
        smallest_differences: those of the study, by measure; none is below the noise floor.
            Accuracies in domains have that of the test accuracy.

    Raises:
        InputError: a column is missing, or a smallest difference is none.
    """
    needed = [*RUN, "measure", "family", "unit", "value", "noise_floor", "trained"]
    require(values, needed, "seed_values")
    smallest = {
        measure: name.smallest_difference
        for measure, name in names_in(values, smallest_differences).items()
    }
    smallest[ACCURACY] = smallest.get(OVERALL) or describe(OVERALL).smallest_difference
    parts = [_everywhere(values), _accuracies(domains), _by_domain(domain_measures)]
    rows = pd.concat([part for part in parts if len(part)])
    rows = rows.merge(models[[*RUN, "trained"]], on=RUN)
    found = []
    for dataset, reference in references.items():
        own = rows[rows["dataset"].isin((dataset, reference))]
        for (network, measure), group in own.groupby(["network", "measure"], sort=False):
            compared = pd.DataFrame(_compared(group, dataset, reference, smallest[measure]))
            if len(compared):
                names = {"dataset": dataset, "reference": reference, "network": network}
                found.append(_corrected(compared).assign(**names, measure=measure))
    return pd.concat(found)[COLUMNS] if found else pd.DataFrame(columns=COLUMNS)


def _everywhere(values: pd.DataFrame) -> pd.DataFrame:
    """Return the evaluations and measures of sharpness of all data."""
    names = [*measures_of(values, "evaluation"), *measures_of(values, "sharpness")]
    rows = values[values["measure"].isin(names)]
    return rows[[*RUN, *MEASURED]].assign(kind=EVERYWHERE, name=EVERYWHERE)


def _accuracies(domains: pd.DataFrame) -> pd.DataFrame:
    rows = domains.rename(columns={"accuracy": "value"}).assign(measure=ACCURACY)
    return rows.assign(noise_floor=np.nan)[[*RUN, *MEASURED, "kind", "name"]]


def _by_domain(measured: pd.DataFrame) -> pd.DataFrame:
    rows = at_minima(measured) if len(measured) else measured
    names = [*measures_of(rows, "sharpness")] if len(rows) else []
    rows = rows[rows["measure"].isin(names)]
    floors = rows[["standard_error", "noise_floor"]].astype(float).max(axis=1)
    return rows.assign(noise_floor=floors)[[*RUN, *MEASURED, "kind", "name"]]


def _compared(
    rows: pd.DataFrame, dataset: str, reference: str, smallest: SmallestDifference
) -> Iterator[dict[str, Any]]:
    """Yield the comparison of each condition in each place, by one measure."""
    keys = ["kind", "name", "condition"]
    for (kind, name, condition), own in rows.groupby(keys, sort=False):
        if not {dataset, reference} <= {*own["dataset"]}:
            continue
        trained = own[own["trained"]]
        seeds = trained.pivot(index="seed", columns="dataset", values="value")
        both = seeds.reindex(columns=[reference, dataset]).astype(float)
        both = both.replace([np.inf, -np.inf], np.nan).dropna()
        floors = trained.groupby("dataset")["noise_floor"].mean().reindex(both.columns)
        [(_, difference)] = differences_from(reference, both, floors, smallest)
        means = both.mean()
        yield {
            "kind": kind,
            "name": name,
            "condition": condition,
            "n": len(both),
            "reference_mean": means[reference],
            "mean": means[dataset],
            **_numbers(difference),
            "left_out": len(own) - len(trained),
        }


def _numbers(difference: Difference) -> dict[str, Any]:
    lower, upper = difference.interval
    return {
        "difference": float(difference.estimate.value),
        "standard_error": float(difference.estimate.error),
        "lower": lower,
        "upper": upper,
        "level": LEVEL,
        "smallest_difference": difference.smallest,
        "verdict": difference.verdict,
        "p_value": difference.p_value,
    }


def _corrected(found: pd.DataFrame) -> pd.DataFrame:
    tested = found["p_value"].dropna()
    adjusted = multipletests(tested, method="holm")[1] if len(tested) else []
    return found.assign(p_holm=pd.Series(adjusted, tested.index, dtype=float), tests=len(tested))


def text(found: pd.DataFrame) -> Text:
    """Return a table of each data set and network, a column for each condition."""
    if found.empty:
        return ["No network was trained both with and without some domains."]
    if not found["n"].any():
        return [NO_PAIR]
    shown = [ACCURACY, OVERALL, *shown_sharpness(found["measure"])]
    rows = found[found["measure"].isin(shown)]
    by = ["dataset", "reference", "network"]
    return [_table(own, *names) for names, own in rows.groupby(by, sort=False)]


def _table(rows: pd.DataFrame, dataset: str, reference: str, network: str) -> pd.DataFrame:
    cells = [
        {"Of": _where(measure, name)} | {row.condition: _cell(row) for row in own.itertuples()}
        for (measure, _, name), own in rows.groupby(["measure", "kind", "name"], sort=False)
    ]
    caption = CAPTION.format(dataset=dataset, reference=reference, network=network)
    counts = f" Pairs of seeds: up to {rows['n'].max()}."
    if most := rows["left_out"].max():
        networks = counted(most, "network")
        counts += f" Left out, since they did not train: up to {networks} of a comparison."
    return captioned(cells, caption + counts + (NONE_TRAINED if not rows["n"].all() else ""))


def _where(measure: str, name: str) -> str:
    label = "Accuracy (fraction)" if measure == ACCURACY else describe(measure).axis_label
    return label if name == EVERYWHERE else f"{label}, {name}"


def _cell(row: tuple) -> str:
    if not row.n:
        return MISSING
    if pd.isna(row.lower):
        why = "the same in all seeds" if row.n > 1 else "too few"
        return f"{format_estimate(row.difference)} ({why})"
    shown = format_interval(row.difference, row.lower, row.upper, ".3g")
    return f"**{shown}**" if row.p_holm <= 1 - LEVEL else shown
