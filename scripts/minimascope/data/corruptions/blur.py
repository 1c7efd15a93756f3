"""Blurs: images [n, channels, side, side] in [0, 1] in and out.

Lengths are given for images of `reference` pixels a side and scaled to the images' own.
"""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from .layers import Images, zoom_matrix
from .severities import Strength


def gaussian_filter(images: np.ndarray, sigma: float) -> np.ndarray:
    """Return images smoothed along height and width (σ in pixels; the edge is repeated)."""
    return ndimage.gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")


def gaussian_blur(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images smoothed by a Gaussian; strength (σ,)."""
    (sigma,) = strength
    return gaussian_filter(images, sigma * images.shape[-1] / reference)


def glass_blur(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images smoothed, their pixels replaced by near ones, and smoothed again.

    strength (σ, δ, rounds). In a round, pixels are visited from the last to the first; each takes
    the present value of the one offset by −δ … δ − 1 rows and columns. The border of δ + 1 rows
    and columns above and left, and of δ − 1 below and right, is not visited. That is what the
    published sets' generator does, which was to exchange the two pixels.
    Where δ is scaled below one pixel, it is the chance of a replacement over one pixel.
    """
    sigma, reach, rounds = strength
    scale = images.shape[-1] / reference
    images = gaussian_filter(images, sigma * scale)
    images = _replaced_by_neighbours(images, reach * scale, int(rounds), rng)
    return gaussian_filter(images, sigma * scale)


def _replaced_by_neighbours(
    images: np.ndarray, reach: float, rounds: int, rng: Generator
) -> np.ndarray:
    n, channels, side, _ = images.shape
    sources = np.repeat(np.arange(side * side)[:, None], n, axis=1)  # one pixel of all images a row
    image, whole = np.arange(n), max(1, round(reach))
    inner = range(side - whole, whole, -1)
    for round_rng in rng.spawn(rounds):
        neighbours = _neighbours(n, side, reach, round_rng)
        for pixel in (row * side + column for row in inner for column in inner):
            sources[pixel] = sources[neighbours[pixel], image]
    flat = images.reshape(n, channels, -1)
    return np.take_along_axis(flat, sources.T[:, None], axis=2).reshape(images.shape)


def _neighbours(n: int, side: int, reach: float, rng: Generator) -> np.ndarray:
    """Return the pixel [side², n] whose value each visited pixel of each image takes."""
    offsets_rng, chance_rng = rng.spawn(2)
    whole = max(1, round(reach))
    offsets = offsets_rng.integers(-whole, whole, (n, 2, side, side))
    offsets *= chance_rng.random((n, 1, side, side)) < reach
    rows = offsets[:, 0] + np.arange(side)[:, None]
    columns = offsets[:, 1] + np.arange(side)
    return np.ascontiguousarray((rows * side + columns).reshape(n, -1).T)


def defocus_blur(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images convolved with a disc; strength (radius, σ).

    The disc's pixels are those whose centre lies within the radius; a Gaussian of σ, cut off
    at one pixel (of the reference), softens its rim.
    """
    scale = images.shape[-1] / reference
    radius, sigma = (length * scale for length in strength)
    rim = max(1, round(scale))
    half = int(radius) + rim
    x = np.arange(-half, half + 1)
    disc = (x[:, None] ** 2 + x**2 <= radius**2).astype(float)
    kernel = ndimage.gaussian_filter(disc / disc.sum(), sigma, radius=rim, mode="constant")
    return ndimage.convolve(images, kernel[None, None], mode="mirror")


def motion_blur(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images blurred along a line; strength (radius, σ), angle U(−45°, 45°) an image."""
    scale = images.shape[-1] / reference
    radius, sigma = (length * scale for length in strength)
    return line_blur(images, radius, sigma, rng.uniform(-45, 45, len(images)))


def line_blur(images: np.ndarray, radius: float, sigma: float, degrees: np.ndarray) -> np.ndarray:
    """Return Σᵢ kᵢ·x(p + i·(cos, sin)), kᵢ ∝ exp(−i²/2σ²), i = 0 … 2⌈radius⌉.

    The one-sided kernel of ImageMagick's motion blur: offsets are rounded to whole pixels and
    the edge is repeated.

    Args:
        images: [n, channels, side, side].
        radius: half the kernel's length in pixels.
        sigma: in pixels.
        degrees: [n] directions; 0 reads to the right, 90 reads downwards.
    """
    n, channels, side, _ = images.shape
    steps = np.arange(2 * np.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    angles = np.radians(degrees)
    pixels = np.arange(side)
    flat = images.reshape(n, channels, -1)
    blurred = np.zeros_like(flat)
    for step, weight in zip(steps, weights, strict=True):
        rows = np.rint(step * np.sin(angles)).astype(int)[:, None] + pixels
        columns = np.rint(step * np.cos(angles)).astype(int)[:, None] + pixels
        rows, columns = (np.clip(index, 0, side - 1) for index in (rows, columns))
        index = (rows[:, :, None] * side + columns[:, None, :]).reshape(n, 1, -1)
        blurred += weight * np.take_along_axis(flat, index, axis=2)
    return blurred.reshape(images.shape)


def zoom_blur(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return the mean of the image and of its enlargements by 1, 1.01, … z; strength (z,)."""
    (limit,) = strength
    # As in the published sets: z itself is left out, save where rounding lets it in (1.06, 1.11).
    zooms = np.arange(1, limit, 0.01)
    blurred = images.copy()
    for zoom in zooms:
        matrix = zoom_matrix(images.shape[-1], reference, zoom)
        blurred += matrix @ images @ matrix.T
    return blurred / (len(zooms) + 1)
