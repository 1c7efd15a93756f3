"""Anyone's pictures: ``train/<class>/*`` and ``test/<class>/*`` below one folder."""

from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import pil_to_tensor

from ..errors import InputError
from .prepared import Dataset, Split


def load(data_dir: Path, path: str, image_size: int | None = None) -> Dataset:
    """Read an image folder as RGB.

    Args:
        data_dir: what a relative ``path`` is relative to.
        path: the folder that holds ``train`` and ``test``.
        image_size: side in pixels to which every picture is resized (bicubic); None keeps the
            pictures as they are, which must then be square and of one size.

    Raises:
        InputError: a folder is missing, a class is in one split only, a file is no picture, or
            sizes differ where no ``image_size`` is given.
    """
    root = Path(data_dir, path)
    listings = {}
    for name in ("train", "test"):
        try:
            listings[name] = ImageFolder(root / name)
        except FileNotFoundError as error:
            raise InputError(
                f"{root / name}: no folder with one folder of pictures per class; set 'path' to"
                " the folder that holds train/<class>/ and test/<class>/"
            ) from error
    classes = listings["train"].classes
    if unmatched := set(classes) ^ set(listings["test"].classes):
        raise InputError(f"{root}: class {min(unmatched)!r} is in only one of train and test")
    splits = [_read_split(listing.samples, image_size) for listing in listings.values()]
    return Dataset(*splits, tuple(classes))


def _read_split(samples: list[tuple[str, int]], image_size: int | None) -> Split:
    first = _read_image(samples[0][0], image_size)
    images = torch.empty(len(samples), *first.shape, dtype=torch.uint8)
    for row, (path, _) in enumerate(samples):
        image = _read_image(path, image_size)
        if image.shape != first.shape or image.shape[1] != image.shape[2]:
            raise InputError(
                f"{path}: {image.shape[2]}×{image.shape[1]} pixels where {first.shape[2]}×"
                f"{first.shape[2]} were expected; set 'image_size' to resize every picture"
            )
        images[row] = image
    return Split(images, torch.tensor([label for _, label in samples]))


def _read_image(path: str, image_size: int | None) -> torch.Tensor:
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(
            f"{path}: not a readable picture ({error}); replace or remove it"
        ) from error
    if image_size is not None:
        image = image.resize((image_size, image_size), Image.Resampling.BICUBIC)
    return pil_to_tensor(image)
