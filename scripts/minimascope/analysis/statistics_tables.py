"""Comparisons of conditions with the baseline as tables to read."""

from collections.abc import Iterable

import pandas as pd

from .measure_names import describe
from .numbers import MISSING, format_estimate, format_number, format_percent
from .render import Text
from .statistics import LEVEL, SIGNIFICANT, smallest_p

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


def text(found: pd.DataFrame) -> Text:
    """Return a table of each data set and network.

    Args:
        found: rows of `statistics.statistics`.
    """
    groups = found.groupby(["dataset", "network"], sort=False)
    return [_table(rows, *names) for names, rows in groups] or [NO_BASELINE]


def small_sample_sentence(pairs: Iterable[int], tests: int) -> str:
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
    rows = [_row(row, several) for row in found.itertuples()]
    table = pd.DataFrame(rows).set_index("Measure")
    tested = found["smallest_p"].notna()
    limit = small_sample_sentence(found.loc[tested, "n"], int(found["tests"].max()))
    baselines = "" if several else f" Baseline: {found['baseline'].iloc[0]}."
    text = f"{network} on {dataset}: {CAPTION}{baselines} {limit}"
    table.attrs["caption"] = text.strip()
    return table


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
