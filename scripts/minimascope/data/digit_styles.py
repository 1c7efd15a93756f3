"""The handwritten digits in other styles: as another pen, hand, ink or machine might have them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from ..streams import derive_seed
from . import digits
from .characters import DIGITS, Stroke
from .prepared import Dataset, Split
from .strokes import drawings

WHITE = 255
# Rows move sideways by this share of their distance from the middle.
SLANT = 0.45
Style = Literal["thick", "slanted", "inverted", "drawn"]


def load(
    data_dir: Path, *, style: Style, train_size: int, split_seed: int, image_size: int
) -> Dataset:
    """Return the data set that `digits.load` returns, its images in another style.

    ``thick`` gives each pixel the mean of itself and the brightest of its 3×3 neighbours;
    ``slanted`` shears images to the right above and to the left below (bilinear); ``inverted``
    swaps black and white; ``drawn`` has no handwriting at all: a digit of the same class, drawn
    with strokes at random (`strokes`). With the same ``train_size`` and ``split_seed`` the test
    split has the test images of `digits.load`, none of which was trained on.
    """
    whole = digits.load(
        data_dir, train_size=train_size, split_seed=split_seed, image_size=digits.IMAGE_SIZE
    )
    splits = {}
    for name in ("train", "test"):
        split = getattr(whole, name)
        if style == "drawn":
            images = drawn_images(DIGITS, split.labels, split_seed, f"digits/{name}")
        else:
            images = STYLES[style](split.inputs.float())
        splits[name] = Split(in_bytes(images, image_size), split.labels)
    return replace(whole, **splits)


def _thick(images: torch.Tensor) -> torch.Tensor:
    return (images + F.max_pool2d(images, 3, stride=1, padding=1)) / 2


def _slanted(images: torch.Tensor) -> torch.Tensor:
    shear = torch.tensor([[1.0, SLANT, 0.0], [0.0, 1.0, 0.0]]).expand(len(images), 2, 3)
    grid = F.affine_grid(shear, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


STYLES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "thick": _thick,
    "slanted": _slanted,
    "inverted": lambda images: WHITE - images,
}


def drawn_images(
    characters: Mapping[str, Sequence[Stroke]], labels: torch.Tensor, seed: int, stream: str
) -> torch.Tensor:
    """Return a drawing of the character of each label, float [n, 1, 8, 8] from 0 to 255."""
    random = np.random.default_rng(derive_seed(seed, "drawings", stream))
    shares = drawings(characters, labels.numpy(), random)
    return torch.from_numpy(WHITE * shares).float()[:, None]


def in_bytes(images: torch.Tensor, image_size: int) -> torch.Tensor:
    """Return images [n, 1, 8, 8] as uint8 of another size (bicubic), as `digits.load` has them."""
    if image_size != digits.IMAGE_SIZE:
        images = F.interpolate(images, (image_size, image_size), mode="bicubic")
    return images.clamp(0, WHITE).round().to(torch.uint8)
