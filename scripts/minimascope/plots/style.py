"""What all figures share: colours, fonts, sizes, selection of data and saving.

Colours are those of Okabe and Ito (2008, Color Universal Design), which people with any common
colour vision can tell apart; their yellow is darkened, or white paper would hide it. Markers and
line styles repeat what colours say.
"""

import io
import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox
from pandas.api.typing import SeriesGroupBy

from ..errors import InputError

HALF_PAGE = 3.5  # inches
# Of a letter of a figure's title, and of each of its further lines, in inches.
TITLE_LETTER, TITLE_LINE = 0.08, 0.16
PAGE = 10.0  # inches, of the report: text stays as large as that around it
FONT_SIZE = 8  # points
DOTS_PER_INCH = 200
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#000000", "#A89C00"),
)
GREY = "#999999"
NEUTRAL = "#555555"
# Of the smallest difference that matters.
BAND = {"color": "#DDDDDD", "linewidth": 0}
MARKERS_PER_LINE = 5
# 8 colours and 9 markers have no common factor: 72 conditions look different.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

_SETTINGS = {
    "font.size": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "figure.titlesize": FONT_SIZE + 1,
    "xtick.labelsize": FONT_SIZE,
    "ytick.labelsize": FONT_SIZE,
    "legend.fontsize": FONT_SIZE,
    "legend.frameon": False,
    "legend.handlelength": 2.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "svg.fonttype": "path",  # the same on every machine, whatever fonts it has
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3, and text can be edited
    "svg.hashsalt": "minimascope",
}


def styled() -> AbstractContextManager:
    """Return the settings of all figures, as a context or decorator; nothing stays changed."""
    return matplotlib.style.context(["default", _SETTINGS])


def new_figure(title: str, width: float, height: float, handles: Sequence[Artist] = ()) -> Figure:
    """Return a figure of a size in inches, to which a long title and a legend add their lines."""
    # Line by line, since what has to stand on a line of its own keeps it.
    title = "\n".join(textwrap.fill(line, int(width / TITLE_LETTER)) for line in title.split("\n"))
    height += TITLE_LINE * title.count("\n")
    columns = 1
    if handles:
        longest = max(len(str(handle.get_label())) for handle in handles)
        columns = max(1, int(width / (0.55 + 0.07 * longest)))
        height += 0.17 * math.ceil(len(handles) / columns)
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def balanced(count: int, most: int = 4) -> int:
    """Return how many columns, at most so many, leave few cells of a grid empty.

    >>> balanced(4), balanced(5), balanced(7), balanced(10), balanced(4, most=3)
    (4, 3, 4, 4, 2)
    """
    return math.ceil(count / math.ceil(count / most))


