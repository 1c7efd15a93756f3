"""Digits and letters drawn with a pen, as the 8×8 images of handwritten digits were made.

Those are counts of set pixels in the 4×4 blocks of a bitmap of 32×32. Here a character is a few
lines and arcs, written down once; each drawing of it is moved, turned, slanted and stretched at
random, with a pen of random width.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .characters import Stroke

BITMAP, BLOCK = 32, 4


def drawings(
    characters: Mapping[str, Sequence[Stroke]], labels: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return a drawing of the character of each label, [n, 8, 8], shares of set pixels, 0 to 1."""
    maps = _placements(len(labels), random)
    widths = random.uniform(1.5, 2.6, len(labels))
    bitmaps = np.zeros((len(labels), BITMAP, BITMAP))
    for label, strokes in enumerate(characters.values()):
        own = labels == label
        bitmaps[own] = _bitmaps(strokes, maps[own], widths[own])
    blocks = BITMAP // BLOCK
    return bitmaps.reshape(-1, blocks, BLOCK, blocks, BLOCK).mean(axis=(2, 4))


def _placements(count: int, random: np.random.Generator) -> np.ndarray:
    """Return random affine maps from the characters' box to the bitmap, [count, 2, 3]."""
    angle, slant = random.normal(0, [[0.1], [0.15]], (2, count))
    width, height = random.uniform(7, 11, count), random.uniform(8.5, 10, count)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.array([[width, -slant * height], [np.zeros(count), height]])
    centre = BITMAP / 2 + random.normal(0, 0.8, (count, 2, 1))
    return np.concatenate([np.einsum("ijn,jkn->nik", turn, stretch), centre], axis=2)


def _bitmaps(strokes: Sequence[Stroke], placements: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return which pixels lie within half the pen's width of a stroke, [m, 32, 32].

    Args:
        strokes: of one character.
        placements: of its m drawings, [m, 2, 3].
        widths: half the pen's width in pixels, [m].
    """
    centres = np.arange(BITMAP) + 0.5
    pixels = np.stack(np.meshgrid(centres, centres), axis=-1)
    nearest = np.full((len(placements), BITMAP, BITMAP), np.inf)
    for stroke in strokes:
        places = np.einsum("mij,pj->mpi", placements[:, :, :2], np.array(stroke))
        places += placements[:, None, :, 2]
        for start, end in pairwise(places.swapaxes(0, 1)[:, :, None, None]):
            along, there = end - start, pixels - start
            # Where on the line the nearest point lies; a line of no length is a point.
            share = (there * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
            apart = there - np.clip(share, 0, 1)[..., None] * along
            nearest = np.minimum(nearest, (apart**2).sum(-1))
    return nearest <= widths[:, None, None] ** 2
