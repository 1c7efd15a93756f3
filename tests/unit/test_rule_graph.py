import math
import re
from itertools import combinations

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from minimascope.errors import InputError
from minimascope.plots import rule_graph
from minimascope.plots.style import save_svg

DOT = """digraph snakemake_dag {
    graph[bgcolor=white, margin=0];
    node[shape=box, style=rounded, fontname=sans, fontsize=10, penwidth=2];
    edge[penwidth=2, color=grey];
	0[label = "all", color = "0.17 0.6 0.85", style="rounded"];
	1[label = "figures", color = "0.50 0.6 0.85", style="rounded"];
	2[label = "tables", color = "0.33 0.6 0.85", style="rounded"];
	3[label = "collect", color = "0.00 0.6 0.85", style="rounded"];
	4[label = "sharpness_forward", color = "0.00 0.6 0.85", style="rounded"];
	5[label = "sharpness_perturbation", color = "0.00 0.6 0.85", style="rounded"];
	6[label = "evaluate", color = "0.00 0.6 0.85", style="rounded"];
	7[label = "disagreement", color = "0.00 0.6 0.85", style="rounded"];
	8[label = "train", color = "0.00 0.6 0.85", style="rounded"];
	9[label = "initialise", color = "0.00 0.6 0.85", style="rounded"];
	10[label = "prepare", color = "0.00 0.6 0.85", style="rounded"];
	11[label = "corrupt", color = "0.00 0.6 0.85", style="rounded"];
	12[label = "toy_functions", color = "0.00 0.6 0.85", style="rounded"];
	1 -> 0
	2 -> 0
	12 -> 0
	7 -> 0
	3 -> 0
	2 -> 1
	3 -> 1
	7 -> 1
	3 -> 2
	7 -> 2
	4 -> 3
	5 -> 3
	6 -> 3
	8 -> 3
	8 -> 4
	10 -> 4
	8 -> 5
	10 -> 5
	8 -> 6
	10 -> 6
	11 -> 6
	6 -> 7
	9 -> 8
	10 -> 8
	10 -> 11
}
"""
LABELS = dict(re.findall(r'(\d+)\[label = "(\w+)"', DOT))
# What the last rule asks for is not drawn, unless nothing else asks for it.
EDGES = [
    edge
    for edge in re.findall(r"(\d+) -> (\d+)", DOT)
    if edge not in zip("237", "000", strict=True)
]


def ends(edge):
    """Where an edge, or its part up to the next layer, starts (above) and ends (below)."""
    path = edge.get_path()
    points = path.vertices[path.codes != Path.CLOSEPOLY]
    return points[points[:, 1].argmax()], points[points[:, 1].argmin()]


def near(point, other):
    return math.dist(point, other) < 0.02  # inches


def test_rule_graph_draws_every_rule_and_what_it_needs():
    [axes] = rule_graph.plot(DOT).axes
    centres = {text.get_text(): text.get_position() for text in axes.texts}
    assert sorted(centres) == sorted(LABELS.values())
    box = next(patch for patch in axes.patches if isinstance(patch, FancyBboxPatch))
    half = box.get_height() / 2
    steps = [ends(patch) for patch in axes.patches if isinstance(patch, FancyArrowPatch)]

    def reached(point):
        for end in (end for start, end in steps if near(start, point)):
            hit = [name for name, (x, y) in centres.items() if near(end, (x, y + half))]
            yield from hit or reached(end)

    for name, (x, y) in centres.items():
        needed_by = [LABELS[end] for start, end in EDGES if LABELS[start] == name]
        assert sorted(reached((x, y - half))) == sorted(needed_by)


def test_rules_stand_below_the_rules_they_need():
    [axes] = rule_graph.plot(DOT).axes
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    for start, end in EDGES:
        assert heights[LABELS[start]] > heights[LABELS[end]]


def test_boxes_of_rules_hold_their_labels_and_do_not_overlap():
    figure = rule_graph.plot(DOT)
    figure.draw_without_rendering()
    [axes] = figure.axes
    boxes = [
        patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)
    ]
    labels = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(LABELS)
    for box, label in zip(boxes, labels, strict=True):
        assert box.x0 < label.x0
        assert label.x1 < box.x1
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_edges_pass_beside_the_boxes_of_other_rules():
    figure = rule_graph.plot(DOT)
    [axes] = figure.axes
    boxes = [p for p in axes.patches if isinstance(p, FancyBboxPatch)]
    edges = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    assert len(edges) > len(EDGES)  # long ones are drawn in parts
    for edge in edges:
        points = np.concatenate(edge.get_path().interpolated(1).to_polygons(closed_only=False))
        for box in boxes:
            x, y, width, height = box.get_x(), box.get_y(), box.get_width(), box.get_height()
            inside = (
                (points[:, 0] > x + 0.02)
                & (points[:, 0] < x + width - 0.02)
                & (points[:, 1] > y + 0.02)
                & (points[:, 1] < y + height - 0.02)
            )
            assert not inside.any()


def test_a_text_without_rules_is_refused():
    with pytest.raises(InputError, match="no rules found"):
        rule_graph.plot("digraph { }")


def test_equal_graphs_give_equal_svg():
    assert save_svg(rule_graph.plot(DOT)) == save_svg(rule_graph.plot(DOT))
