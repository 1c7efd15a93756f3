"""Claims and their verdicts as tables to read."""

import pandas as pd

from .claims import CLAIMS, LEVEL
from .evidence import VERDICTS
from .numbers import span
from .render import Fold, Text
from .statistics import smallest_p

CAPTION = (
    "Five claims of the papers, on what was measured of each network on each data set. Supported,"
    f" contradicted: at {100 * LEVEL:.0f} % confidence, for all comparisons behind a verdict"
    " together; inconclusive: neither. p for: how probable such data are at most where the claim"
    " does not hold; p against: where it does. Numbers are means ± standard errors over seeds."
    " The rules are in docs/claims.md."
)
METHODS = {
    "paired t over seeds": (
        "Differences are paired by seed, their intervals those of Student's t."
    ),
    "Welch's t of printed means and standard errors": (
        "Print holds no values of single seeds, so differences are of independent means (Welch's"
        " t), with the printed standard errors and their rounding, brought from the deviation with"
        " n to that with n − 1. Values in doubt, and tables that print another table's numbers, are"
        " left out; of function_centric_2026 only a part of the tables was at hand, and what is not"
        " known decides nothing."
    ),
}


def few_seeds(found: pd.DataFrame) -> str:
    """Return a sentence about how many seeds the claims rest on, if these are few."""
    most = found["seeds_max"].max()
    if smallest_p(most) <= 1 - LEVEL:
        return ""
    seeds = "1 seed is" if most == 1 else f"{most} seeds are"
    return (
        f" {seeds} few: most comparisons are not certain for that reason alone, and those"
        " that are rest on differences being normal, which so few cannot show; a signed-rank test,"
        f" which needs no such assumption, has no p-value below {smallest_p(most):g} here."
    )


def text(found: pd.DataFrame) -> Text:
    """Return how often each claim has which verdict, then all verdicts in words.

    Args:
        found: rows of `claims.claims`; texts that are empty may be missing, as in a file.
    """
    found = found.astype({"source": object, "baseline": object})
    found = found.fillna({"source": "", "baseline": ""})
    folds = [
        Fold(f"{number}. {CLAIMS[number]}", [_statement(row) for row in rows.itertuples()])
        for number, rows in found.groupby("claim")
    ]
    return [verdict_counts(found), *folds, caption(found)]


def verdict_counts(found: pd.DataFrame) -> pd.DataFrame:
    """Return how many networks each claim is supported, contradicted and inconclusive for."""
    counts = pd.crosstab(found["claim"], found["verdict"])
    counts = counts.reindex(index=list(CLAIMS), columns=list(VERDICTS), fill_value=0)
    names = [f"{number}. {CLAIMS[number]}" for number in counts.index]
    return counts.set_axis(names).rename_axis(index="Claim", columns=None)


def caption(found: pd.DataFrame) -> str:
    """Return what verdicts mean, how the comparisons were made, and what limits them."""
    methods = (METHODS[name] for name in found["method"].unique() if name in METHODS)
    return " ".join([CAPTION, *methods]) + few_seeds(found)


def _statement(row: tuple) -> str:
    """Return where and what the verdict is, with its p-values, seeds and baseline."""
    source = f"{row.source}: " if row.source else ""
    verdict = row.verdict.capitalize()
    sentence = row.sentence.removeprefix(verdict).strip()
    numbers = f"p for {row.p_for:.2g}, against {row.p_against:.2g}"
    # Each cell of a sweep may have one of its own.
    named = f"; baseline {row.baseline}" if row.baseline not in ("", "baseline") else ""
    seeds = span([row.seeds_min, row.seeds_max])
    return f"{source}**{verdict}** {sentence} ({numbers}; {seeds} seeds{named})"
