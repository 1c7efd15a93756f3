"""Figures: the training loss around each network, as contours, surfaces and lines."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ..analysis.numbers import format_estimate
from ..analysis.tables import at_minima
from ..errors import InputError
from .looks import study_looks
from .scales import draw_axis, is_logarithmic
from .style import HALF_PAGE, balanced, draw_range, panel_grid, select, wrap_name

LEVELS = 13
PANEL = (2.2, 2.2)  # inches
MARGINS = (0.9, 0.8)  # inches, for the scale of colours and the title
COLOURS = "viridis"


def contours(landscape: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return contours of the loss on one plane through each condition's network.

    The network of the smallest seed and its first pair of directions are shown, on one scale of
    colours, logarithmic unless a loss is not positive. The cross is the network, the
    dashed circle the disc of ASC sharpness.

    Args:
        landscape: a row for each point, with columns ``condition``, ``seed``, ``view``,
            ``direction_seed``, ``x``, ``y`` (NaN on lines), ``loss`` and its ``unit``.
    """
    found = first_surfaces(landscape, dataset, network)
    norm = loss_norm(found)
    title = f"{network} on {dataset}"
    columns = balanced(len(found))
    shared = {"sharex": True, "sharey": True}
    figure, panels = panel_grid(title, len(found), columns, PANEL, margins=MARGINS, **shared)
    for axes, (condition, surface) in zip(panels, found.items(), strict=True):
        draw_contours(axes, surface, norm)
        axes.add_patch(Circle((0, 0), surface.index.max(), fill=False, ls="--", lw=0.6))
        axes.plot(0, 0, marker="+", color="white", markersize=5)
        axes.set_title(wrap_name(condition))
        axes.set(aspect="equal")
    for axes in panels[-columns:]:
        axes.set_xlabel("First direction")
    for axes in panels[::columns]:
        axes.set_ylabel("Second direction")
    draw_colour_bar(figure, panels, norm, loss_label(select(landscape, dataset, network)))
    return figure


