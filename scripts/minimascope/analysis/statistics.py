"""Each condition against the baseline, paired by seed: effects, intervals, tests, as text too."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from .measure_names import describe, measures_of
from .model_table import require
from .numbers import MISSING, format_estimate, format_number, format_percent
from .render import Text, captioned
from .summary import PAIR_MEASURES

COLUMNS = [
    *("dataset", "network", "measure", "condition", "baseline", "unit", "protocol", "n"),
    *("baseline_mean", "mean", "difference", "standard_error", "lower", "upper", "level"),
    *("interval", "rank_biserial", "test", "p_value", "smallest_p", "p_holm", "tests", "note"),
]
LEVEL = 0.95
# The other side of the level of intervals: what a test must reach.
SIGNIFICANT = 1 - LEVEL
RESAMPLES = 9999
# Of the resamples, which are the same for all comparisons of as many seeds.
SEED = 0
# Differences that are a smaller part of the values are of rounding, and zero.
DIGITS = 12
# SciPy's limits: of its exact distribution, and of going through all changes of sign.
EXACT, EXACT_WITH_TIES = 50, 13
CAPTION = (
    "condition minus baseline over matched seeds. ±: standard error of the mean difference."
    f" Interval: {100 * LEVEL:.0f} %, percentile bootstrap over seeds, which is too narrow for few"
    " (with 3 seeds it holds the true mean in about 75 % of cases, with 10 in 90 %). r:"
    " matched-pairs rank-biserial correlation, from −1 (lower in all seeds) to 1 (higher in all)."
    " p: Wilcoxon signed-rank test, two-sided; Holm: corrected for the conditions tested by the"
    " same measure, not for the number of measures; none < 0.25: with so few seeds that differ no"
    " p-value can be smaller, whatever the data. Not tested: measures of pairs of models, which"
    " seeds share; their errors are jackknifes."
)
# Shares of the baseline from here on are printed without decimals or powers of ten.
LARGE = 9.995
NO_BASELINE = (
    "No condition is compared with another: name one as analysis.baseline, or train it on two"
    " conditions or more."
)


def paired_differences(values: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Return values minus reference, NaN where a pair lacks one of them.

    Seeds are along the first axis. Differences are rounded to 12 digits of the largest value of
    all these seeds: what differs by less is equal, and would otherwise break ties.
    """
    values, reference = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    differences = values - reference
    differences[~np.isfinite(differences)] = np.nan
    largest = np.maximum(np.abs(values), np.abs(reference))
    largest = np.where(np.isfinite(differences), largest, 0).max(axis=0, initial=0)
    scale = np.maximum(largest, np.finfo(float).tiny)
    return (differences / scale).round(DIGITS) * scale


def standard_error(differences: np.ndarray) -> float:
    """Return the standard error of a mean, with n - 1; NaN for a single value."""
    return float(stats.sem(differences)) if len(differences) > 1 else np.nan


