"""Letters drawn with the strokes of digits: of no class that networks of digits know."""

from pathlib import Path

import torch

from .characters import LETTERS
from .digit_styles import drawn_images, in_bytes
from .prepared import Dataset, Split


def load(
    data_dir: Path | None, *, train_letters: int, test_letters: int, seed: int, image_size: int
) -> Dataset:
    """Return images of twelve letters, uint8 [n, 1, size, size], as many of each as possible.

    Args:
        data_dir: not needed.
        train_letters: number of training images.
        test_letters: number of test images.
        seed: of the drawings.
        image_size: side in pixels; the letters are drawn 8×8 and resized (bicubic).
    """
    splits = []
    for name, count in (("train", train_letters), ("test", test_letters)):
        labels = torch.arange(count) % len(LETTERS)
        images = drawn_images(LETTERS, labels, seed, f"letters/{name}")
        splits.append(Split(in_bytes(images, image_size), labels))
    return Dataset(*splits, tuple(LETTERS))
