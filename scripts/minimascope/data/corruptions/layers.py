"""Random layers shared by the corruptions: fractal clouds, zooms and their size on the image."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator

Images = np.ndarray  # [n, channels, side, side] in [0, 1]


def plasma(count: int, side: int, decay: float, rng: Generator) -> np.ndarray:
    """Return `count` fractal clouds [count, side, side], each spread over [0, 1].

    Diamond–square midpoint displacement on a torus (Fournier, Fussell & Carpenter 1982). The
    displacement is uniform and falls by decay² from one level to the next, as in the published
    sets. `side` is a power of two.
    """
    height = rng.uniform(-1, 1, (count, side, side))  # each point is displaced exactly once
    height[:, 0, 0] = 0
    step, amplitude = side, 1.0
    while step > 1:
        half = step // 2
        corners = height[:, ::step, ::step]
        centres = height[:, half::step, half::step]
        upper = corners + np.roll(corners, -1, axis=2)
        left = corners + np.roll(corners, -1, axis=1)
        centres[:] = amplitude * centres + (upper + np.roll(upper, -1, axis=1)) / 4

        rows = height[:, ::step, half::step]
        rows[:] = amplitude * rows + (upper + centres + np.roll(centres, 1, axis=1)) / 4
        columns = height[:, half::step, ::step]
        columns[:] = amplitude * columns + (left + centres + np.roll(centres, 1, axis=2)) / 4
        step, amplitude = half, amplitude / decay**2
    height -= height.min(axis=(1, 2), keepdims=True)
    return height / height.max(axis=(1, 2), keepdims=True)


def resize(layers: np.ndarray, side: int) -> np.ndarray:
    """Return layers [n, channels, h, w] at side × side (bilinear, averaging where it shrinks)."""
    resized = F.interpolate(
        torch.from_numpy(layers), size=(side, side), mode="bilinear", antialias=True
    )
    return resized.numpy()


def zoom_matrix(side: int, reference: int, factor: float) -> np.ndarray:
    """Return Z [side, side]; Z @ x @ Z.T is x enlarged by factor >= 1, as in the published sets.

    On images of `reference` pixels a side these crop the middle ⌈reference/factor⌉ pixels,
    enlarge them to the nearest whole number of pixels, with corners on corners (linear), and crop
    the middle again. Both crops are of whole pixels, which moves the image by up to a pixel;
    images of another side are moved by as large a part of it.
    """
    crop = math.ceil(reference / factor)
    enlarged = round(crop * factor)
    top, trim = (reference - crop) // 2, (enlarged - reference) // 2
    pixels, scale = np.arange(side), side / reference
    places = (pixels + 0.5) / scale - 0.5
    sources = top + (trim + places) * (crop - 1) / (enlarged - 1)
    sources = np.clip((sources + 0.5) * scale - 0.5, 0, side - 1)
    return np.clip(1 - np.abs(sources[:, None] - pixels), 0, None)