def panel_grid(
    title: str,
    count: int,
    columns: int,
    size: tuple[float, float],
    handles: Sequence[Artist] = (),
    margins: tuple[float, float] = (0.0, 0.5),
    **options: Any,
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels.

    Args:
        title: of the figure.
        count: number of panels.
        columns: panels in a full row.
        size: of a panel, width and height in inches.
        handles: entries of the legend.
        margins: what the figure is wider and higher than its panels, in inches.
        options: of `Figure.subplots`; numbers of shared axes stand below the lowest panels.
    """
    rows, columns = math.ceil(count / columns), min(columns, count)
    width = max(HALF_PAGE, size[0] * columns + margins[0])
    figure = new_figure(title, width, size[1] * rows + margins[1], handles)
    grid = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for axes in grid[count:]:
        axes.remove()
    if options.get("sharex"):
        for axes in grid[max(0, count - columns) : count]:
            axes.tick_params(labelbottom=True)
    return figure, grid[:count]


def draw_range(axes: Axes, seeds: SeriesGroupBy, line: Mapping[str, Any], **options: Any) -> None:
    """Draw the mean over seeds as a line and their range as a band, over what groups them.

    Some points of the line are marked, unless ``options`` of the line say which.
    """
    curve = seeds.agg(["mean", "min", "max"])
    marks = {"markersize": 3, "markevery": max(1, len(curve) // MARKERS_PER_LINE)}
    axes.plot(curve.index, curve["mean"], **line, **marks | options)
    band = {"color": line["color"], "alpha": 0.2, "linewidth": 0}
    axes.fill_between(curve.index, curve["min"], curve["max"], **band)


def select(
    frame: pd.DataFrame, dataset: str, network: str | None = None, required: bool = True
) -> pd.DataFrame:
    """Return the rows of one data set, of one of its networks or of all.

    Raises:
        InputError: if there are none, unless that is allowed by ``required=False``.
    """
    rows = frame[frame["dataset"] == dataset]
    if network is not None:
        rows = rows[rows["network"] == network]
    if required and rows.empty:
        of, names = (f" of {network}", "both names") if network else ("", "its name")
        raise InputError(f"figures: no data{of} on {dataset}; check {names}")
    return rows


def finite(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a finite value: a measure without any has no panel."""
    # Without rows of one kind, a column is of objects.
    return rows[np.isfinite(rows["value"].astype(float))]


def notice(title: str, sentence: str) -> Figure:
    """Return a figure without panels that says why there is nothing to draw.

    The sentence is its label, and the description of its SVG, which others do not have
    (`notices.notice_of`).
    """
    lines = textwrap.wrap(sentence, 48)
    figure = Figure(figsize=(HALF_PAGE, 0.6 + 0.2 * len(lines)))
    figure.suptitle(title)
    figure.text(0.5, 0.4, "\n".join(lines), ha="center", va="center")
    figure.set_label(sentence)
    return figure


def wrap_name(name: str, width: int = 18) -> str:
    """Break a long name of a condition into lines after hyphens (but not 1e-3) and underscores."""
    lines = textwrap.wrap(re.sub(r"(?<!\de)([-_]+)", r"\1 ", name), width)
    return "\n".join(line.replace(" ", "") for line in lines)


def rotate_labels(axes: Axes, labels: Iterable[str]) -> None:
    """Put one upright label under each of the positions 0, 1, 2 …"""
    labels = list(labels)
    # Names are text: a dollar sign in one begins no formula.
    axes.set_xticks(range(len(labels)), labels, rotation=90, parse_math=False)
    axes.set_xlim(-0.6, len(labels) - 0.4)


def align_labels(figure: Figure) -> None:
    """Align the labels of panels, where they show any: the others would only take time."""
    for axis, align in (("xaxis", figure.align_xlabels), ("yaxis", figure.align_ylabels)):
        labels = [(axes, getattr(axes, axis).label) for axes in figure.axes]
        align([axes for axes, label in labels if label.get_text() and label.get_visible()])


def label_height(labels: Iterable[str]) -> float:
    """Return about how many inches the longest label needs when it stands upright."""
    return 0.075 * max(map(len, labels))


def save_svg(figure: Figure) -> bytes:
    """Return a figure as SVG; equal figures give equal bytes."""
    described = {"Description": figure.get_label()} if figure.get_label() else {}
    return _saved(figure, "svg", {"Date": None} | described)


def save_pdf(figure: Figure) -> bytes:
    """Return a figure as PDF; equal figures give equal bytes."""
    return _saved(figure, "pdf", {"CreationDate": None})


def save_png(figure: Figure) -> bytes:
    """Return a figure as PNG, large enough for a slide."""
    return _saved(figure, "png", {}, dpi=DOTS_PER_INCH)


def _saved(figure: Figure, kind: str, metadata: Mapping[str, str | None], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with styled():  # ticks are made while a figure is drawn, in the settings of that moment
        if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
            _settle(figure)
        figure.savefig(buffer, format=kind, metadata=metadata, **options)
    return buffer.getvalue()


def _settle(figure: Figure) -> None:
    """Lay a figure out for good, at places that are the same each time.

    The solver of the constrained layout differs in the last bits from run to run, and another
    pass would move everything a little.
    """
    for _ in range(2):  # labels are aligned after the first layout, the second makes room for them
        figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        place = axes.get_position(original=True).get_points()
        axes.set_position(Bbox(place.round(4)), which="original")
