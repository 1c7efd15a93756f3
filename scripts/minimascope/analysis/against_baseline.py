"""What surely differs from the baseline, and what SAM does, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from .differences import LARGER, SMALLER, TOO_FEW
from .evidence import CONTRADICTED, INCONCLUSIVE, LEVEL, SUPPORTED
from .links import main_of
from .measure_names import describe, measures_of
from .numbers import format_number
from .tables import MAIN_MEASURES
from .wording import counted, in_words, listed

OF_SAM = 3
OF_SAM_VERDICTS = {
    SUPPORTED: f"In {{}}, SAM surely made minima sharper by some measure (claim {OF_SAM}).",
    CONTRADICTED: (
        "In {}, SAM surely made minima sharper by no more than the smallest difference that"
        f" matters, on every measure (claim {OF_SAM})."
    ),
    INCONCLUSIVE: f"In {{}}, it stays open whether SAM made minima sharper (claim {OF_SAM}).",
}
# Conditions, or evaluations, that a sentence names at most.
MOST_NAMED = 3
SURE = (
    "A difference from the baseline is sure if it is more than the smallest that matters at"
    f" {100 * LEVEL:.0f} %, by itself: of many, some are wrong by chance."
)


def differences(statistics: pd.DataFrame, minima: pd.DataFrame) -> Iterator[str]:
    """Yield what surely differs from the baseline by more than what matters, network by network.

    Args:
        statistics: rows of `statistics.statistics` of one data set.
        minima: of its summary, for the names of measures.
    """
    names = {kind: list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")}
    said: dict[str, list[str]] = {}
    for network, rows in statistics.groupby("network", sort=False):
        tested, every = rows[rows["verdict"] != TOO_FEW], list(rows["condition"].unique())
        own = {kind: tested[tested["measure"].isin(found)] for kind, found in names.items()}
        parts = [_sharpness(own["sharpness"], every), _evaluations(own["evaluation"], every)]
        said.setdefault("; ".join(filter(None, parts)), []).append(network)
    for text, networks in said.items():
        if text:
            yield f"Compared with the baseline, in {listed(networks)} {text}."


class _Counted(NamedTuple):
    """The comparisons by measures of one kind that sentences are about, and what they leave out.

    Attributes:
        rows: those by measures of the main table, or all where it has none of this kind.
        of: which these are, empty if all.
        others: how many the rest are, and how many of them are sure, empty if there is no rest.
    """

    rows: pd.DataFrame
    of: str
    others: str

    @property
    def number(self) -> str:
        return counted(len(self.rows), "comparison")


def _counted(rows: pd.DataFrame) -> _Counted:
    main = rows["measure"].isin(main_of(list(rows["measure"].unique())))
    if main.all():
        return _Counted(rows, "", "")
    rest = rows.loc[~main, "verdict"]
    sure = int(rest.isin([LARGER, SMALLER]).sum())
    others = (
        f"; of {len(rest)} by other measures {sure or 'none'} {'is' if sure < 2 else 'are'} sure"
    )
    return _Counted(rows[main], " of the main table", others)


def _sharpness(rows: pd.DataFrame, every: Sequence[str]) -> str:
    """Return which of every condition are surely sharper and flatter than the baseline."""
    if rows.empty:
        return ""
    counts = _counted(rows)
    rows = counts.rows
    both = {LARGER, SMALLER} <= set(rows["verdict"])
    measure = f"measure{counts.of}"
    by = f" by some {measure}" if both and rows["measure"].nunique() > 1 else ""
    parts = [
        f"surely {word}{by} with {_named(found['condition'], every)} ({len(found)}"
        for word, verdict in (("sharper", LARGER), ("flatter", SMALLER))
        if len(found := rows[rows["verdict"] == verdict])
    ]
    if not parts:
        which = f" by any {measure}" if counts.of else ""
        return f"no minima are surely sharper or flatter{which} ({counts.number}{counts.others})"
    # What the other measures say stands once, at the end.
    told = [f"{part} of {counts.number}{counts.of}" for part in parts]
    return f"minima are {') and '.join(told)}{counts.others})"


def _evaluations(rows: pd.DataFrame, every: Sequence[str]) -> str:
    """Return which evaluations are surely higher and lower than those of the baseline."""
    if rows.empty:
        return ""
    counts = _counted(rows)
    sure = counts.rows[counts.rows["verdict"].isin([LARGER, SMALLER])]
    if sure.empty:
        return f"no evaluation{counts.of} surely differs ({counts.number}{counts.others})"
    parts = [
        f"{in_words(measure)} is surely {'higher' if verdict == LARGER else 'lower'} with"
        f" {_named(found['condition'], every)}"
        for (measure, verdict), found in sure.groupby(["measure", "verdict"], sort=False)
    ]
    more = [f"{len(parts) - MOST_NAMED} more"] if len(parts) > MOST_NAMED else []
    told = "; ".join([*parts[:MOST_NAMED], *more])
    return f"{told} ({len(sure)} of {counts.number}{counts.of}{counts.others})"


def _named(some: pd.Series, every: Sequence[str]) -> str:
    """Return conditions by name, or how many of every one they are."""
    names = sorted(some.unique(), key=every.index)
    if len(names) == len(every) > 1:
        return f"all {len(every)} conditions"
    return listed(names) if len(names) <= MOST_NAMED else f"{len(names)} of {len(every)} conditions"


def about_sam(conditions: pd.DataFrame, claims: pd.DataFrame) -> Iterator[str]:
    """Yield whether SAM sharpened minima, of the networks that have pairs with and without it."""
    with_sam = conditions.loc[conditions["without_sam"].notna(), "network"].unique()
    claims = claims[claims["claim"] == OF_SAM]
    by_verdict: dict[str, list[str]] = {}
    for network in with_sam:
        verdicts = set(claims.loc[claims["network"] == network, "verdict"])
        # Cells of a sweep can have several baselines, each with a verdict.
        verdict = verdicts.pop() if len(verdicts) == 1 else INCONCLUSIVE
        by_verdict.setdefault(verdict, []).append(network)
    for verdict, names in by_verdict.items():
        if verdict in OF_SAM_VERDICTS:
            yield OF_SAM_VERDICTS[verdict].format(listed(names))


def factors_of_sam(means: pd.DataFrame, conditions: pd.DataFrame) -> Iterator[str]:
    """Yield how many times as large the main measures of sharpness are with SAM as without it."""
    told = False
    for network, rows in means.groupby("network", sort=False):
        pairs = conditions[conditions["network"] == network].set_index("condition")["without_sam"]
        factors, most = _factors(rows, pairs.dropna().to_dict())
        if factors:
            told = True
            compared = counted(most, "pair of conditions", "pairs of conditions")
            yield f"In {network}, a mean with SAM is {listed(factors)} ({compared})."
    if told:
        yield "These factors are of means, whether a difference is sure or not."


def _factors(rows: pd.DataFrame, pairs: Mapping[str, str]) -> tuple[Sequence[str], int]:
    """Return the range of the ratios by each measure, and of how many pairs they are at most."""
    means = rows.set_index("condition")
    ranges, most = [], 0
    for measure in MAIN_MEASURES:
        if measure not in means or describe(measure).category != "sharpness":
            continue
        with_sam = means[measure].reindex(list(pairs)).to_numpy()
        without = means[measure].reindex(list(pairs.values())).to_numpy()
        usable = (with_sam > 0) & (without > 0) & np.isfinite(with_sam) & np.isfinite(without)
        if usable.any():
            ratios = with_sam[usable] / without[usable]
            ends = dict.fromkeys(_factor(ratio) for ratio in (ratios.min(), ratios.max()))
            that = " that without it" * (not ranges)
            ranges.append(f"{' to '.join(ends)} times{that} by {in_words(measure)}")
            most = max(most, int(usable.sum()))
    return ranges, most


def _factor(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else format_number(ratio, ".2f" if ratio >= 0.1 else ".2g")
