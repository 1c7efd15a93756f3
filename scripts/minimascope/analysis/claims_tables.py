"""Claims and their verdicts as tables to read."""

import pandas as pd

from .claims import CLAIMS, LEVEL
from .correlations import ALL_NETWORKS
from .evidence import CONTRADICTED, INCONCLUSIVE, SUPPORTED, VERDICTS
from .html import page, paragraph, table_html
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
MARKS = {
    SUPPORTED: f"**{SUPPORTED}**",
    CONTRADICTED: f"**{CONTRADICTED}**",
    INCONCLUSIVE: INCONCLUSIVE,
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


def to_markdown(found: pd.DataFrame) -> str:
    """Return the rows of `claims.claims` in Markdown: how often each verdict, and all in words."""
    parts = [verdict_counts(found).to_markdown(disable_numparse=True)]
    for number, rows in found.groupby("claim"):
        lines = [f"- {_in_words(row)}" for row in rows.itertuples()]
        parts += [f"**{number}. {CLAIMS[number]}**", "\n".join(lines)]
    return "\n\n".join([*parts, verdict_table(found).attrs["caption"]]) + "\n"


def to_html(found: pd.DataFrame) -> str:
    """Return what `to_markdown` does as one HTML page."""
    verdicts = verdict_table(found)
    tables = table_html(verdict_counts(found)), table_html(verdicts, words=True)
    return page(*tables, paragraph(verdicts.attrs["caption"]))


def verdict_counts(found: pd.DataFrame) -> pd.DataFrame:
    """Return how many networks each claim is supported, contradicted and inconclusive for."""
    counts = pd.crosstab(found["claim"], found["verdict"])
    counts = counts.reindex(index=list(CLAIMS), columns=list(VERDICTS), fill_value=0)
    names = [f"{number}. {CLAIMS[number]}" for number in counts.index]
    return counts.set_axis(names).rename_axis(index="Claim", columns=None)


def verdict_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row of text for each claim and network, with a caption."""
    rows = []
    for row in found.itertuples():
        rows.append(
            {
                "Claim": row.claim,
                **({"Source": row.source} if found["source"].any() else {}),
                "Data set": row.dataset,
                "Network": "all networks" if row.network == ALL_NETWORKS else row.network,
                **({"Baseline": row.baseline} if found["baseline"].nunique() > 1 else {}),
                "Verdict": MARKS[row.verdict],
                "p for": f"{row.p_for:.2g}",
                "p against": f"{row.p_against:.2g}",
                "Seeds": seeds(row.seeds_min, row.seeds_max),
                "In words": row.sentence,
            }
        )
    table = pd.DataFrame(rows).sort_values("Claim", kind="stable").set_index("Claim")
    methods = (METHODS[name] for name in found["method"].unique() if name in METHODS)
    table.attrs["caption"] = " ".join([CAPTION, *methods]) + few_seeds(found)
    return table


def _in_words(row: tuple) -> str:
    """Return a verdict's sentence with its p-values and seeds."""
    source = f"{row.source}: " if row.source else ""
    sentence = row.sentence.replace(row.verdict.capitalize(), f"**{row.verdict.capitalize()}**", 1)
    numbers = f"p for {row.p_for:.2g}, against {row.p_against:.2g}"
    return f"{source}{sentence} ({numbers}; {seeds(row.seeds_min, row.seeds_max)} seeds)"


def seeds(least: int, most: int) -> str:
    """Return numbers of seeds, for example ``3`` or ``2–3``."""
    return f"{most}" if least == most else f"{least}–{most}"
