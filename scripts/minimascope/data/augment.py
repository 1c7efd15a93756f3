"""Augmentation of whole batches where they lie, from a generator of its own."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for each image.

    Attributes:
        crop_padding: pixels added on each side before a crop of the original size is cut at a
            random place; 0 for no crop.
        crop_fill: value of the added pixels (0 … 255).
        horizontal_flip: probability of a mirror image.
    """

    crop_padding: int = 0
    crop_fill: int = 0
    horizontal_flip: float = 0.0


def augment(
    images: torch.Tensor, augmentation: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return an augmented copy of a batch.

    The same distribution as torchvision's ``RandomCrop(size, padding, fill)`` followed by
    ``RandomHorizontalFlip``, each image drawn independently.

    Args:
        images: [n, channels, height, width] of any dtype.
        augmentation: what to draw.
        generator: on the device of the images.
    """
    n, _, height, width = images.shape
    device = images.device
    padding = augmentation.crop_padding
    offsets = torch.randint(0, 2 * padding + 1, (2, n), generator=generator, device=device)
    flip = torch.rand(n, generator=generator, device=device) < augmentation.horizontal_flip

    padded = F.pad(images, (padding,) * 4, value=augmentation.crop_fill)
    rows = offsets[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(n, width)
    columns = offsets[1, :, None] + torch.where(flip[:, None], columns.flip(1), columns)
    images_index = torch.arange(n, device=device)[:, None, None]
    # Advanced indices around a slice put the indexed axes first: [n, height, width, channels].
    cropped = padded[images_index, :, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2).contiguous()