def surfaces(landscape: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the planes of `contours` as surfaces, with one scale of heights and colours."""
    found = first_surfaces(landscape, dataset, network)
    norm = loss_norm(found)
    title = f"{network} on {dataset}"
    figure, panels = panel_grid(
        title,
        len(found),
        balanced(len(found)),
        PANEL,
        margins=MARGINS,
        subplot_kw={"projection": "3d"},
    )
    height = np.log10 if isinstance(norm, LogNorm) else np.asarray
    for axes, (condition, surface) in zip(panels, found.items(), strict=True):
        x, y = np.meshgrid(surface.index, surface.columns, indexing="ij")
        colours = colormaps[COLOURS](norm(surface.to_numpy()))
        axes.plot_surface(
            x, y, height(surface.to_numpy()), facecolors=colours, rcount=50, ccount=50, shade=False
        )
        axes.set(zlim=height([norm.vmin, norm.vmax]), title=wrap_name(condition))
        axes.tick_params(labelbottom=False, labelleft=False)
        axes.set(xticklabels=[], yticklabels=[], zticklabels=[])
    draw_colour_bar(figure, panels, norm, loss_label(select(landscape, dataset, network)))
    return figure


def lines(
    landscape: pd.DataFrame,
    conditions: pd.DataFrame,
    dataset: str,
    network: str,
) -> Figure:
    """Return the loss along random directions: mean over seeds and directions, and their range."""
    of_all = at_minima(select(landscape, dataset))
    rows = select(of_all, dataset, network)
    of_all, rows = (part[part["y"].isna()] for part in (of_all, rows))
    if rows.empty:
        raise InputError(f"figures: no lines of {network} on {dataset}; set line_points above 0")
    looks = study_looks(conditions)
    size, handles = (1.7 * HALF_PAGE, 2.6), looks.handles(lines=True)
    figure, [axes] = panel_grid(f"{network} on {dataset}", 1, 1, size, handles)
    for condition, losses in rows.groupby("condition", sort=False):
        draw_range(axes, losses.groupby("x")["loss"], looks.of[condition].line)
    logarithmic = is_logarithmic(of_all["loss"], usually=True)
    draw_axis(axes.yaxis, loss_label(rows), rows["loss"], logarithmic)
    axes.set_xlabel("Distance along a random direction")
    return figure


def eigenvectors(landscape_eigenvectors: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return contours of the loss on the plane of the Hessian's two leading eigenvectors.

    One panel for each condition's network of the smallest seed, on one scale of colours. Dashed
    lines are the contours of what slope and curvature at the network predict, at the same losses;
    axes are Euclidean distances, each with its eigenvalue λ.

    Args:
        landscape_eigenvectors: a row for each point, with columns ``condition``, ``seed``,
            ``view``, ``x``, ``y``, ``eigenvalue_x``, ``eigenvalue_y``, ``loss`` and
            ``prediction``, in a ``unit``.
    """
    rows = at_minima(select(landscape_eigenvectors, dataset, network))
    planes = {
        condition: points[points["seed"] == points["seed"].min()]
        for condition, points in rows.groupby("condition", sort=False)
    }
    found = {
        name: plane.pivot(index="x", columns="y", values="loss") for name, plane in planes.items()
    }
    norm = loss_norm(found)
    title, columns = f"{network} on {dataset}", balanced(len(found))
    figure, panels = panel_grid(title, len(found), columns, PANEL, margins=MARGINS)
    for axes, (condition, surface) in zip(panels, found.items(), strict=True):
        draw_contours(axes, surface, norm)
        predicted = planes[condition].pivot(index="x", columns="y", values="prediction")
        grid = (predicted.index, predicted.columns, predicted.T)
        axes.contour(*grid, levels_of(norm)[1:-1], colors="black", linewidths=0.6, linestyles="--")
        axes.plot(0, 0, marker="+", color="white", markersize=5)
        values = planes[condition].iloc[0]
        first, second = (format_estimate(values[f"eigenvalue_{name}"]) for name in "xy")
        axes.set_title(wrap_name(condition))
        axes.set(
            aspect="equal", xlabel=f"Eigenvector, λ = {first}", ylabel=f"Eigenvector, λ = {second}"
        )
    draw_colour_bar(figure, panels, norm, loss_label(rows))
    return figure


def first_surfaces(landscape: pd.DataFrame, dataset: str, network: str) -> dict[str, pd.DataFrame]:
    """Return a surface (rows x, columns y) for each condition: first seed, first directions.

    Raises:
        InputError: there are none of this network.
    """
    rows = at_minima(select(landscape, dataset, network))
    rows = rows[rows["y"].notna()]
    if rows.empty:
        raise InputError(f"figures: no surfaces of {network} on {dataset}; check both names")
    found = {}
    for condition, points in rows.groupby("condition", sort=False):
        for column in ("seed", "direction_seed"):
            points = points[points[column] == points[column].min()]
        found[condition] = points.pivot(index="x", columns="y", values="loss")
    return found


def loss_norm(surfaces: Mapping[str, pd.DataFrame]) -> Normalize:
    """Return one scale of colours for all surfaces, logarithmic unless a loss is not positive."""
    losses = np.concatenate([surface.to_numpy().ravel() for surface in surfaces.values()])
    low, high = losses.min(), losses.max()
    return LogNorm(low, high) if 0 < low < high else Normalize(low, high)


def draw_contours(axes: Axes, surface: pd.DataFrame, norm: Normalize) -> None:
    """Draw filled contours of a surface (rows x, columns y)."""
    levels = levels_of(norm)
    grid = (surface.index, surface.columns, np.clip(surface.T, norm.vmin, norm.vmax))
    axes.contourf(*grid, levels, norm=norm, cmap=COLOURS)
    axes.contour(*grid, levels, norm=norm, colors="white", linewidths=0.3)


def levels_of(norm: Normalize) -> np.ndarray:
    """Return the losses of a scale that have contours, [`LEVELS`]."""
    levels = norm.inverse(np.linspace(0, 1, LEVELS))
    levels[0], levels[-1] = norm.vmin, norm.vmax  # or rounding would widen the shared scale
    return levels


def loss_label(rows: pd.DataFrame) -> str:
    """Return what an axis of training losses is called, from rows with their ``unit``."""
    return f"Training loss ({rows['unit'].iloc[0]})"


def draw_colour_bar(figure: Figure, panels: list[Axes], norm: Normalize, label: str) -> None:
    """Draw the scale of colours beside the panels of a figure."""
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=panels, aspect=30)
    label_bar(bar, norm, label)


def label_bar(bar: Colorbar, norm: Normalize, label: str) -> None:
    """Put numbers and a label at the colours of training losses."""
    logarithmic = isinstance(norm, LogNorm)
    draw_axis(bar.ax.yaxis, label, [norm.vmin, norm.vmax], logarithmic, 40)
