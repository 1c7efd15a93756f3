"""Barriers on the paths between networks, one row for each path; also as text."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ..registry import INTERPOLATED, REESTIMATED
from .collect import Documents, document_rows
from .curves import HEIGHTS
from .differences import mean_over_seeds
from .numbers import format_estimate, span
from .render import Text, captioned

PLACE = ["dataset", "network", "path", "kind"]
COLUMNS = [*PLACE[:2], "seed", "end_seed", *PLACE[2:], *HEIGHTS, "unit", "batchnorm", "n"]
MEAN_COLUMNS = [*PLACE, *(f"{name}_{of}" for name in HEIGHTS for of in ("mean", "sem"))]
MEAN_COLUMNS += ["unit", "batchnorm", "n_lines", "n"]
# What all lines of a document have in common.
ABOUT = ("unit", "batchnorm", "n")
# What kinds of paths are called (`sharpness.interpolation.paths`).
KINDS = {
    "straight": "straight line",
    "matched": "straight line, units matched",
    "bezier": "Bézier curve, trained",
}
# What a reader is told of BatchNorm's running statistics (`sharpness.interpolation.batchnorm`).
STATISTICS = {
    REESTIMATED: " BatchNorm's statistics are estimated anew at each point, also of both networks.",
    INTERPOLATED: " BatchNorm's statistics are mixed from those of both networks, which alone can"
    " make a barrier.",
}
CAPTION = (
    "{network} on {dataset}, {lines}, mean ± standard error, in {unit} of training loss ({n:,}"
    " samples). Barrier: the largest excess over the straight line between the losses of both"
    " networks. Instability: the largest loss between them minus the mean of theirs.{statistics}"
)


def barrier_table(documents: Documents) -> pd.DataFrame:
    """Return a row for each path between two networks, with its heights in a ``unit``.

    ``seed`` is of the network at its start, ``end_seed`` of that at its end; ``batchnorm`` says
    what statistics are between them, None without BatchNorm; ``n`` counts training samples.

    Raises:
        InputError: a document lacks what every one has; names its path.
    """

    def rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
        about = document["run"] | {name: document[name] for name in ABOUT}
        return [about | line for line in document["lines"]]

    found = document_rows(documents, rows, "document of lines between networks")
    return found[COLUMNS].astype({"seed": int})


def by_path(barriers: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error of both heights of each path, over the seeds it starts at."""
    rows = []
    for names, group in barriers.groupby(PLACE, sort=False):
        row = dict(zip(PLACE, names, strict=True)) | {"n_lines": len(group)}
        row |= {name: group[name].iloc[0] for name in ABOUT}
        for name in HEIGHTS:
            mean, error, _ = mean_over_seeds(group[name].to_numpy())
            row |= {f"{name}_mean": float(mean), f"{name}_sem": float(error)}
        rows.append(row)
    return pd.DataFrame(rows, columns=MEAN_COLUMNS)


def text(found: pd.DataFrame) -> Text:
    """Return the heights of all paths of each network, after each other."""
    return [_heights(rows) for _, rows in found.groupby(PLACE[:2], sort=False)]


def _heights(rows: pd.DataFrame) -> pd.DataFrame:
    first = rows.iloc[0]
    lines = f"{span(rows['n_lines'])} line{'' if rows['n_lines'].max() == 1 else 's'} of each path"
    about = {name: first[name] for name in ("network", "dataset", "unit", "n")}
    caption = CAPTION.format(lines=lines, statistics=STATISTICS.get(first.batchnorm, ""), **about)
    return captioned(list(_cells(rows)), caption)


def _cells(rows: pd.DataFrame) -> Iterator[dict[str, str]]:
    for row in rows.itertuples():
        yield {
            "Between": row.path,
            "Path": KINDS[row.kind],
            "Barrier": format_estimate(row.barrier_mean, row.barrier_sem),
            "Instability": format_estimate(row.instability_mean, row.instability_sem),
        }
