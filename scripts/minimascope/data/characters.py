"""Digits and letters as the lines and arcs that a pen draws. No numpy is imported here."""

import math
from collections.abc import Mapping, Sequence

# Points of a stroke, which is a polyline through them.
Stroke = Sequence[tuple[float, float]]


def _arc(x: float, y: float, rx: float, ry: float, first: float, last: float) -> Stroke:
    """Return points of an ellipse between two angles in degrees, 0 to the right, 90 downwards."""
    angles = [math.radians(first + (last - first) * step / 12) for step in range(13)]
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


# In a box from (-1, -1.4), left above, to (1, 1.4).
DIGITS: Mapping[str, Sequence[Stroke]] = {
    "0": [_arc(0, 0, 0.9, 1.4, 0, 360)],
    "1": [[(-0.5, -0.8), (0.1, -1.4), (0.1, 1.4)]],
    "2": [[*_arc(0, -0.6, 0.8, 0.8, 190, 390), (-0.8, 1.4), (0.9, 1.4)]],
    "3": [[*_arc(-0.1, -0.7, 0.8, 0.7, 200, 450), *_arc(-0.1, 0.7, 0.9, 0.7, 270, 510)]],
    "4": [[(0.3, 1.4), (0.3, -1.4), (-0.9, 0.5), (0.9, 0.5)]],
    "5": [[(0.8, -1.4), (-0.6, -1.4), (-0.7, -0.1), *_arc(-0.1, 0.5, 0.9, 0.9, 250, 500)]],
    "6": [[(0.6, -1.4), (-0.5, -0.3), *_arc(0, 0.6, 0.8, 0.8, 200, 560)]],
    "7": [[(-0.9, -1.4), (0.9, -1.4), (-0.2, 1.4)]],
    "8": [_arc(0, -0.7, 0.7, 0.7, 90, 450), _arc(0, 0.7, 0.8, 0.7, 270, 630)],
    "9": [[*_arc(0, -0.6, 0.8, 0.8, 0, 360), (0.7, 0.2), (0.3, 1.4)]],
}
# Without those that look like a digit (B, G, I, O, Q, S, Z …).
LETTERS: Mapping[str, Sequence[Stroke]] = {
    "A": [[(-0.9, 1.4), (0, -1.4), (0.9, 1.4)], [(-0.6, 0.4), (0.6, 0.4)]],
    "C": [_arc(0.1, 0, 0.9, 1.4, 310, 50)],
    "E": [[(0.8, -1.4), (-0.8, -1.4), (-0.8, 1.4), (0.8, 1.4)], [(-0.8, 0), (0.6, 0)]],
    "F": [[(0.8, -1.4), (-0.8, -1.4), (-0.8, 1.4)], [(-0.8, 0), (0.6, 0)]],
    "H": [[(-0.9, -1.4), (-0.9, 1.4)], [(0.9, -1.4), (0.9, 1.4)], [(-0.9, 0), (0.9, 0)]],
    "K": [[(-0.8, -1.4), (-0.8, 1.4)], [(0.8, -1.4), (-0.8, 0.1), (0.9, 1.4)]],
    "L": [[(-0.7, -1.4), (-0.7, 1.4), (0.8, 1.4)]],
    "N": [[(-0.9, 1.4), (-0.9, -1.4), (0.9, 1.4), (0.9, -1.4)]],
    "T": [[(-0.9, -1.4), (0.9, -1.4)], [(0, -1.4), (0, 1.4)]],
    "U": [[(-0.9, -1.4), *_arc(0, 0.5, 0.9, 0.9, 180, 0), (0.9, -1.4)]],
    "X": [[(-0.9, -1.4), (0.9, 1.4)], [(0.9, -1.4), (-0.9, 1.4)]],
    "Y": [[(-0.9, -1.4), (0, 0), (0.9, -1.4)], [(0, 0), (0, 1.4)]],
}
