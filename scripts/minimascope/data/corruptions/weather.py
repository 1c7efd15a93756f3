"""Weather: images [n, channels, side, side] in [0, 1] in and out, not clipped.

Layers of fog, frost, snow and drops are drawn on the grid of the reference (32 or 64 px) and
brought to the images' side, so that they cover the same part of images of every size.
"""

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from .blur import gaussian_filter, line_blur
from .layers import Images, plasma, resize, zoom_matrix
from .severities import Strength

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_WATER = np.array([175, 238, 238]) / 255  # pale turquoise
_MUD = np.array([63, 42, 20]) / 255
_FROST = np.array([217, 236, 255]) / 255


def _tint(colour: np.ndarray, channels: int) -> np.ndarray:
    """Return the colour, or its grey for images of one channel, as [channels, 1, 1]."""
    return (colour if channels == 3 else np.array([colour @ _LUMA]))[:, None, None]


def fog(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return (x + a·plasma)·max/(max + a), max over the image; strength (a, decay)."""
    amount, decay = strength
    clouds = plasma(len(images), reference, decay, rng)[:, None]
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    layer = resize(clouds, images.shape[-1])
    return (images + amount * layer) * brightest / (brightest + amount)


def frost(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return a·x + b·texture; strength (a, b).

    The published sets cut the texture from six photographs of frost. This one is generated:
    bluish-white veins along the middle height of one plasma, on the haze of another.
    """
    keep, amount = strength
    n, channels, side, _ = images.shape
    veins_rng, haze_rng = rng.spawn(2)
    veins = (1 - np.abs(2 * plasma(n, reference, 1.7, veins_rng) - 1)) ** 4
    haze = plasma(n, reference, 2, haze_rng)
    texture = np.minimum(veins + haze / 2, 1)[:, None]
    return keep * images + amount * resize(texture, side) * _tint(_FROST, channels)


def snow(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images with a brightened grey mixed in and streaks of snow added.

    strength (m, s, z, t, radius, σ, k): flakes are N(m, s) enlarged by z, those below t are
    left out, the rest is blurred along a line at U(−135°, −45°). The image becomes
    k·x + (1 − k)·max(x, 1.5·grey + 0.5), to which the layer and its half turn are added.
    """
    mean, deviation, zoom, threshold, radius, sigma, keep = strength
    n, channels, side, _ = images.shape
    flakes_rng, angles_rng = rng.spawn(2)
    flakes = flakes_rng.normal(mean, deviation, (n, 1, reference, reference))
    matrix = zoom_matrix(reference, reference, zoom)
    flakes = matrix @ flakes @ matrix.T
    flakes = np.where(flakes < threshold, 0, np.minimum(flakes, 1))
    streaks = line_blur(flakes, radius, sigma, angles_rng.uniform(-135, -45, n))
    layer = resize(streaks + streaks[:, :, ::-1, ::-1], side)

    weights = _LUMA if channels == 3 else np.ones(1)
    grey = np.einsum("c,nchw->nhw", weights, images)[:, None]
    return keep * images + (1 - keep) * np.maximum(images, 1.5 * grey + 0.5) + layer


def spatter(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images behind drops of water or mud.

    strength (m, s, σ, t, a, liquid): drops are where N(m, s) smoothed by σ exceeds t. Water
    (liquid 0) adds pale turquoise that grows with the distance to the drop's edge, to a in the
    middle of the largest drop. Mud (liquid 1) covers what lies under the drops, smoothed by a,
    where they keep 0.8 of their weight.
    """
    mean, deviation, sigma, threshold, amount, liquid = strength
    n, channels, side, _ = images.shape
    field = rng.normal(mean, deviation, (n, 1, reference, reference))
    smooth = gaussian_filter(field, sigma)
    drops = np.where(smooth < threshold, 0, smooth)
    if liquid:
        cover = gaussian_filter((drops > 0).astype(float), amount)
        cover = resize(np.where(cover < 0.8, 0, cover), side)
        return images * (1 - cover) + cover * _tint(_MUD, channels)
    # The power 1.5 changes CIFAR-10 images by as much, on average, as the published water.
    shade = drops * gaussian_filter(_depth(drops > 0), 1) ** 1.5
    shade *= amount / np.maximum(shade.max(axis=(2, 3), keepdims=True), 1e-12)
    return images + resize(shade, side) * _tint(_WATER, channels)


def _depth(drops: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the edge of its drop, 0 outside; drops [n, 1, h, w]."""
    side = drops.shape[-1]
    # No distance across images: an axis so long that the nearest pixel outside is in the same.
    depth = ndimage.distance_transform_edt(drops[:, 0], sampling=(2 * side, 1, 1))
    return np.minimum(depth, side)[:, None]
