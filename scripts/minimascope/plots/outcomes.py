"""Figure: each condition against the baseline by evaluation and sharpness at once, as a matrix."""

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ..analysis.differences import OPEN
from ..analysis.measure_names import describe
from ..analysis.outcomes import (
    BETTER_FLATTER,
    BETTER_SHARPER,
    NO_JOINT,
    WORSE_FLATTER,
    WORSE_SHARPER,
)
from .style import GREY, label_height, notice, panel_grid, select, wrap_name

# Of each verdict its colour, its marker and the marker's colour.
LOOKS = {
    BETTER_SHARPER: ("#0072B2", "^", "white"),
    BETTER_FLATTER: ("#56B4E9", "v", "black"),
    WORSE_SHARPER: ("#D55E00", "^", "white"),
    WORSE_FLATTER: ("#E69F00", "v", "black"),
    NO_JOINT: ("#DDDDDD", "_", "black"),
    OPEN: ("white", ".", GREY),
}
NAMED = {BETTER_SHARPER: " (o₂)", BETTER_FLATTER: " (o₁)"}
CELL, LINE = 0.26, 0.14  # inches, of a cell and of a line of text
HEAD = 12  # letters of an evaluation's name in a line
WIDEST = 8.0  # inches, of all cells in a row of panels
NAME = 22  # letters of a condition's name in a line
LETTER = 0.062  # inches
NOTHING = "no condition is compared with a baseline"


def plot(outcomes: pd.DataFrame, dataset: str) -> Figure:
    """Return the matrix of verdicts of all networks of a data set, one panel each.

    Rows are conditions, columns measures of sharpness in a block for each evaluation. Colour and
    marker are the verdict of `analysis.outcomes.outcomes`: upright triangles are sharper than the
    baseline, hanging ones flatter, blue ones better and orange ones worse. What cannot be compared
    is blank.

    Args:
        outcomes: rows of `analysis.outcomes.outcomes`.
        dataset: whose.
    """
    rows = select(outcomes, dataset, required=False)
    panels = dict(list(rows.groupby("network", sort=False)))
    return _drawn(panels, f"{dataset}: each condition against the baseline")


def published(published_outcomes: pd.DataFrame) -> Figure:
    """Return the same of all published networks, a panel for each paper, network and data set.

    Args:
        published_outcomes: rows of `analysis.outcomes.outcomes` of published tables.
    """
    groups = published_outcomes.groupby(["source", "dataset", "network"], sort=False)
    panels = {
        f"{network} on {dataset} ({source.rpartition('_')[2]})": own
        for (source, dataset, network), own in groups
    }
    return _drawn(panels, "Published networks: each condition against the baseline")


def _drawn(panels: Mapping[str, pd.DataFrame], title: str) -> Figure:
    if not panels:
        return notice(title, NOTHING)
    every = pd.concat(list(panels.values()))
    columns = ["condition", "evaluation", "sharpness"]
    conditions, evaluations, measures = (list(dict.fromkeys(every[name])) for name in columns)
    count = len(evaluations) * len(measures)
    names = [wrap_name(name, NAME) for name in conditions]
    labels = [describe(name, "sharpness").label for name in measures]
    heads = [
        textwrap.fill(describe(name).label, HEAD, break_long_words=False) for name in evaluations
    ]
    across = 2 if len(panels) > 1 and 2 * count * CELL <= WIDEST else 1
    cell = min(CELL, WIDEST / count / across)
    above = LINE * max(head.count("\n") + 1 for head in heads)
    size = (
        count * cell + LETTER * max(len(line) for name in names for line in name.split("\n")) + 0.1,
        sum(max(CELL, LINE * (name.count("\n") + 1)) for name in names) + 0.3,
    )
    margins = 0.2, 0.4 + label_height(labels) + above
    figure, grid = panel_grid(title, len(panels), across, size, _key(), margins, sharex=True)
    for i, (axes, (name, rows)) in enumerate(zip(grid, panels.items(), strict=True)):
        _draw(axes, rows, conditions, evaluations, measures)
        axes.set_yticks(range(len(names)), names, parse_math=False)
        axes.set_xticks(range(count), labels * len(heads), rotation=90, parse_math=False)
        axes.set(xlim=(-0.5, count - 0.5), ylim=(len(names) - 0.5, -0.5))
        first = i < across
        axes.set_title(name, loc="left", fontweight="bold", pad=6 + first * 72 * above)
        _name_blocks(axes, heads if first else [], len(labels))
    return figure


def _draw(
    axes: Axes,
    rows: pd.DataFrame,
    conditions: Sequence[str],
    evaluations: Sequence[str],
    measures: Sequence[str],
) -> None:
    """Draw the cells of one network, and lines between evaluations."""
    for row in rows.itertuples():
        x = evaluations.index(row.evaluation) * len(measures) + measures.index(row.sharpness)
        y = conditions.index(row.condition)
        colour, marker, of_marker = LOOKS[row.verdict]
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white"))
        axes.plot(x, y, marker=marker, color=of_marker, markersize=5, linestyle="none")
    for place in range(1, len(evaluations)):
        axes.axvline(place * len(measures) - 0.5, color="black", linewidth=0.8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)


def _name_blocks(axes: Axes, heads: Sequence[str], width: int) -> None:
    """Write the name of each evaluation above its columns, so many each."""
    for place, head in enumerate(heads):
        middle = (place + 0.5) * width - 0.5
        look = {"ha": "center", "va": "bottom", "annotation_clip": False}
        axes.annotate(head, (middle, -0.5), (0, 3), textcoords="offset points", **look)


def _key() -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            # As the cells are: what stands in a cell without a colour, or the colour.
            marker=marker if marker in "^v" or name == OPEN else "s",
            color=of_marker if name == OPEN else colour,
            label=name + NAMED.get(name, ""),
        )
        for name, (colour, marker, of_marker) in LOOKS.items()
    ]
