"""Correlations, shares of variance and their comparison with print as tables to read."""

import pandas as pd

from .correlations import LEVEL, RESAMPLES
from .measure_names import describe
from .numbers import (
    MISSING,
    format_estimate,
    format_number,
    format_percent,
    span,
)
from .render import Text
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


def text(found: pd.DataFrame, shares: pd.DataFrame) -> Text:
    """Return the `correlation_tables`, then the `share_tables`."""
    return [*correlation_tables(found), *share_tables(shares)]


def text_in_print(
    compared: pd.DataFrame, found: pd.DataFrame, shares: pd.DataFrame, stability: pd.DataFrame
) -> Text:
    """Return the `comparison_table` of printed models, `text` of them, and how stable they are.

    Args:
        compared: rows of `scenes_in_print.compare_with_expected`.
        found: rows of `correlations.correlations`.
        shares: rows of `variance.variance_shares`.
        stability: rows of `stability.stability`.
    """
    return [comparison_table(compared), *text(found, shares), stability_sentence(stability)]


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
        "Expected": [format_number(value, ".4f") for value in compared["expected"]],
        "Ours": [format_number(value, ".4f") for value in compared["computed"]],
        "p expected": map(format_estimate, compared["expected_p_value"]),
        "p ours": map(format_estimate, compared["computed_p_value"]),
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
    over, certain = span(models["pairs"]), (known <= threshold).sum()
    return (
        f"Over {over} pairs of directions {certain} of {len(known)} models have a relative standard"
        f" error of {100 * threshold:g} % or less; half of them would need {needed.median():.0f}"
        " pairs or more for it."
    )


def correlation_cell(row: tuple) -> str:
    """Return a correlation with its interval and p-value as text."""
    if pd.isna(row.value):
        return MISSING
    value, lower, upper = (format_number(x, ".2f") for x in (row.value, row.lower, row.upper))
    return f"{value} [{lower}, {upper}], p = {format_estimate(row.p_value)}"


def joined(notes: pd.Series) -> str:
    """Return different notes as one text; one that is empty may be missing, as in a file."""
    return "; ".join(dict.fromkeys(notes[notes.notna() & (notes != "")]))


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
        rows.append(names | values | {"n": group["n"].iloc[0], "Note": joined(group["note"])})
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
            row[name] = format_percent(found.value, ".1f") if found else ""
            row[f"p, {name.lower()}"] = format_estimate(found.p_value) if found else ""
        rows.append(row | {"n": group["n"].iloc[0], "Note": joined(group["note"])})
    caption = f"{dataset}: {SHARES_CAPTION}{_left_out(shares)}"
    return captioned(pd.DataFrame(rows), "Response", caption)


def _left_out(rows: pd.DataFrame) -> str:
    most = rows["left_out"].max()
    if not most:
        return ""
    return f" Left out, since their training accuracy is below the minimum: {most}."


def _label(measure: str, family: str) -> str:
    return describe(measure, family, "1").label
