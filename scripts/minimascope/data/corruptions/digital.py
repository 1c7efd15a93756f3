"""Colour, coding and geometry: images [n, channels, side, side] in [0, 1] in and out."""

from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from PIL import Image

from .blur import gaussian_filter
from .layers import Images, resize
from .severities import Strength


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Return images clipped to [0, 1] and rounded to the nearest of 256 levels."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def brightness(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images whose HSV value is raised by c, at most to 1; strength (c,).

    At the same hue and saturation, red, green and blue grow in proportion to the value.
    """
    (rise,) = strength
    value = images.max(axis=1, keepdims=True)
    raised = np.minimum(value + rise, 1)
    return np.where(value > 0, images * raised / np.where(value > 0, value, 1), raised)


def contrast(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return (x − mean)·c + mean with the mean of each image's channel; strength (c,)."""
    (factor,) = strength
    mean = images.mean(axis=(2, 3), keepdims=True)
    return (images - mean) * factor + mean


def saturate(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images whose HSV saturation s becomes s·a + b, clipped; strength (a, b).

    Pixels without colour in a colour image have the hue 0 (red), as is usual, and take b.
    Images of one channel come back unchanged.
    """
    if images.shape[1] == 1:
        return images
    factor, rise = strength
    value = images.max(axis=1, keepdims=True)
    chroma = value - images.min(axis=1, keepdims=True)
    saturation = chroma / np.where(value > 0, value, 1)
    red = np.array([0.0, 1.0, 1.0])[:, None, None]
    # How far each channel falls short of the value, as a part of the chroma: this is the hue.
    shortfall = np.where(chroma > 0, (value - images) / np.where(chroma > 0, chroma, 1), red)
    return value * (1 - np.clip(saturation * factor + rise, 0, 1) * shortfall)


def jpeg_compression(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images coded as JPEG and read again; strength (quality,), coder of Pillow."""
    (quality,) = strength
    pixels = to_bytes(images)
    # Pillow takes [side, side] for grey and [side, side, 3] for colour.
    planes = pixels[:, 0] if images.shape[1] == 1 else pixels.transpose(0, 2, 3, 1)
    decoded = np.stack([_through_jpeg(plane, int(quality)) for plane in planes])
    channels_first = decoded[:, None] if images.shape[1] == 1 else decoded.transpose(0, 3, 1, 2)
    return channels_first / 255


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def pixelate(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images box-resized to ⌊side·c⌋ pixels and back; strength (c,)."""
    (factor,) = strength
    side = images.shape[-1]
    small = int(side * factor)
    pixels = to_bytes(images)
    for size in (small, side):
        # Both axes in turn, as Pillow does for each image: all rows of all images at once.
        for _ in range(2):
            pixels = _resize_rows(pixels, size).swapaxes(2, 3)
    return pixels / 255


def _resize_rows(pixels: np.ndarray, size: int) -> np.ndarray:
    rows = Image.fromarray(pixels.reshape(-1, pixels.shape[-1]))
    resized = rows.resize((size, rows.height), Image.Resampling.BOX)
    return np.asarray(resized).reshape(*pixels.shape[:-1], size)


def elastic_transform(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return images after a random affine map and a smooth random displacement.

    strength (α, σ, c) in units of the side: three points, ⌊reference/3⌋ pixels from the middle one
    along the diagonals, move by U(−c, c) and define the affine map; the displacement is α times
    U(−1, 1) on the grid of the reference smoothed by σ. Each map is a bilinear sampling, as in the
    published sets, with the image mirrored at its edges.
    """
    alpha, sigma, corner = strength
    n, side = len(images), images.shape[-1]
    corners_rng, field_rng = rng.spawn(2)
    # Coordinates run from −1 to 1 between the centres of the outermost pixels.
    unit = 2 * side / (side - 1)
    points = reference // 2 + reference // 3 * np.array([[1, 1], [1, -1], [-1, -1]])
    points = ((points + 0.5) / reference - 0.5) * unit
    moved = points + corners_rng.uniform(-corner, corner, (n, 3, 2)) * unit
    affine = _affine_map(moved, points)

    field = field_rng.uniform(-1, 1, (n, 2, reference, reference))
    displacement = resize(gaussian_filter(field, sigma * reference), side) * alpha * unit
    axis = np.linspace(-1, 1, side)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    mapped = _sampled(images, grid @ affine[:, None, :2] + affine[:, None, 2:])
    return _sampled(mapped, grid + displacement.transpose(0, 2, 3, 1))


def _sampled(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the values of images at places [n, side, side, 2], by linear interpolation."""
    sampled = F.grid_sample(
        torch.from_numpy(images),
        torch.from_numpy(places),
        padding_mode="reflection",
        align_corners=True,
    )
    return sampled.numpy()


def _affine_map(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return A [n, 3, 2] with [x, y, 1] @ A = target for three points [n, 3, 2] each."""
    ones = np.ones((*sources.shape[:-1], 1))
    homogeneous = np.concatenate([sources, ones], axis=-1)
    return np.linalg.solve(homogeneous, np.broadcast_to(targets, sources.shape))
