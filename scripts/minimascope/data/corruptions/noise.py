"""Noise added to each value: images [n, channels, side, side] in [0, 1] in and out, not clipped."""

import numpy as np
from numpy.random import Generator

from .layers import Images
from .severities import Strength


def gaussian_noise(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return x + N(0, σ); strength (σ,)."""
    (sigma,) = strength
    return images + rng.normal(scale=sigma, size=images.shape)


def shot_noise(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return Poisson(x·c)/c; strength (c,), the photons that a white value stands for."""
    (photons,) = strength
    return rng.poisson(images * photons) / photons


def impulse_noise(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return salt and pepper: each value becomes 0 or 1 with equal odds; strength (amount,)."""
    (amount,) = strength
    draws = rng.random(images.shape)
    return np.select([draws < amount / 2, draws < amount], [0.0, 1.0], images)


def speckle_noise(images: Images, strength: Strength, reference: int, rng: Generator) -> Images:
    """Return x + x·N(0, σ); strength (σ,)."""
    (sigma,) = strength
    return images + images * rng.normal(scale=sigma, size=images.shape)
