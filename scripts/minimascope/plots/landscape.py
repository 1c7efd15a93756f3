"""Figures: the training loss around each network, as contours, surfaces and lines."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ..analysis.tables import at_minima
from ..errors import InputError
from .style import (
    HALF_PAGE,
    condition_handles,
    condition_styles,
    draw_range,
    panel_grid,
    scale_axis,
    select,
    wrap_name,
)

COLUMNS = 3
LEVELS = 13
PANEL = (1.75, 1.75)  # inches
MARGINS = (0.9, 0.8)  # inches, for the scale of colours and the title
COLOURS = "viridis"


def contours(landscape: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return contours of the loss on one plane through each condition's network.

    The network of the smallest seed and its first pair of directions are shown, on one scale of
    colours, logarithmic where losses span more than a decade. The cross is the network, the
    dashed circle the disc of ASC sharpness.

    Args:
        landscape: a row for each point, with columns ``condition``, ``seed``, ``view``,
            ``direction_seed``, ``x``, ``y`` (NaN on lines) and ``loss`` (nats).
    """
    found = first_surfaces(landscape, dataset, network)
    norm = loss_norm(found)
    title = f"{network} on {dataset}"
    figure, panels = panel_grid(title, len(found), COLUMNS, PANEL, margins=MARGINS)
    for axes, (condition, surface) in zip(panels, found.items(), strict=True):
        draw_contours(axes, surface, norm)
        axes.add_patch(Circle((0, 0), surface.index.max(), fill=False, ls="--", lw=0.6))
        axes.plot(0, 0, marker="+", color="white", markersize=5)
        axes.set_title(wrap_name(condition))
        axes.set(aspect="equal", xlabel="First direction", ylabel="Second direction")
        axes.label_outer()
    _colour_bar(figure, panels, norm)
    return figure


def surfaces(landscape: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the planes of `contours` as surfaces, with one scale of heights and colours."""
    found = first_surfaces(landscape, dataset, network)
    norm = loss_norm(found)
    title = f"{network} on {dataset}"
    figure, panels = panel_grid(
        title, len(found), COLUMNS, PANEL, margins=MARGINS, subplot_kw={"projection": "3d"}
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
    _colour_bar(figure, panels, norm)
    return figure


def lines(landscape: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the loss along random directions: mean over seeds and directions, and their range."""
    rows = at_minima(select(_as_measures(landscape), dataset, network))
    rows = rows[rows["y"].isna()]
    if rows.empty:
        raise InputError(f"figures: no lines of {network} on {dataset}; set line_points above 0")
    styles = condition_styles(rows["condition"].unique())
    styles = {condition: replace(style, marker="") for condition, style in styles.items()}
    handles = condition_handles(styles, lines=True)
    figure, [axes] = panel_grid(f"{network} on {dataset}", 1, 1, (HALF_PAGE, 1.9), handles)
    for condition, style in styles.items():
        draw_range(axes, rows[rows["condition"] == condition].groupby("x")["loss"], style)
    scale_axis(axes.yaxis, rows["loss"], usually_log=True)
    axes.set(xlabel="Distance along a random direction", ylabel="Training loss (nats)")
    return figure


def first_surfaces(landscape: pd.DataFrame, dataset: str, network: str) -> dict[str, pd.DataFrame]:
    """Return a surface (rows x, columns y) for each condition: first seed, first directions.

    Raises:
        InputError: there are none of this network.
    """
    rows = at_minima(select(_as_measures(landscape), dataset, network))
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
    """Return one scale of colours for all surfaces, logarithmic above a decade."""
    losses = np.concatenate([surface.to_numpy().ravel() for surface in surfaces.values()])
    low, high = losses.min(), losses.max()
    return LogNorm(low, high) if low > 0 and high > 10 * low else Normalize(low, high)


def draw_contours(axes: Axes, surface: pd.DataFrame, norm: Normalize) -> None:
    """Draw filled contours of a surface (rows x, columns y)."""
    levels = norm.inverse(np.linspace(0, 1, LEVELS))
    levels[0], levels[-1] = norm.vmin, norm.vmax  # or rounding would widen the shared scale
    grid = (surface.index, surface.columns, np.clip(surface.T, norm.vmin, norm.vmax))
    axes.contourf(*grid, levels, norm=norm, cmap=COLOURS)
    axes.contour(*grid, levels, norm=norm, colors="white", linewidths=0.3)


def _as_measures(landscape: pd.DataFrame) -> pd.DataFrame:
    # `at_minima` chooses a view for each measure; a landscape is one.
    return landscape.assign(measure="landscape")


def _colour_bar(figure: Figure, panels: list[Axes], norm: Normalize) -> None:
    figure.colorbar(
        ScalarMappable(norm, COLOURS), ax=panels, label="Training loss (nats)", aspect=30
    )
