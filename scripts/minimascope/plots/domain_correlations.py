"""Figure: how sharpness goes with accuracy in each domain, and in each city."""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.correlations import ALL_NETWORKS, to_read
from ..analysis.domain_correlations import EVALUATIONS, place_names, shown_sharpness
from ..analysis.evidence import LEVEL
from ..analysis.measure_names import describe
from .domains import ordered
from .style import COLOURS, GREY, MARKERS, NEUTRAL, notice, panel_grid, select

TITLES = dict(zip(EVALUATIONS, ("accuracy", "accuracy above that in the others"), strict=True))
WIDTH, NAMES = 3.4, 1.1  # inches of a panel, and for the names of places
PLACE, POINT = 0.1, 0.11  # inches between places, and for each network
# Of distances between places.
SPREAD = 0.7


def plot(domain_correlations: pd.DataFrame, dataset: str) -> Figure:
    """Return Spearman's ρ of sharpness with accuracy in each domain, and in each city.

    That is of ASC sharpness, or of every measure of the main table where it was not measured (rows
    of panels), with accuracy there (left), and with how far that is above the mean accuracy in the
    other domains, or cities (right). Bars are 95 % intervals over the conditions' means, of all
    networks and of each; a marker is filled where ρ is surely not zero for all domains, or cities,
    together. Names in brackets are not in the training data. Without intervals the figure says so.
    """
    rows = to_read(select(domain_correlations, dataset, required=False))
    rows = rows[rows["lower"].notna()]
    if rows.empty:
        return notice(dataset, "too few conditions for correlations in each domain")
    kinds = rows.groupby("kind", sort=False)
    names = [f"{kind}/{name}" for kind, own in kinds for name in ordered(own)]
    places = {name: place for place, name in enumerate(names)}
    rows = rows.assign(place=(rows["kind"] + "/" + rows["name"].astype(str)).map(places))
    measures = shown_sharpness(rows["sharpness"])
    networks = {name: i for i, name in enumerate(rows["network"].unique())}
    height = 0.6 + len(places) * (PLACE + POINT * len(networks))
    looks = {name: _look(name, i) for name, i in networks.items()}
    handles = [Line2D([], [], **look, label=_label(name)) for name, look in looks.items()]
    panels = list(product(measures, EVALUATIONS))
    figure, grid = panel_grid(
        dataset, len(panels), 2, (WIDTH, height), handles, (NAMES, 0.5), sharey=True
    )
    for axes, (measure, evaluation) in zip(grid, panels, strict=True):
        own = rows[(rows["sharpness"] == measure) & (rows["evaluation"] == evaluation)]
        for network, i in networks.items():
            offset = SPREAD * ((i + 0.5) / len(networks) - 0.5)
            _draw(axes, own[own["network"] == network], offset, looks[network])
        label = describe(measure, "sharpness").label
        axes.set_title(f"{label} with {TITLES[evaluation]}")
        axes.set_xlabel("Spearman's ρ")
        _dress(axes, rows.assign(name=place_names(rows)))
    return figure


def _label(network: str) -> str:
    return "all networks" if network == ALL_NETWORKS else network


def _look(network: str, place: int) -> dict[str, object]:
    colour = "black" if network == ALL_NETWORKS else COLOURS[place % len(COLOURS)]
    marker = MARKERS[place % len(MARKERS)]
    return {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4}


def _draw(axes: Axes, rows: pd.DataFrame, offset: float, look: dict[str, object]) -> None:
    """Draw the correlations of one network, each at the line of its place."""
    for row in rows.itertuples():
        sure = row.p_holm <= 1 - LEVEL
        axes.errorbar(
            row.value,
            row.place + offset,
            xerr=np.array([[row.value - row.lower], [row.upper - row.value]]),
            **look,
            markerfacecolor=look["color"] if sure else "white",
            elinewidth=0.9,
        )


def _dress(axes: Axes, rows: pd.DataFrame) -> None:
    """Name the places, and divide kinds of them."""
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=0.5)
    for end in rows.groupby("kind")["place"].max().sort_values().iloc[:-1]:
        axes.axhline(end + 0.5, color=NEUTRAL, linewidth=0.6, linestyle=":")
    names = rows.drop_duplicates("place").sort_values("place")["name"]
    axes.set(xlim=(-1.03, 1.03), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names, parse_math=False)
