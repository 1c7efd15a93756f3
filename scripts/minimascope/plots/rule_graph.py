"""Figure: the rules of the workflow and what they hand to each other.

A layered drawing (Sugiyama et al. 1981): rules get layers, edges that pass a layer get a place in
it, layers are ordered by the means of their neighbours, and places are the nearest to those means
that keep the boxes apart.
"""

import re

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from scipy.optimize import isotonic_regression

from ..errors import InputError
from .style import COLOURS, FONT_SIZE, styled

# All lengths are in inches.
GAP = 0.15  # between neighbours of a layer
LAYER = 0.6  # between layers
BOX_HEIGHT = 0.24
PADDING = 0.09  # between a label and its box
MARGIN = 0.1  # around the figure
SWEEPS = 10

_NODE = re.compile(r'^\s*(\d+)\s*\[\s*label\s*=\s*"([^"]*)"', re.MULTILINE)
_EDGE = re.compile(r"^\s*(\d+)\s*->\s*(\d+)", re.MULTILINE)


@styled()
def plot(dot: str) -> Figure:
    """Return a drawing of a rule graph, from the first rules at the top to the last.

    Args:
        dot: what ``snakemake --rulegraph`` prints (the dot language of Graphviz, which is not
            needed).

    Raises:
        InputError: if the text holds no rule.
    """
    graph = parse(dot)
    layered = _with_layers(graph)
    widths = {node: _width(graph.nodes[node]["label"]) for node in graph}
    places = _place(layered, widths)
    left = min(x - widths.get(node, 0) / 2 for node, (x, _) in places.items()) - MARGIN
    right = max(x + widths.get(node, 0) / 2 for node, (x, _) in places.items()) + MARGIN
    top = max(y for _, y in places.values()) + BOX_HEIGHT / 2 + MARGIN
    bottom = -BOX_HEIGHT / 2 - MARGIN

    figure = Figure(figsize=(right - left, top - bottom))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    for start, end in layered.edges:
        _draw_edge(axes, places[start], places[end], to_box=end in graph)
    for node, label in graph.nodes(data="label"):
        _draw_box(axes, places[node], widths[node], label)
    return figure


def parse(dot: str) -> nx.DiGraph:
    """Return the graph in the output of ``snakemake --rulegraph``, labels as node data.

    The last rule is left with the rules that no other one needs.

    Raises:
        InputError: if the text holds no rule.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from((node, {"label": label}) for node, label in _NODE.findall(dot))
    if not graph:
        raise InputError("rule graph: no rules found; give what `snakemake --rulegraph` prints")
    graph.add_edges_from(_EDGE.findall(dot))
    for last in [node for node, after in graph.out_degree if not after]:
        # The last rule asks for all there is; said of rules that others need it tells nothing.
        graph.remove_edges_from([(n, last) for n in graph.pred[last] if graph.out_degree(n) > 1])
    return graph


def _with_layers(graph: nx.DiGraph) -> nx.DiGraph:
    """Return the graph with data ``layer`` (0 at the bottom) and edges between neighbours only.

    An edge over several layers is replaced by a chain of nodes (rule, layer), which all long
    edges of that rule share.
    """
    generations = nx.topological_generations(graph.reverse())
    layers = {node: i for i, generation in enumerate(generations) for node in generation}
    layered = nx.DiGraph()
    layered.add_nodes_from((node, {"layer": layer}) for node, layer in layers.items())
    for start, end in graph.edges:
        between = [(start, layer) for layer in range(layers[start] - 1, layers[end], -1)]
        layered.add_nodes_from((node, {"layer": node[1]}) for node in between)
        nx.add_path(layered, [start, *between, end])
    return layered


def _width(label: str) -> float:
    return TextPath((0, 0), label, size=FONT_SIZE).get_extents().width / 72 + 2 * PADDING


def _place(layered: nx.DiGraph, widths: dict[str, float]) -> dict[object, tuple[float, float]]:
    """Return the centre of every node."""
    layers = [[] for _ in range(1 + max(layer for _, layer in layered.nodes(data="layer")))]
    for node, layer in layered.nodes(data="layer"):
        layers[layer].append(node)
    x = {node: float(i) for layer in layers for i, node in enumerate(layer)}
    for sweep in range(SWEEPS):
        upwards = sweep % 2 == 0
        neighbours = layered.pred if not upwards else layered.succ
        for layer in layers if upwards else layers[::-1]:
            wanted = {n: np.mean([x[m] for m in neighbours[n]] or [x[n]]) for n in layer}
            layer.sort(key=wanted.__getitem__)
            x |= _spread([wanted[n] for n in layer], layer, widths)
    for _ in range(SWEEPS):
        for layer in layers:
            wanted = [
                np.mean([x[m] for m in nx.all_neighbors(layered, n)] or [x[n]]) for n in layer
            ]
            x |= _spread(wanted, layer, widths)
    return {node: (x[node], layer * LAYER) for node, layer in layered.nodes(data="layer")}


def _spread(wanted: list[float], layer: list, widths: dict[str, float]) -> dict[object, float]:
    """Return places nearest to those wanted (least squares) that keep order and distance."""
    half = np.array([widths.get(node, 0) / 2 for node in layer])
    offsets = np.concatenate([[0], np.cumsum(half[:-1] + half[1:] + GAP)])
    return dict(zip(layer, isotonic_regression(wanted - offsets).x + offsets, strict=True))


def _draw_edge(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], to_box: bool
) -> None:
    """Draw an edge to the next layer: up to a box, or upright past the boxes of that layer."""
    (x0, y0), (x1, y1) = start, end
    top, bottom = y0 - BOX_HEIGHT / 2, y1 + BOX_HEIGHT / 2
    middle = (top + bottom) / 2
    points = [(x0, top), (x0, middle), (x1, middle), (x1, bottom)]
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    if not to_box:
        points.append((x1, y1 - BOX_HEIGHT / 2))
        codes.append(Path.LINETO)
    arrow = FancyArrowPatch(
        path=Path(points, codes),
        arrowstyle="-|>,head_length=3,head_width=1.5" if to_box else "-",
        color="dimgrey",
        linewidth=0.8,
        shrinkA=0,
        shrinkB=0,
    )
    axes.add_patch(arrow)


def _draw_box(axes: Axes, centre: tuple[float, float], width: float, label: str) -> None:
    x, y = centre
    box = FancyBboxPatch(
        (x - width / 2, y - BOX_HEIGHT / 2),
        width,
        BOX_HEIGHT,
        boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="white",
        edgecolor=COLOURS[0],
        linewidth=1,
    )
    axes.add_patch(box)
    axes.text(x, y, label, ha="center", va="center_baseline")
