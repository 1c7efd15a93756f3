"""Figure: the training loss between networks."""

import math
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.barriers import KINDS
from ..analysis.numbers import format_estimate
from .landscape import COLOURS as COLOUR_MAP
from .landscape import draw_contours, label_bar, loss_label, loss_norm
from .scales import draw_axis, is_logarithmic
from .style import COLOURS, GREY, HALF_PAGE, PAGE, balanced, new_figure, select

LINE, PLANE = (2.4, 2.4), (3.8, 3.2)  # inches, of a panel
TITLE_LINE = 0.14  # inches, of each further line of a title
STRAIGHT = "straight"
# Of each kind of path: colour of the mean and of seeds, style, and what its barrier is called.
STYLES = {
    STRAIGHT: ("black", GREY, "-", "barrier"),
    "matched": (COLOURS[0], COLOURS[5], "--", "matched"),
    "bezier": (COLOURS[1], COLOURS[4], "-.", "curve"),
}


def plot(interpolation: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a panel for each pair of networks with the paths between them, and for each plane.

    Thin curves are seeds and the thick one is their mean; dots are the networks themselves, and
    titles have barriers and the instability of the straight line, mean ± standard error over
    seeds, in the unit that stands above. Colour and style tell straight lines, those to networks
    with matched units, and trained curves apart. All lines share one scale.
    Planes are those of the smallest seed, in units of Euclidean distance; losses of more than
    three times the largest of their networks' share one colour.

    Args:
        interpolation: a row for each point, with columns ``seed``, ``path``, ``kind`` (of
            `analysis.barriers.KINDS`, or ``plane``), ``x``, ``y`` (NaN on lines), ``loss``,
            ``barrier`` and ``instability`` (of the line, NaN on planes), their ``unit`` and
            ``model``, the network that is exactly there, if any.
    """
    rows = select(interpolation, dataset, network)
    paths = dict(list(rows.groupby("path", sort=False)))
    planes = {path: points for path, points in paths.items() if points["y"].notna().any()}
    lines = {path: points for path, points in paths.items() if path not in planes}
    there = [kind for kind in STYLES if (rows["kind"] == kind).any()]
    panel = LINE[0], LINE[1] + TITLE_LINE * len(there[1:])
    draw_lines = partial(_draw_lines, losses=_between(rows))
    kinds = [
        (found, draw, panel)
        for found, draw, panel in ((lines, draw_lines, panel), (planes, _draw_plane, PLANE))
        if found
    ]
    most = [int(PAGE / panel[0]) for *_, panel in kinds]
    width = max(
        panel[0] * balanced(len(found), n) for n, (found, _, panel) in zip(most, kinds, strict=True)
    )
    columns = [max(1, int(width / panel[0])) for *_, panel in kinds]
    heights = [
        panel[1] * math.ceil(len(found) / n)
        for n, (found, _, panel) in zip(columns, kinds, strict=True)
    ]
    handles = [_curve(kind) for kind in there] if len(there) > 1 else []
    size = max(HALF_PAGE, width), sum(heights) + 0.3
    unit = f", barriers in {rows['unit'].iloc[0]}" if lines else ""
    figure = new_figure(f"{network} on {dataset}{unit}", *size, handles)
    parts = figure.subfigures(len(kinds), height_ratios=heights, squeeze=False)[:, 0]
    for part, n, (found, draw, _) in zip(parts, columns, kinds, strict=True):
        shared = draw is draw_lines
        panels = part.subplots(math.ceil(len(found) / n), n, squeeze=False, sharey=shared)
        for axes, (path, points) in zip(panels.flat, found.items(), strict=False):
            draw(axes, points)
            title = path.replace(" – ", " –\n", 1) if len(path) > 20 else path
            axes.set_title("\n".join([title, *_heights(points)]))
        for spare in list(panels.flat)[len(found) :]:
            spare.remove()
    return figure


def _heights(points: pd.DataFrame) -> list[str]:
    """Return barriers, and a straight line's instability, for a title; nothing for a plane."""
    found = []
    for kind, (*_, name) in STYLES.items():
        heights = {name: "barrier"} | ({"instability": "instability"} if kind == STRAIGHT else {})
        own = points[points["kind"] == kind].groupby("seed")
        for word, height in heights.items():
            values = own[height].first().dropna()
            if len(values):
                found.append(f"{word} {format_estimate(values.mean(), values.sem())}")
    return found


def _curve(kind: str) -> Line2D:
    colour, _, style, _ = STYLES[kind]
    return Line2D([], [], color=colour, linestyle=style, label=KINDS[kind].capitalize())


def _cap(points: pd.DataFrame) -> float:
    """Return the largest loss worth a colour: far beyond the networks it grows without bound."""
    return 3 * points.loc[points["model"].notna(), "loss"].max()


def _between(rows: pd.DataFrame) -> np.ndarray:
    """Return the losses of all paths from one network to the other."""
    return rows.loc[rows["y"].isna() & rows["x"].between(0, 1), "loss"].to_numpy()


def _draw_lines(axes: Axes, points: pd.DataFrame, losses: np.ndarray) -> None:
    """Draw the paths of a panel on the scale of the losses of all panels."""
    for kind, own in points.groupby("kind", sort=False):
        colour, pale, style, _ = STYLES[kind]
        curves = own.pivot(index="x", columns="seed", values="loss")
        axes.plot(curves.index, curves, color=pale, linewidth=0.5)
        axes.plot(curves.index, curves.mean(axis=1), color=colour, linestyle=style)
    ends = points[points["model"].notna()].groupby("x")["loss"].mean()
    axes.plot(ends.index, ends, linestyle="none", marker="o", color="black", markersize=3)
    names = points.dropna(subset="model").drop_duplicates("x").set_index("x")["model"]
    axes.set_xticks(list(names.index), list(names), rotation=20, ha="right")
    label = loss_label(points) if axes.get_subplotspec().is_first_col() else ""
    logarithmic = is_logarithmic(losses, usually=True)
    draw_axis(axes.yaxis, label, losses, logarithmic)
    axes.set_ylim(losses.min() / 2 if logarithmic else 0, 3 * losses.max())


def _draw_plane(axes: Axes, points: pd.DataFrame) -> None:
    points = points[points["seed"] == points["seed"].min()]
    grid = points[points["model"].isna()]
    surface = grid.pivot(index="x", columns="y", values="loss").clip(upper=_cap(points))
    norm = loss_norm({"plane": surface})
    draw_contours(axes, surface, norm)
    for row in points[points["model"].notna()].itertuples():
        axes.plot(row.x, row.y, marker="o", color="white", markeredgecolor="black")
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.7, "linewidth": 0}
        place = {"textcoords": "offset points", "ha": "center", "va": "bottom", "bbox": box}
        axes.annotate(row.model, (row.x, row.y), (0, 6), **place)
    axes.set(aspect="equal", xlabel="Distance", ylabel="Distance")
    bar = axes.figure.colorbar(ScalarMappable(norm, COLOUR_MAP), ax=axes, extend="max")
    label_bar(bar, norm, loss_label(points))
