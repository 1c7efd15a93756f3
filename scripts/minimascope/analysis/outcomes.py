"""Each condition against the baseline by an evaluation and a measure of sharpness at once.

The workshop paper of 2025 names two outcomes: regularised networks are better and flatter than the
baseline (o₁), or better and sharper (o₂).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from .comparable import Comparable, measured, published_networks
from .differences import LARGER, OPEN, SMALLER, Difference
from .evidence import LEVEL, SIGNIFICANT, Evidence, all_of, any_of
from .findings import ranked_evaluations_of, sharpness_of
from .measure_names import LOWER
from .numbers import format_percent
from .published import published_values
from .render import Text, captioned

BETTER_SHARPER, BETTER_FLATTER = O2, O1 = "better and sharper", "better and flatter"
WORSE_SHARPER, WORSE_FLATTER = "worse and sharper", "worse and flatter"
OUTCOMES = BETTER_SHARPER, BETTER_FLATTER, WORSE_SHARPER, WORSE_FLATTER
# One of the two comparisons is within what matters; the other may well matter.
NO_JOINT = "no joint difference"
VERDICTS = *OUTCOMES, NO_JOINT, OPEN
PLACE = ["source", "dataset", "network", "baseline"]
COLUMNS = [
    *(*PLACE, "condition", "evaluation", "sharpness", "evaluation_verdict", "sharpness_verdict"),
    *("verdict", "p_value", "p_better", "p_worse", "p_sharper", "p_flatter", "level", "method"),
]
# Of all measures of sharpness together.
ALL = "all"
SHARE_COLUMNS = [
    *(*PLACE, "sharpness", "cells", *(name.replace(" ", "_") for name in VERDICTS)),
    *("share_o1", "share_o2"),
]
CAPTION = (
    "How many cells of the matrix have which verdict. A cell is a condition, an evaluation and a"
    " measure of sharpness, each compared with the baseline. Better, worse, sharper and flatter"
    " mean by more than the smallest difference that matters. Both at once are as sure as the less"
    f" sure of the two, at {100 * LEVEL:.0f} % for each cell by itself. No joint difference: surely"
    " none that matters in the evaluation, or in sharpness, so that none of the four holds,"
    " although the other one may well differ; open: none of these is sure. o₁ and o₂ are the"
    " outcomes that the paper of 2025 names, in percent of all cells. Cells share networks, so that"
    " shares have no interval."
)
NOTHING = (
    "No condition is compared with a baseline by an evaluation and a measure of sharpness, of"
    " networks that trained: name a baseline as analysis.baseline, or train a second condition."
)


class Sides(NamedTuple):
    """What is known of a difference from the baseline by one measure.

    Attributes:
        up: of it being better, or sharper, by more than what matters.
        down: of it being worse, or flatter.
        verdict: in one word, by itself.
    """

    up: Evidence
    down: Evidence
    verdict: str

    @property
    def within(self) -> Evidence:
        """Return what is known of the difference being none that matters."""
        return all_of([~self.up, ~self.down])


def outcome_tables(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    *,
    smallest_differences: Mapping[str, float | str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `outcomes` of a study and their `shares`; see `comparable.measured`."""
    found = outcomes(measured(values, conditions, smallest_differences))
    return found, shares(found)


