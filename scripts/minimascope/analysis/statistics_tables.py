"""Comparisons of conditions with the baseline as tables to read."""

from collections.abc import Iterable

import pandas as pd

from .html import page, paragraph, table_html
from .measure_names import describe
from .statistics import LEVEL, SIGNIFICANT, smallest_p
from .tables import MISSING, format_estimate
from .tables import to_markdown as table_markdown

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


def to_markdown(found: pd.DataFrame) -> str:
    """Return the rows of `statistics.statistics` in Markdown, a table of each network."""
    tables = comparison_tables(found)
    return "\n".join(map(table_markdown, tables)) or f"{NO_BASELINE}\n"


def to_html(found: pd.DataFrame) -> str:
    """Return what `to_markdown` does as one HTML page."""
    parts = [
        part
        for table in comparison_tables(found)
        for part in (table_html(table), paragraph(table.attrs["caption"]))
    ]
    return page(*(parts or [paragraph(NO_BASELINE)]))


def comparison_tables(found: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table of text of each data set and network, with its caption."""
    groups = found.groupby(["dataset", "network"], sort=False)
    return [_table(rows, dataset, network) for (dataset, network), rows in groups]


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
        "Mean of baseline": format_estimate(row.baseline_mean, float("nan")),
        "Difference": format_estimate(row.difference, row.standard_error),
        "Interval": _interval(row.lower, row.upper),
        "Of baseline": _percent(share),
        "r": MISSING if pd.isna(row.rank_biserial) else _signed(row.rank_biserial, ".2f"),
        "p": _tested(row),
        "Holm": _p_value(row.p_holm),
        "Seeds": row.n,
    }


def _interval(lower: float, upper: float) -> str:
    if pd.isna(lower):
        return MISSING
    low, high = (format_estimate(value, float("nan")) for value in (lower, upper))
    return f"[{low}, {high}]"


def _tested(row: tuple) -> str:
    if pd.isna(row.smallest_p):
        return "not tested"
    if pd.notna(row.p_value):
        return _p_value(row.p_value)
    equal = row.difference == 0 and row.standard_error == 0
    return "all equal" if equal else f"none < {row.smallest_p:g}"


def _p_value(value: float) -> str:
    return MISSING if pd.isna(value) else format_estimate(value, float("nan"))


def _percent(share: float) -> str:
    form = ".3g" if abs(share) < LARGE else ",.0f"
    return MISSING if pd.isna(share) else f"{_signed(100 * share, form)} %"


def _signed(value: float, form: str) -> str:
    return f"{value:+{form}}".replace("-", "−")
