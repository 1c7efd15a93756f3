"""Each condition against the baseline: differences, intervals and tests, also as text.

Differences are paired by seed. Conditions that were trained elsewhere have seeds of their own,
unless they are matched, and are compared as independent.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from .differences import (
    EQUIVALENT,
    LARGER,
    OPEN,
    SMALLER,
    TOO_FEW,
    Difference,
    Estimate,
    differences_from,
    mean_over_seeds,
    share_interval,
    welch,
    welch_share_interval,
)
from .evidence import LEVEL
from .measure_name import COMPARED
from .measure_names import MeasureName, describe, measures_of, names_in
from .model_table import require
from .numbers import (
    MISSING,
    count_seeds,
    format_ends,
    format_estimate,
    format_number,
    without_residue,
)
from .render import Text, captioned, joined
from .smallest_difference import SmallestDifference
from .summary import PAIR_MEASURES
from .wording import listed

COLUMNS = [
    *("dataset", "network", "measure", "condition", "baseline", "unit", "protocol", "n"),
    *("baseline_mean", "mean", "difference", "standard_error", "lower", "upper", "share"),
    *("share_lower", "share_upper", "level", "smallest_difference", "verdict", "p_value"),
    *("p_holm", "tests", "left_out", "note", "pairing"),
]
# As `runs.compare_runs` has it.
BY_SEED, INDEPENDENT = "by seed", "none"
# The fewest seeds for which measures of pairs of models have a value for each.
FEWEST_OF_PAIRS = 3
UNBOUNDED = "unbounded"
CAPTION = (
    "condition minus baseline over matched seeds. ±: standard error of the mean difference."
    f" Interval: {100 * LEVEL:.0f} %, Student's t of the paired differences, which holds with any"
    " number of seeds if these are normal; few seeds cannot show whether they are. Of baseline: the"
    " difference as a share of the baseline's mean, with Fieller's interval, which counts the error"
    f" of that mean, too; {UNBOUNDED}: that mean is itself not surely other than zero, so that no"
    " interval of a share has ends, and the verdict is that of the tests alone. Matters: the"
    " smallest difference that matters. Verdict:"
    f" {LARGER} or {SMALLER}: surely by more than that; {EQUIVALENT}: surely within ± that; {OPEN}:"
    f" none of these is sure; {TOO_FEW}: too few seeds for an interval. Where a share of the"
    " baseline matters, the verdict is read off the interval of the share, otherwise off that of"
    f" the difference. Each verdict is at {100 * LEVEL:.0f} % by itself: of many, some are wrong by"
    " chance. p: paired t test of no difference at all, two-sided; Holm: corrected for the"
    " conditions tested by the same measure, not for how many measures there are."
)
# Percentages of the baseline beyond this are not written out.
LARGEST = 1000
ADOPTED = (
    "Adopted, and not matched by seed: {}; there it is the difference of independent means, with"
    " Welch's interval and test."
)
NOT_MATCHED = "no seed in common with the baseline, of those that trained"
NO_BASELINE = (
    "No condition is compared with another, of networks that trained: name one as"
    " analysis.baseline, or train it on two conditions or more."
)


def statistics(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    *,
    smallest_differences: Mapping[str, float | str],
) -> pd.DataFrame:
    """Return each condition compared with its baseline by each measure, paired by seed.

    Where one of the two is not matched by seed (``matched`` in the table of conditions), their
    means are independent: `differences.welch`, and ``pairing`` is ``none``. ``n`` is then the
    smaller number of seeds.

    Differences are condition minus baseline, with the interval, test and verdict of
    `differences.Difference`. ``share`` is the difference over the size of the baseline's mean, with
    the interval of `differences.share_interval`, and none where that mean is zero. Means and
    differences that rounding left of values that cancel are zero. ``p_holm`` is corrected (Holm
    1979) for the ``tests`` of one measure, over the conditions of a data set and network. Values of
    pairs of models are the jackknife's pseudo-values, of which three seeds are the fewest. Networks
    that did not train are left out; ``left_out`` counts those of the two conditions.

    Args:
        values: rows of `summary.seed_values`.
        conditions: rows of `model_table.conditions_table`.
        smallest_differences: those of the study, by measure.

    Raises:
        InputError: a column is missing, or a smallest difference is none.
    """
    keys = ["dataset", "network", "condition"]
    columns = [*keys, "seed", "measure", "value", "unit", "protocol", "noise_floor", "trained"]
    require(values, columns, "values")
    require(conditions, [*keys, "baseline", "matched"], "conditions")
    names = names_in(values, smallest_differences)
    rows = []
    for (dataset, network), group in values.groupby(["dataset", "network"], sort=False):
        here = (conditions["dataset"] == dataset) & (conditions["network"] == network)
        own = conditions[here].set_index("condition")
        for measure in measures_of(group, *COMPARED):
            of_measure = group[group["measure"] == measure]
            found = pd.DataFrame(_comparisons(of_measure, own, names[measure]))
            if len(found):
                found = _corrected(found).assign(measure=measure)
                rows.append(found.assign(dataset=dataset, network=network))
    return pd.concat(rows)[COLUMNS] if rows else pd.DataFrame(columns=COLUMNS)


def _corrected(found: pd.DataFrame) -> pd.DataFrame:
    """Return rows of one measure with p-values corrected for their number."""
    tested = found["p_value"].dropna()
    adjusted = multipletests(tested, method="holm")[1] if len(tested) else []
    return found.assign(p_holm=pd.Series(adjusted, tested.index), tests=len(tested))


def _comparisons(
    rows: pd.DataFrame, conditions: pd.DataFrame, name: MeasureName
) -> Iterator[dict[str, Any]]:
    """Yield a row for each condition of one measure that has a baseline."""
    baselines, matched = conditions["baseline"].dropna().to_dict(), conditions["matched"]
    order = [condition for condition in rows["condition"].unique() if condition in baselines]
    trained = rows[rows["trained"]]
    seeds = trained.pivot(index="seed", columns="condition", values="value")
    # Also those in which no network trained.
    seeds = seeds.reindex(columns=rows["condition"].unique())
    seeds = seeds.where(np.isfinite(seeds))
    floors = trained.groupby("condition")["noise_floor"].mean().reindex(seeds.columns)
    untrained = rows.loc[~rows["trained"], "condition"].value_counts()
    of_baseline = {
        baseline: dict(differences_from(baseline, seeds, floors, name.smallest_difference))
        for baseline in {baselines[condition] for condition in order}
        if baseline in seeds
    }
    for condition in order:
        baseline = baselines[condition]
        if baseline not in of_baseline:
            continue
        pair = [condition, baseline]
        both = seeds[pair]
        if matched[pair].all():
            compared = _paired(both.dropna(), of_baseline[baseline][condition])
        else:
            compared = _independent(both, name.smallest_difference, floors[pair].max())
        yield {
            "condition": condition,
            "baseline": baseline,
            "unit": rows["unit"].iloc[0],
            "protocol": rows["protocol"].iloc[0],
            "left_out": int(untrained.reindex(pair).sum()),
            **_numbers(compared, rows["measure"].iloc[0]),
        }


class _Compared(NamedTuple):
    """A condition and its baseline: means, their difference, and the interval of its share."""

    difference: Difference
    value: float
    means: tuple[float, float]
    share: tuple[float, float]
    n: int
    pairing: str


def _paired(both: pd.DataFrame, difference: Difference) -> _Compared:
    """Return the comparison of values with the same seeds, [seed, 2]."""
    share = share_interval(*both.to_numpy().T) if difference.known else (np.nan, np.nan)
    return _Compared(difference, *_means(both, difference), share, len(both), BY_SEED)


def _independent(both: pd.DataFrame, smallest: SmallestDifference, floor: float) -> _Compared:
    """Return the comparison of values whose seeds have nothing in common, [seed, 2]."""
    first, second = (Estimate(*map(float, mean_over_seeds(both[name].to_numpy()))) for name in both)
    difference = welch(first, second, smallest, floor)
    share = welch_share_interval(first, second) if difference.known else (np.nan, np.nan)
    n = int(both.count().min())
    return _Compared(difference, *_means(both, difference), share, n, INDEPENDENT)


def _means(both: pd.DataFrame, difference: Difference) -> tuple[float, tuple[float, float]]:
    """Return the difference and the two means, each zero where it is a residue of rounding."""
    largest = both.abs().max()
    means = tuple(map(without_residue, both.mean(), largest))
    return without_residue(difference.estimate.value, largest.max()), means


def _numbers(compared: _Compared, measure: str) -> dict[str, Any]:
    """Return the numbers of a row of a measure."""
    difference, share = compared.difference, compared.share
    lower, upper = difference.interval
    mean, baseline = compared.means
    value = compared.value
    return {
        "n": compared.n,
        "baseline_mean": baseline,
        "mean": mean,
        "difference": value,
        "standard_error": float(difference.estimate.error),
        "lower": lower,
        "upper": upper,
        "share": value / abs(baseline) if baseline else np.nan,
        "share_lower": share[0],
        "share_upper": share[1],
        "level": LEVEL,
        "smallest_difference": difference.smallest,
        "verdict": difference.verdict,
        "p_value": difference.p_value,
        "note": _note(difference, measure),
        "pairing": compared.pairing,
    }


def _note(difference: Difference, measure: str) -> str:
    """Return why there is no interval; empty where there is one."""
    if difference.known:
        return ""
    if difference.estimate.df < 0 and measure not in PAIR_MEASURES:
        return NOT_MATCHED
    if difference.verdict != TOO_FEW:
        return "the same difference in all seeds: no spread to judge it by"
    if measure in PAIR_MEASURES:
        return f"an interval of a measure of pairs takes {FEWEST_OF_PAIRS} seeds or more"
    return "an interval takes 2 seeds or more"


def text(found: pd.DataFrame) -> Text:
    """Return the `statistics` of each data set and network as a table."""
    groups = found.groupby(["dataset", "network"], sort=False)
    return [_table(rows, *names) for names, rows in groups] or [NO_BASELINE]


def _table(found: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame | str:
    several = found["baseline"].nunique() > 1
    matched = found.groupby("condition", sort=False)["n"].transform("max") > 0
    parts = [f"{network} on {dataset}: {CAPTION}"]
    if not several:
        parts.append(f"Baseline: {found['baseline'].iloc[0]}.")
    if most := found["left_out"].max():
        parts.append(f"Left out, since they did not train: up to {most} networks of a comparison.")
    if names := list(found.loc[found["pairing"] == INDEPENDENT, "condition"].unique()):
        parts.append(ADOPTED.format(listed(names)))
    if not matched.all():
        names = listed(list(found.loc[~matched, "condition"].unique()))
        parts.append(f"Not compared: {names} ({NOT_MATCHED}).")
    if not matched.any():
        return f"{network} on {dataset}: {parts[-1]}"
    if notes := joined(found.loc[matched, "note"]):
        parts.append(f"No interval: {notes}.")
    rows = captioned([_row(row, several) for row in found[matched].itertuples()], " ".join(parts))
    if rows["Seeds"].nunique() > 1:
        return rows
    rows.attrs["caption"] += f" Over {count_seeds(rows['Seeds'])}."
    return rows.drop(columns="Seeds")


def _row(row: tuple, several: bool) -> dict[str, object]:
    name = describe(row.measure, "evaluation", row.unit)
    verdict = f"**{row.verdict}**" if row.verdict in (LARGER, SMALLER) else row.verdict
    return {
        "Measure": name.column_label,
        "Condition": row.condition,
        **({"Baseline": row.baseline} if several else {}),
        "Mean of baseline": format_estimate(row.baseline_mean),
        "Difference": format_estimate(row.difference, row.standard_error),
        "Interval": format_ends(row.lower, row.upper),
        "Of baseline": _share(row),
        "Matters": format_estimate(row.smallest_difference),
        "Verdict": verdict,
        "p": format_estimate(row.p_value),
        "Holm": format_estimate(row.p_holm),
        "Seeds": row.n,
    }


def _share(row: tuple) -> str:
    """Return the share of the baseline in percent, with its interval where there is one."""
    if pd.isna(row.share):
        return MISSING
    share, *ends = map(_percent, (row.share, row.share_lower, row.share_upper))
    if pd.isna(row.lower):
        return f"{share} %"
    return f"{share} [{UNBOUNDED if pd.isna(row.share_lower) else ', '.join(ends)}] %"


def _percent(share: float) -> str:
    """Return a share as a number of percent, or that it is beyond the largest one."""
    percent = 100 * share
    if abs(percent) > LARGEST:
        largest = format_number(math.copysign(LARGEST, percent), "+,.0f")
        return f"{'>' if percent > 0 else '<'} {largest}"
    # From 999.5 on three digits would need a power of ten.
    return format_number(percent, "+.3g" if abs(percent) < LARGEST - 0.5 else "+,.0f")