def published_outcome_tables(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `outcomes` of a published table and their `shares`."""
    found = outcomes(published_networks(published_values(table)))
    return found, shares(found)


def outcomes(networks: Iterable[Comparable]) -> pd.DataFrame:
    """Return a row for each condition, evaluation and measure of sharpness that can be compared.

    ``verdict`` is one of `VERDICTS`, and ``p_value`` that of the joint statement: two statements
    hold as surely as the less sure one (an intersection-union test, Berger 1982). "No joint
    difference" is that one of the two comparisons is within what matters, with Bonferroni's factor
    of two. It is NaN where nothing is sure. ``evaluation_verdict`` and ``sharpness_verdict`` are
    those of each comparison by itself. The other p-values are one-sided, against differences that
    matter.

    Args:
        networks: what was measured, or published. Conditions that are not matched by seed are left
            out, as of claims.

    Returns:
        Data frame with the columns `COLUMNS`.
    """
    rows = [row for network in networks for row in _rows(network.matched_alone())]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(network: Comparable) -> Iterator[dict[str, object]]:
    for condition in network.conditions:
        for evaluation in ranked_evaluations_of(network):
            for measure in sharpness_of(network):
                pairs = [(name, condition, network.baseline) for name in (evaluation, measure)]
                if all(pair in network.differences for pair in pairs):
                    lower = network.names[evaluation].direction == LOWER
                    better = sides(network.differences[pairs[0]], ("better", "worse"), lower)
                    sharper = sides(network.differences[pairs[1]], ("sharper", "flatter"))
                    yield {
                        **{column: getattr(network, column) for column in (*PLACE, "method")},
                        "condition": condition,
                        "evaluation": evaluation,
                        "sharpness": measure,
                        **joint(better, sharper),
                    }


def sides(difference: Difference, words: tuple[str, str], lower: bool = False) -> Sides:
    """Return both sides of a difference, in words; lower values may be the better ones."""
    larger, smaller = difference.larger(), difference.smaller()
    up, down = (smaller, larger) if lower else (larger, smaller)
    said = dict(zip((SMALLER, LARGER) if lower else (LARGER, SMALLER), words, strict=True))
    return Sides(up, down, said.get(difference.verdict, difference.verdict))


def joint(better: Sides, sharper: Sides) -> dict[str, object]:
    """Return the verdict on an evaluation and on sharpness at once, with all p-values."""
    first, second = (better.up, better.down), (sharper.up, sharper.down)
    statements = [all_of([a, b]) for a in first for b in second]
    statements.append(any_of([better.within, sharper.within]))
    sure = {
        name: statement.p_for
        for name, statement in zip(VERDICTS, statements, strict=False)
        if statement.p_for <= SIGNIFICANT
    }
    verdict = min(sure, key=sure.__getitem__, default=OPEN)
    return {
        "evaluation_verdict": better.verdict,
        "sharpness_verdict": sharper.verdict,
        "verdict": verdict,
        "p_value": sure.get(verdict, np.nan),
        "p_better": better.up.p_for,
        "p_worse": better.down.p_for,
        "p_sharper": sharper.up.p_for,
        "p_flatter": sharper.down.p_for,
        "level": LEVEL,
    }


def shares(found: pd.DataFrame) -> pd.DataFrame:
    """Return how many of the `outcomes` have which verdict: by measure, and of ALL measures.

    Columns are `SHARE_COLUMNS`: ``cells``, the count of each verdict, and the shares of o₁ and of
    o₂ among all cells.
    """
    both = pd.concat([found.assign(sharpness=ALL), found])
    rows = [
        dict(zip([*PLACE, "sharpness"], key, strict=True)) | _counted(group["verdict"])
        for key, group in both.groupby([*PLACE, "sharpness"], sort=False)
    ]
    return pd.DataFrame(rows, columns=SHARE_COLUMNS)


def _counted(verdicts: pd.Series) -> dict[str, float]:
    counts = {name.replace(" ", "_"): int((verdicts == name).sum()) for name in VERDICTS}
    return {
        "cells": len(verdicts),
        **counts,
        "share_o1": (verdicts == O1).mean(),
        "share_o2": (verdicts == O2).mean(),
    }


def text(_found: pd.DataFrame, counted: pd.DataFrame) -> Text:
    """Return the `shares` of each network over all measures, as a table."""
    rows = counted[counted["sharpness"] == ALL]
    if rows.empty:
        return [NOTHING]
    several = [column for column in ("source", "dataset", "baseline") if _varies(rows[column])]
    heads = {"source": "Source", "dataset": "Data set", "baseline": "Baseline"}
    columns = {
        "Network": rows["network"],
        **{heads[column]: rows[column] for column in several},
        "Better and sharper (o₂)": _with_share(rows["better_and_sharper"], rows["share_o2"]),
        "Better and flatter (o₁)": _with_share(rows["better_and_flatter"], rows["share_o1"]),
        **{
            name.capitalize(): rows[name.replace(" ", "_")]
            for name in (WORSE_SHARPER, WORSE_FLATTER, NO_JOINT, OPEN)
        },
        "Cells": rows["cells"],
    }
    return [captioned({name: list(column) for name, column in columns.items()}, CAPTION)]


def _varies(column: pd.Series) -> bool:
    return column.nunique() > 1


def _with_share(counts: Sequence[int], of_all: Sequence[float]) -> list[str]:
    return [
        f"{count} ({format_percent(share, '.0f')})"
        for count, share in zip(counts, of_all, strict=True)
    ]