def bootstrap_interval(differences: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean of differences, [n].

    Seeds are drawn with replacement 9,999 times. Their order changes nothing. Fewer than two
    differences have none (NaN). The interval lies between the smallest and the largest
    difference, and so is too narrow for few seeds: of normal differences it holds the true mean
    in 75 % of the cases with 3 seeds, 84 % with 5 and 90 % with 10.
    """
    if len(differences) < 2:
        return np.nan, np.nan
    found = stats.bootstrap(
        (np.sort(differences),),
        np.mean,
        confidence_level=LEVEL,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return tuple(map(float, found.confidence_interval))


def rank_biserial(differences: np.ndarray) -> float:
    """Return the matched-pairs rank-biserial correlation (Kerby 2014), from -1 to 1.

    That is (W₊ - W₋) / (W₊ + W₋), with W₊ and W₋ the sums of the ranks of the absolute differences
    that are above and below zero. Without any such difference it is 0; without pairs NaN.
    """
    if not len(differences):
        return np.nan
    nonzero = differences[differences != 0]
    ranks = stats.rankdata(np.abs(nonzero))
    return float((np.sign(nonzero) * ranks).sum() / ranks.sum()) if len(nonzero) else 0.0


def smallest_p(pairs: int) -> float:
    """Return the smallest two-sided p-value that a signed-rank test of so many pairs can have.

    All differences have the same sign in 2 of the 2ⁿ equally probable cases, p = 2^(1 - n).
    """
    return min(1.0, 2.0 ** (1 - pairs))


def signed_rank(differences: np.ndarray) -> tuple[float, str]:
    """Return the two-sided p-value of Wilcoxon's signed-rank test, and how it was computed.

    Differences of zero are left out, as Wilcoxon did. The distribution is exact for up to 50
    differences, with ties for up to 13, by all changes of sign, and otherwise approximated by a
    normal one. Without differences there is no test (NaN).
    """
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return np.nan, ""
    ties = len(np.unique(np.abs(nonzero))) < len(nonzero)
    exact = len(nonzero) <= (EXACT_WITH_TIES if ties else EXACT)
    # Of its own accord SciPy takes the exact distribution in these cases.
    found = stats.wilcoxon(nonzero, method="auto" if exact else "asymptotic")
    return float(found.pvalue), "exact" if exact else "normal approximation"


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values [n] corrected for their number by Holm's step-down procedure (1979).

    The k-th smallest of n is multiplied by n - k + 1; none is below a smaller one, or above 1.
    """
    order = p_values.argsort()
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(factors * p_values[order]).clip(max=1)
    return adjusted


def statistics(values: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return each condition compared with its baseline by each measure, paired by seed.

    Differences are condition minus baseline. A test that cannot reach 0.05 with as many pairs as
    differ has no p-value, and ``note`` says so. ``p_holm`` is corrected (Holm 1979) for the
    ``tests`` of one measure, over the conditions of a data set and network. Values of pairs of
    models are not independent between seeds, and are not tested.

    Raises:
        InputError: a column is missing.
    """
    keys = ["dataset", "network", "condition"]
    require(values, [*keys, "seed", "measure", "value", "unit", "protocol"], "values")
    require(conditions, [*keys, "baseline"], "conditions")
    compared = conditions.dropna(subset="baseline")
    rows = []
    for (dataset, network), group in values.groupby(["dataset", "network"], sort=False):
        here = (compared["dataset"] == dataset) & (compared["network"] == network)
        baselines = dict(compared.loc[here, ["condition", "baseline"]].itertuples(index=False))
        for measure in measures_of(group, "evaluation", "sharpness", "training"):
            of_measure = group[group["measure"] == measure]
            found = pd.DataFrame(_comparisons(of_measure, baselines))
            if len(found):
                tested = found["p_value"].dropna()
                adjusted = pd.Series(holm(tested.to_numpy()), tested.index)
                found = found.assign(p_holm=adjusted, tests=len(tested), measure=measure)
                rows.append(found.assign(dataset=dataset, network=network))
    return pd.concat(rows)[COLUMNS] if rows else pd.DataFrame(columns=COLUMNS)


def _comparisons(rows: pd.DataFrame, baselines: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each condition of one measure that has a baseline."""
    seeds = rows.pivot(index="seed", columns="condition", values="value")
    for condition in rows["condition"].unique():
        baseline = baselines.get(condition)
        if baseline not in seeds:
            continue
        yield {
            "condition": condition,
            "baseline": baseline,
            "unit": rows["unit"].iloc[0],
            "protocol": rows["protocol"].iloc[0],
            **comparison(seeds[condition], seeds[baseline], rows["measure"].iloc[0]),
        }


def comparison(values: pd.Series, reference: pd.Series, measure: str) -> dict[str, Any]:
    """Return the numbers of one row of `statistics` but for the correction by Holm."""
    differences = paired_differences(values, reference)
    differences = differences[np.isfinite(differences)]
    pairs = values.notna() & reference.notna()
    lower, upper = bootstrap_interval(differences)
    found = {
        "n": len(differences),
        "baseline_mean": reference[pairs].mean(),
        "mean": values[pairs].mean(),
        "difference": differences.mean() if len(differences) else np.nan,
        "standard_error": standard_error(differences),
        "lower": lower,
        "upper": upper,
        "level": LEVEL,
        "interval": "percentile bootstrap",
    }
    if measure in PAIR_MEASURES:
        return found | {
            "rank_biserial": np.nan,
            "test": "none",
            "p_value": np.nan,
            "smallest_p": np.nan,
            "note": "jackknife over seeds, which share pairs of models: not tested",
        }
    return found | {"rank_biserial": rank_biserial(differences)} | _test(differences)


def _test(differences: np.ndarray) -> dict[str, Any]:
    """Return the signed-rank test of differences, without a p-value where it cannot be small."""
    differing = np.count_nonzero(differences)
    limit = smallest_p(differing)
    p_value, method = signed_rank(differences)
    found = {"test": f"Wilcoxon signed-rank, {method}", "p_value": p_value, "smallest_p": limit}
    if limit <= SIGNIFICANT:
        return found | {"note": ""}
    equal = len(differences) - differing
    which = f"{differing} pairs" + (f" that differ ({equal} are equal)" if equal else "")
    note = f"{which} cannot reach {SIGNIFICANT:g}: no p-value is below {limit:g}"
    return found | {"test": "none", "p_value": np.nan, "note": note}


def text(found: pd.DataFrame) -> Text:
    """Return the `statistics` of each data set and network as a table."""
    groups = found.groupby(["dataset", "network"], sort=False)
    return [_table(rows, *names) for names, rows in groups] or [NO_BASELINE]


def _small_sample(pairs: Iterable[int], tests: int) -> str:
    """Return in words what a signed-rank test of so many pairs, one of so many, can reach at best.

    Empty where it can reach significance also after correction by Holm.
    """
    most = max(pairs, default=0)
    least = smallest_p(most)
    if least > SIGNIFICANT:
        needed = next(n for n in range(2, 60) if smallest_p(n) <= SIGNIFICANT)
        return (
            f"With {most} seeds no signed-rank test can reach {SIGNIFICANT:g}: its p-value is at"
            f" least {least:g}, whatever the data, and is not printed. It takes {needed} seeds or"
            " more."
        )
    if least * tests > SIGNIFICANT:
        return (
            f"With {most} seeds and {tests} conditions tested by a measure, no p-value can be below"
            f" {least * tests:.2g} after Holm's correction, whatever the data."
        )
    return ""


def _table(found: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    several = found["baseline"].nunique() > 1
    tested = found["smallest_p"].notna()
    limit = _small_sample(found.loc[tested, "n"], int(found["tests"].max()))
    baseline = "" if several else f" Baseline: {found['baseline'].iloc[0]}."
    caption = f"{network} on {dataset}: {CAPTION}{baseline} {limit}"
    return captioned([_row(row, several) for row in found.itertuples()], caption)


def _row(row: tuple, several: bool) -> dict[str, object]:
    name = describe(row.measure, "evaluation", row.unit)
    share = row.difference / abs(row.baseline_mean) if row.baseline_mean else float("nan")
    return {
        "Measure": name.column_label,
        "Condition": row.condition,
        **({"Baseline": row.baseline} if several else {}),
        "Mean of baseline": format_estimate(row.baseline_mean),
        "Difference": format_estimate(row.difference, row.standard_error),
        "Interval": _interval(row.lower, row.upper),
        "Of baseline": format_percent(share, "+.3g" if abs(share) < LARGE else "+,.0f"),
        "r": format_number(row.rank_biserial, "+.2f"),
        "p": _tested(row),
        "Holm": format_estimate(row.p_holm),
        "Seeds": row.n,
    }


def _interval(lower: float, upper: float) -> str:
    if pd.isna(lower):
        return MISSING
    return f"[{format_estimate(lower)}, {format_estimate(upper)}]"


def _tested(row: tuple) -> str:
    if pd.isna(row.smallest_p):
        return "not tested"
    if pd.notna(row.p_value):
        return format_estimate(row.p_value)
    equal = row.difference == 0 and row.standard_error == 0
    return "all equal" if equal else f"none < {row.smallest_p:g}"
