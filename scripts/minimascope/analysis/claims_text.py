"""Verdicts on claims as readers see them: counted, in words, and with what they rest on."""

import pandas as pd

from .evidence import CONTRADICTED, LEVEL, NOT_APPLICABLE, SUPPORTED
from .numbers import count_seeds, format_number
from .render import Fold, Text
from .verdict_matrix import verdict_matrix

CAPTION = (
    "Claims of the papers, on what was measured of each network on each data set. Supported,"
    f" contradicted: at {100 * LEVEL:.0f} % confidence, for all comparisons behind a verdict"
    " together; inconclusive: neither; not applicable: the study cannot say. Larger, sharper and"
    " better mean by more than the smallest difference that matters: by default 5 % of what is"
    " compared with, or one percentage point, and never less than the noise floor. By itself:"
    f" at {100 * LEVEL:.0f} % before many comparisons are joined. p: how probable data that speak"
    " so clearly for the verdict would be, at most, if it were wrong. Numbers are means ± standard"
    f" errors over seeds; behind a slope stands its {100 * LEVEL:.0f} % interval. The"
    " documentation (docs/claims.md) has the rules."
)
METHODS = {
    "paired t over seeds": (
        "Differences are paired by seed, their intervals those of Student's t."
    ),
    "Welch's t of published means and standard errors": (
        "The papers give no values of single seeds, so differences are of independent means"
        " (Welch's t), with the published standard errors and their rounding, corrected from the"
        " deviation with n to that with n − 1. Values in doubt, and tables that repeat another"
        " table's numbers, are left out. Only a part of the tables of function_centric_2026 was at"
        " hand; unknown values decide nothing."
    ),
}
# With fewer seeds nobody can see whether differences are normal.
FEW_SEEDS = 6


def text(found: pd.DataFrame) -> Text:
    """Return the verdicts as a `verdict_matrix`, then in words.

    Args:
        found: rows of `claims`; texts that are empty may be missing, as in a file.
    """
    found = found.astype({"source": object, "baseline": object})
    found = found.fillna({"source": "", "baseline": ""})
    folds = [
        Fold(f"{number}. {statement}", [_statement(row) for row in rows.itertuples()])
        for (number, statement), rows in found.groupby(["claim", "statement"], sort=False)
    ]
    methods = (METHODS[name] for name in found["method"].unique() if name in METHODS)
    caption = " ".join([CAPTION, *methods]) + _few_seeds(found["seeds_max"].max())
    return [verdict_matrix(found), *folds, Fold("How a verdict is found", [caption])]


def _few_seeds(most: int) -> str:
    """Return a sentence about how many seeds the claims rest on, if these are few."""
    if most >= FEW_SEEDS or most == 0:
        return ""
    if most == 1:
        return " One seed says nothing about how much another would differ."
    return (
        f" {most} seeds are few: most comparisons are open for that reason alone. Student's t holds"
        " its 95 % with any number of seeds if differences between seeds are normal, but so few"
        " cannot show whether they are; the documentation says what it holds where they are not."
    )


def _statement(row: tuple) -> str:
    """Return where and what the verdict is, with its p-value, seeds and baseline."""
    source = f"{row.source}: " if row.source else ""
    verdict = row.verdict.capitalize()
    sentence = row.sentence.removeprefix(verdict).strip()
    if row.verdict == NOT_APPLICABLE:
        return f"{source}**{verdict}** {sentence}"
    # An inconclusive verdict has none: both are above the limit.
    p = {SUPPORTED: row.p_for, CONTRADICTED: row.p_against}.get(row.verdict)
    given = [] if p is None else [f"p = {format_number(p, '.2g')}"]
    given.append(count_seeds(pd.Series([row.seeds_min, row.seeds_max])))
    # Each cell of a sweep may have one of its own.
    given += [f"baseline {row.baseline}"] if row.baseline not in ("", "baseline") else []
    return f"{source}**{verdict}** {sentence} ({'; '.join(given)})"
