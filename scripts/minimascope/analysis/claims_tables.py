"""Claims and their verdicts as tables to read."""

from html import escape

import pandas as pd

from .claims import CLAIMS, LEVEL
from .evidence import VERDICTS
from .html import page, paragraph
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
# Claims with more rows are folded, so that all five are seen at once.
MOST_UNFOLDED = 6


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


def to_markdown(found: pd.DataFrame) -> str:
    """Return the rows of `claims.claims` in Markdown: how often each verdict, and all in words."""
    parts = [verdict_counts(found).to_markdown(disable_numparse=True)]
    for number, rows in found.groupby("claim"):
        lines = [
            f"- {_source(row)}**{_verdict(row)}** {_in_words(row)}" for row in rows.itertuples()
        ]
        parts += [f"**{number}. {CLAIMS[number]}**", "\n".join(lines)]
    return "\n\n".join([*parts, caption(found)]) + "\n"


def to_html(found: pd.DataFrame) -> str:
    """Return what `to_markdown` does as one HTML page, with a fold for each claim."""
    parts = []
    for number, rows in found.groupby("claim"):
        counts = rows["verdict"].value_counts()
        verdicts = " · ".join(f"{name} {counts[name]}" for name in VERDICTS if name in counts)
        summary = f"{number}. {escape(CLAIMS[number])} <small>{verdicts}</small>"
        items = "\n".join(_item(row) for row in rows.itertuples())
        unfolded = " open" if len(rows) <= MOST_UNFOLDED else ""
        parts.append(
            f'<details class="claim"{unfolded}><summary>{summary}</summary>\n'
            f"<ul>\n{items}\n</ul>\n</details>"
        )
    return page(*parts, paragraph(caption(found)))


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


def _item(row: tuple) -> str:
    verdict = f'<b class="{row.verdict}">{_verdict(row)}</b>'
    return f"<li>{escape(_source(row))}{verdict} {escape(_in_words(row))}</li>"


def _source(row: tuple) -> str:
    return f"{row.source}: " if row.source else ""


def _verdict(row: tuple) -> str:
    return row.verdict.capitalize()


def _in_words(row: tuple) -> str:
    """Return a verdict's sentence after the verdict, with its p-values, seeds and baseline."""
    sentence = row.sentence.removeprefix(_verdict(row)).strip()
    numbers = f"p for {row.p_for:.2g}, against {row.p_against:.2g}"
    # Each cell of a sweep may have one of its own.
    named = f"; baseline {row.baseline}" if row.baseline not in ("", "baseline") else ""
    return f"{sentence} ({numbers}; {seeds(row.seeds_min, row.seeds_max)} seeds{named})"


def seeds(least: int, most: int) -> str:
    """Return numbers of seeds, for example ``3`` or ``2–3``."""
    return f"{most}" if least == most else f"{least}–{most}"
