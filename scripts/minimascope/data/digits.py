"""Handwritten digits: 1,797 real 8×8 images that come with scikit-learn (E. Alpaydin 1998)."""

from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ..errors import InputError
from .prepared import Dataset, Split

# Counts of set pixels in 4×4 blocks, 0 … 16.
LARGEST_VALUE = 16
IMAGE_SIZE = 8


def load(data_dir: Path, *, train_size: int, split_seed: int, image_size: int) -> Dataset:
    """Return the digits, split with the same share of each class in train and test.

    The rest of the 1,797 images is the test split. ``data_dir`` is not needed: the images are
    part of the package. Another ``image_size`` than 8 resizes them (bicubic), for networks that
    need larger inputs.
    """
    digits = load_digits()
    n, classes = len(digits.target), len(digits.target_names)
    if not classes <= train_size <= n - classes:
        raise InputError(
            f"train_size: {train_size} of the {n} digits leaves a split without some class;"
            f" choose between {classes} and {n - classes}"
        )
    train, test = train_test_split(
        range(n), train_size=train_size, stratify=digits.target, random_state=split_seed
    )
    images = torch.from_numpy(digits.images * (255 / LARGEST_VALUE))[:, None]
    if image_size != IMAGE_SIZE:
        images = F.interpolate(images, (image_size, image_size), mode="bicubic").clamp(0, 255)
    images = images.round().to(torch.uint8)
    labels = torch.from_numpy(digits.target).long()
    splits = [Split(images[rows], labels[rows]) for rows in (train, test)]
    return Dataset(*splits, tuple(map(str, digits.target_names)))
