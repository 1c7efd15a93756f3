"""Draw the output of `snakemake --rulegraph` (standard input) as an SVG file (argument)."""

import argparse
import re
import sys
from pathlib import Path

import networkx as nx
from matplotlib.figure import Figure

from minimascope.files import write_bytes
from minimascope.plots.style import COLOURS, save_svg, styled

STYLE = {"node_color": "none", "node_size": 600, "edge_color": "grey", "font_size": 8}
BOX = {"boxstyle": "round", "facecolor": "white", "edgecolor": COLOURS[0]}


@styled()
def drawing(dot: str) -> Figure:
    """Return the rules as boxes, and arrows for what no chain of other arrows says."""
    names = dict(re.findall(r'(\d+)\[label = "([\w-]+)"', dot))
    if not names:
        sys.exit("error: no rules found; give what `snakemake --rulegraph` prints")
    needed = [(names[first], names[then]) for first, then in re.findall(r"(\d+) -> (\d+)", dot)]
    graph = nx.DiGraph(sorted(nx.transitive_reduction(nx.DiGraph(needed)).edges))
    # The last rule is at the bottom. Neighbours by the spectrum leave few crossings.
    place = nx.spectral_layout(graph.to_undirected())
    layers = enumerate(nx.topological_generations(graph.reverse()))
    layers = {i: sorted(layer, key=lambda rule: place[rule][0]) for i, layer in layers}
    figure = Figure(figsize=(11, 9), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    places = nx.multipartite_layout(graph, subset_key=layers, align="horizontal")
    nx.draw_networkx(graph, places, ax=axes, bbox=BOX, **STYLE)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the SVG file to write")
    arguments = parser.parse_args()
    write_bytes(arguments.output, save_svg(drawing(sys.stdin.read())))


if __name__ == "__main__":
    main()
