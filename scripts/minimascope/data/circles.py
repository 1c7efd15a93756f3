"""Two noisy concentric circles (scikit-learn's `make_circles`), points instead of pictures."""

from pathlib import Path

import torch
from sklearn.datasets import make_circles

from ..errors import InputError
from ..streams import derive_seed
from .class_names import CIRCLES
from .prepared import Dataset, Split

# scikit-learn takes seeds of 32 bits.
SEEDS = 2**32


def load(
    data_dir: Path | None,
    *,
    factor: float,
    noise: float,
    train_points: int,
    test_points: int,
    seed: int,
) -> Dataset:
    """Return points of two circles around the origin, of radius 1 and ``factor``.

    Inputs are float32 [n, 2, 1, 1], the coordinates being channels. Half of the points lie on
    each circle, in random order; training and test points are drawn apart.

    Args:
        data_dir: not needed.
        factor: radius of the inner circle, in (0, 1).
        noise: standard deviation of Gaussian noise in both coordinates.
        train_points: number of training points.
        test_points: number of test points.
        seed: of the draws.

    Raises:
        InputError: a factor out of range.
    """
    if not 0 < factor < 1:
        raise InputError(f"factor: {factor} is not between 0 and 1, the outer radius; use 0.5")
    splits = []
    for split, points in (("train", train_points), ("test", test_points)):
        state = derive_seed(seed, "circles", split) % SEEDS
        drawn, labels = make_circles(points, noise=noise, factor=factor, random_state=state)
        inputs = torch.from_numpy(drawn).float()[:, :, None, None]
        splits.append(Split(inputs, torch.from_numpy(labels).long()))
    return Dataset(*splits, CIRCLES)
