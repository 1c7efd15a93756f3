"""Figure: how the eigenvalues of the training loss's Hessian are distributed."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.tables import at_minima
from .looks import study_looks
from .scales import scale_axis
from .style import balanced, panel_grid, select, wrap_name

POINTS = 801
WIDTH = 0.005  # standard deviation of a smoothed eigenvalue, as a share of the spectrum's extent
LOWEST = 1e-6  # density shown, relative to the highest
PANEL = (2.4, 1.8)  # inches


def plot(hessian: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return the density of the Hessian's spectrum for each condition, with extreme eigenvalues.

    The line is the mean over seeds and probes of the quadrature's nodes, each a narrow Gaussian;
    the band is the range over seeds. Ticks below are eigenvalues that were computed one by one;
    crosses are those of a solver that stopped before all had converged.

    Args:
        hessian: a row for each eigenvalue (``quantity`` is ``eigenvalue``) and for each node of
            the density (``node``), with columns ``condition``, ``seed``, ``view``, ``probe``,
            ``value``, ``weight`` and ``converged`` (of eigenvalues).
        conditions: of the whole study.
    """
    rows = at_minima(select(hessian, dataset, network))
    looks = {
        name: look
        for name, look in study_looks(conditions).of.items()
        if name in set(rows["condition"])
    }
    title, margins = f"{network} on {dataset}", (0, 0.6)
    figure, grid = panel_grid(
        title, len(looks), balanced(len(looks)), PANEL, margins=margins, sharex=True, sharey=True
    )
    values = rows["value"]
    deviation = WIDTH * (values.max() - values.min()) or 1.0
    eigenvalues = np.linspace(values.min() - 5 * deviation, values.max() + 5 * deviation, POINTS)
    for axes, (condition, look) in zip(grid, looks.items(), strict=True):
        chosen = rows[rows["condition"] == condition]
        _draw_density(axes, chosen, eigenvalues, deviation, look.colour)
        _draw_eigenvalues(axes, chosen[chosen["quantity"] == "eigenvalue"])
        axes.set_title(wrap_name(condition))
    figure.supxlabel("Eigenvalue of the Hessian", fontsize="medium")
    figure.supylabel("Density of the spectrum", fontsize="medium")
    return figure


def _draw_eigenvalues(axes: Axes, eigenvalues: pd.DataFrame) -> None:
    for marker, size, converged in (("|", 6, True), ("x", 4, False)):
        values = eigenvalues.loc[eigenvalues["converged"].eq(converged), "value"]
        place = {"transform": axes.get_xaxis_transform(), "linestyle": "none", "color": "black"}
        axes.plot(values, np.full(len(values), 0.04), marker=marker, markersize=size, **place)


def _draw_density(
    axes: Axes, rows: pd.DataFrame, eigenvalues: np.ndarray, deviation: float, colour: str
) -> None:
    nodes = rows[rows["quantity"] == "node"]
    if nodes.empty:
        return
    seeds = np.stack(
        [
            smoothed_density(part, eigenvalues, deviation) / part["probe"].nunique()
            for _, part in nodes.groupby("seed")
        ]
    )
    floor = LOWEST * seeds.max()
    scale_axis(axes.yaxis, [floor, seeds.max()], logarithmic=True)
    axes.set_ylim(bottom=floor)
    low, high = (np.clip(bound, floor, None) for bound in (seeds.min(0), seeds.max(0)))
    axes.fill_between(eigenvalues, low, high, color=colour, alpha=0.2)
    axes.plot(eigenvalues, np.clip(seeds.mean(0), floor, None), color=colour)


def smoothed_density(nodes: pd.DataFrame, points: np.ndarray, deviation: float) -> np.ndarray:
    """Return Σ weight · Gaussian(point − node) at each point; it integrates to Σ weight."""
    distances = (points - nodes["value"].to_numpy()[:, None]) / deviation
    bumps = np.exp(-(distances**2) / 2) / (deviation * np.sqrt(2 * np.pi))
    return nodes["weight"].to_numpy() @ bumps
