"""Correlations, shares of variance and their comparison with print as tables to read."""

from collections.abc import Iterable

import pandas as pd

from .correlations import LEVEL, RESAMPLES
from .html import page, paragraph, table_html
from .measure_names import describe
from .tables import MISSING, format_estimate
from .tables import to_markdown as table_markdown
from .variance import JOINT, ONE_WAY

STATISTICS = {"spearman": "Spearman's ρ", "pearson": "Pearson's r", "kendall": "Kendall's τ"}
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
COMPARISON_CAPTION = (
    "Published rows, re-analysed: the statistics that are expected of the printed models of"
    " acoustic scenes, and ours of the same rows. Agrees: within 0.002, p-values within 5 %."
)


def correlation_tables(found: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table of each data set: a row per network, sharpness and evaluation.

    Args:
        found: rows of `correlations.correlations`.
    """
    return [_correlation_table(rows, name) for name, rows in found.groupby("dataset", sort=False)]


def share_tables(shares: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table of each data set: a row per response and factor, with caption.

    Args:
        shares: rows of `variance.variance_shares`.
    """
    return [_share_table(rows, name) for name, rows in shares.groupby("dataset", sort=False)]


def comparison_table(compared: pd.DataFrame) -> pd.DataFrame:
    """Return expected statistics beside ours, with caption.

    Args:
        compared: rows of `scenes_in_print.compare_with_expected`.
    """
    agree = compared["agrees"] & compared["p_agrees"]
    columns = {
        "Statistic": compared["statistic"],
        "Of": compared["group"],
        "Expected": [_number(value, ".4f") for value in compared["expected"]],
        "Ours": [_number(value, ".4f") for value in compared["computed"]],
        "p expected": map(_p_value, compared["expected_p_value"]),
        "p ours": map(_p_value, compared["computed_p_value"]),
        "n": compared["computed_n"],
        "Agrees": ["yes" if yes else "**no**" for yes in agree],
    }
    caption = f"{COMPARISON_CAPTION} {agree.sum()} of {len(agree)} agree."
    return captioned(columns, "Statistic", caption)


def stability_sentence(models: pd.DataFrame) -> str:
    """Return in words how many pairs of directions the models would need.

    Args:
        models: rows of `stability.stability`.
    """
    known = models["relative_standard_error"].dropna()
    if known.empty:
        return "Stability over pairs of directions needs two pairs or more."
    threshold = models["threshold"].iloc[0]
    needed = models["pairs_needed"].dropna()
    pairs = models["pairs"]
    over = f"{pairs.min()}" if pairs.min() == pairs.max() else f"{pairs.min()}–{pairs.max()}"
    return (
        f"Over {over} pairs of directions {(known <= threshold).sum()} of {len(known)}"
        f" models have a relative standard error of {100 * threshold:g} % or less;"
        f" half of them would need {needed.median():.0f} pairs or more for it."
    )


def to_markdown(tables: Iterable[pd.DataFrame], *sentences: str) -> str:
    """Return tables with their captions, then sentences, in Markdown."""
    return "\n".join([*map(table_markdown, tables), *(f"{text}\n" for text in sentences)])


def to_html(tables: Iterable[pd.DataFrame], *sentences: str) -> str:
    """Return what `to_markdown` does as one HTML page."""
    parts = [
        part for table in tables for part in (table_html(table), paragraph(table.attrs["caption"]))
    ]
    return page(*parts, *map(paragraph, sentences))


def correlation_cell(row: tuple) -> str:
    """Return a correlation with its interval and p-value as text."""
    if pd.isna(row.value):
        return MISSING
    bounds = f"{_number(row.lower, '.2f')}, {_number(row.upper, '.2f')}"
    return f"{_number(row.value, '.2f')} [{bounds}], p = {_p_value(row.p_value)}"


def captioned(columns: object, index: str, caption: str) -> pd.DataFrame:
    """Return a table of text with its index and caption, without an empty column of notes."""
    table = pd.DataFrame(columns).set_index(index)
    if "Note" in table and not table["Note"].any():
        table = table.drop(columns="Note")
    table.attrs["caption"] = caption
    return table


def _correlation_table(found: pd.DataFrame, dataset: str) -> pd.DataFrame:
    keys = ["network", "sharpness", "evaluation"]
    rows = []
    for (network, sharpness, evaluation), group in found.groupby(keys, sort=False):
        cells = {row.statistic: correlation_cell(row) for row in group.itertuples()}
        names = {
            "Network": network,
            "Sharpness": _label(sharpness, "sharpness"),
            "Evaluation": _label(evaluation, "evaluation"),
        }
        values = {label: cells[statistic] for statistic, label in STATISTICS.items()}
        notes = "; ".join(dict.fromkeys(filter(None, group["note"])))
        rows.append(names | values | {"n": group["n"].iloc[0], "Note": notes})
    caption = f"{dataset}: {CORRELATIONS_CAPTION}{_left_out(found)}"
    return captioned(pd.DataFrame(rows), "Network", caption)


def _share_table(shares: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    for (response, factor), group in shares.groupby(["response", "factor"], sort=False):
        by_kind = {row.kind: row for row in group.itertuples()}
        family = "sharpness" if group["scale"].iloc[0] == "ln" else "evaluation"
        label = _label(response, family)
        row = {
            "Response": f"ln {label}" if family == "sharpness" else label,
            "Setting": FACTORS.get(factor, factor),
        }
        for kind, name in ((ONE_WAY, "One-way"), (JOINT, "Joint")):
            found = by_kind.get(kind)
            row[name] = _percent(found.value) if found else ""
            row[f"p, {name.lower()}"] = _p_value(found.p_value) if found else ""
        notes = "; ".join(dict.fromkeys(filter(None, group["note"])))
        rows.append(row | {"n": group["n"].iloc[0], "Note": notes})
    caption = f"{dataset}: {SHARES_CAPTION}{_left_out(shares)}"
    return captioned(pd.DataFrame(rows), "Response", caption)


def _left_out(rows: pd.DataFrame) -> str:
    most = rows["left_out"].max()
    if not most:
        return ""
    return f" Left out, since their training accuracy is below the minimum: {most}."


def _label(measure: str, family: str) -> str:
    return describe(measure, family, "1").label


def _percent(share: float) -> str:
    return MISSING if pd.isna(share) else f"{100 * share:.1f} %"


def _p_value(value: float) -> str:
    return format_estimate(value, float("nan"))


def _number(value: float, form: str) -> str:
    return MISSING if pd.isna(value) else f"{value:{form}}".replace("-", "−")
