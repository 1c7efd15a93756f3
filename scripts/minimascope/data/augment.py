"""Augmentation of whole batches where they lie, from a generator of its own."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from ..devices import laid_out
from ..errors import InputError
from ..registry import find

ATTEMPTS = 10
SMALLEST_RATIO, LARGEST_RATIO = 3 / 4, 4 / 3  # width to height of a resized crop
# Images resized at a time: their floating-point copies take several times the memory of bytes.
CHUNK = 256


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for each input.

    Attributes:
        crop_padding: pixels added on each side before a crop of the original size is cut at a
            random place; 0 for no crop.
        crop_fill: value of the added pixels (0 … 255).
        horizontal_flip: probability of a mirror image.
        resized_crop: smallest share of the image's area that a crop may have; its largest is 1,
            its aspect ratio between 3/4 and 4/3, resized to the image's own size; None for none.
        band_masks: number of spans of mel bands that are blanked (`mask`).
        band_mask_size: largest of their lengths, in bands.
        time_masks: number of spans of frames that are blanked.
        time_mask_size: largest of their lengths, in frames.
        own: augmentations of the user's own file, by name, each with its options.
    """

    crop_padding: int = 0
    crop_fill: int = 0
    horizontal_flip: float = 0.0
    resized_crop: float | None = None
    band_masks: int = 0
    band_mask_size: int = 8
    time_masks: int = 0
    time_mask_size: int = 64
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | None) -> "Augmentation | None":
        """Return the augmentation of a resolved section ``augment``; None for None."""
        if config is None:
            return None
        # In the order of their names, which is all that settings keep.
        own = {name: config[name] for name in sorted(config) if ":" in name}
        rest = {name: value for name, value in config.items() if name not in own}
        wanted = {name: options for name, options in own.items() if options is not None}
        return cls(**rest, own=wanted)

    def __post_init__(self) -> None:
        if self.resized_crop is None:
            return
        if self.crop_padding:
            raise InputError("crop_padding and resized_crop exclude each other; set one")
        if not 0 < self.resized_crop <= 1:
            raise InputError(
                f"resized_crop: {self.resized_crop} is not in (0, 1]; use a share of the image's"
                " area, for example 0.08"
            )


def augment(
    images: torch.Tensor, augmentation: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return an augmented batch.

    The same distribution as torchvision's ``RandomCrop(size, padding, fill)`` or
    ``RandomResizedCrop(size, (resized_crop, 1))``, followed by ``RandomHorizontalFlip`` and by
    masks over bands and frames, each input drawn independently. The user's own come last.

    Args:
        images: [n, channels, height, width] of any dtype; floating for masks.
        augmentation: what to draw.
        generator: on the device of the images.
    """
    images = _moved(images, augmentation, generator)
    bands = augmentation.band_masks, augmentation.band_mask_size
    frames = augmentation.time_masks, augmentation.time_mask_size
    for dimension, (count, largest) in ((2, bands), (3, frames)):
        if count:
            images = mask(images, dimension, count, largest, generator)
    for name, options in augmentation.own.items():
        images = _own(name, images, options, generator)
    return images


def _own(
    name: str, inputs: torch.Tensor, options: Mapping[str, Any], generator: torch.Generator
) -> torch.Tensor:
    """Return a batch that a function of the user's own file augmented."""
    component = find("augmentations", name)
    found = component.call({"inputs": inputs, "generator": generator}, **options)
    component.checked(found, torch.Tensor, "a tensor")
    if (found.shape, found.dtype) != (inputs.shape, inputs.dtype):
        raise InputError(
            f"{component.location} made {found.dtype} {tuple(found.shape)} of {inputs.dtype}"
            f" {tuple(inputs.shape)}; let it return inputs of the same shape and type"
        )
    return found


def _moved(
    images: torch.Tensor, augmentation: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return a batch cropped and mirrored."""
    n, _, height, width = images.shape
    if augmentation.resized_crop is not None:
        boxes = draw_boxes(n, height, width, augmentation.resized_crop, generator)
        return resize_crops(images, boxes, _draw_flips(n, augmentation, generator))
    padding = augmentation.crop_padding
    if not (padding or augmentation.horizontal_flip):
        return images
    offsets = torch.randint(
        0, 2 * padding + 1, (2, n), generator=generator, device=generator.device
    )
    flips = _draw_flips(n, augmentation, generator)
    return _crop(images, offsets, flips, padding, augmentation.crop_fill)


def draw_boxes(
    n: int, height: int, width: int, smallest: float, generator: torch.Generator
) -> torch.Tensor:
    """Return n random boxes (top, left, height, width) in images, int64 [4, n].

    The distribution of torchvision's ``RandomResizedCrop.get_params``: the area uniform between
    ``smallest`` and 1 of the image's, the ratio of width to height log-uniform between 3/4 and
    4/3, both sides rounded; of ten such boxes the first that fits, at a uniform place; if none
    fits, the largest box in the image's centre with a ratio between 3/4 and 4/3.
    """
    # With float64, rounding prefers no place to another and no draw times a count reaches it.
    draws = torch.rand(
        2 * ATTEMPTS + 2, n, generator=generator, device=generator.device, dtype=torch.float64
    )
    area = height * width * (smallest + (1 - smallest) * draws[:ATTEMPTS])
    low, high = math.log(SMALLEST_RATIO), math.log(LARGEST_RATIO)
    ratio = (low + (high - low) * draws[ATTEMPTS : 2 * ATTEMPTS]).exp()
    heights, widths = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()

    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    first = fits.int().argmax(0, keepdim=True)
    sizes = torch.cat([heights.gather(0, first), widths.gather(0, first)])
    room = torch.tensor([[height], [width]], device=sizes.device) - sizes
    drawn = torch.cat([(draws[2 * ATTEMPTS :] * (room + 1)).long(), sizes])
    central = torch.tensor(_central_box(height, width), device=sizes.device)
    return torch.where(fits.any(0), drawn, central[:, None])


def resize_crops(images: torch.Tensor, boxes: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Cut a box out of each image, resize it to the image's size and mirror it where told.

    Bilinear between the centres of pixels; beyond the outermost centres of a box their values
    stay, so that no pixel outside of the box counts. Bytes and other integers are rounded.

    Args:
        images: [n, channels, height, width] of any dtype.
        boxes: top, left, height and width of each box, [4, n], inside of the image.
        flips: whether to mirror, bool [n].
    """
    chunks = zip(images.split(CHUNK), boxes.split(CHUNK, 1), flips.split(CHUNK), strict=True)
    return torch.cat([_resize_crops(*chunk) for chunk in chunks])


def _resize_crops(images: torch.Tensor, boxes: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    top, left, box_height, box_width = boxes
    rows = _sources(top, box_height, images.shape[2])
    columns = [_mirror(values, flips) for values in _sources(left, box_width, images.shape[3])]
    resized = _interpolate_rows(_interpolate_rows(images, *rows).mT, *columns).mT
    if not images.is_floating_point():
        resized = resized.round()
    return resized.to(images.dtype)


def _sources(
    start: torch.Tensor, length: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what each of ``size`` pixels is interpolated from along one axis, each [n, size].

    Returns:
        The indices of the pixel before, of the pixel after, and the share of the latter.
    """
    last = length[:, None] - 1
    pixels = torch.arange(size, device=start.device, dtype=torch.float64)
    place = ((pixels + 0.5) * length[:, None] / size - 0.5).clamp(min=0).minimum(last)
    lower = place.long()
    upper = (lower + 1).minimum(last)
    return start[:, None] + lower, start[:, None] + upper, place - lower


def _interpolate_rows(
    images: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor, share: torch.Tensor
) -> torch.Tensor:
    """Return (1 - share) · images[lower] + share · images[upper], row by row, in floating point.

    float64 stays, everything else is computed in float32. Indices and shares are [n, height].
    """
    n, channels, height, width = images.shape
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    # Whole rows are copied, which is faster than to gather single pixels.
    all_rows = images.reshape(n * channels * height, width)
    first = torch.arange(n * channels, device=images.device).reshape(n, channels, 1) * height

    def take(rows: torch.Tensor) -> torch.Tensor:
        taken = all_rows.index_select(0, (first + rows[:, None]).flatten())
        return taken.reshape(images.shape).to(dtype)

    return take(lower).lerp_(take(upper), share.to(dtype)[:, None, :, None])


def _central_box(height: int, width: int) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the largest central box with a ratio that is allowed."""
    box_height, box_width = height, width
    if width / height < SMALLEST_RATIO:
        box_height = round(width / SMALLEST_RATIO)
    elif width / height > LARGEST_RATIO:
        box_width = round(height * LARGEST_RATIO)
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def _crop(
    images: torch.Tensor, offsets: torch.Tensor, flips: torch.Tensor, padding: int, fill: int
) -> torch.Tensor:
    """Cut crops of the images' size at offsets [2, n] out of the padded images; mirror some."""
    n, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, (padding,) * 4, value=fill)
    rows = offsets[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(n, width)
    columns = offsets[1, :, None] + _mirror(columns, flips)
    images_index = torch.arange(n, device=device)[:, None, None]
    # Advanced indices around a slice put the indexed axes first: [n, height, width, channels].
    cropped = padded[images_index, :, rows[:, :, None], columns[:, None, :]]
    return laid_out(cropped.permute(0, 3, 1, 2))


def _draw_flips(n: int, augmentation: Augmentation, generator: torch.Generator) -> torch.Tensor:
    draws = torch.rand(n, generator=generator, device=generator.device)
    return draws < augmentation.horizontal_flip


def _mirror(columns: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Reverse the rows of [n, width] that ``told`` marks."""
    return torch.where(flips[:, None], columns.flip(1), columns)


def mask(
    features: torch.Tensor, dimension: int, count: int, largest: int, generator: torch.Generator
) -> torch.Tensor:
    """Return a batch of log-mels in which random spans are blanked, as in SpecAugment.

    For each mask of each input a length is drawn uniformly from 0 … ``largest`` and a place
    uniformly from where it fits (Park et al. 2019, arXiv:1904.08779, section 2). What is masked
    becomes the input's own mean, since the paper's zero is the mean of normalised features.

    Args:
        features: [n, channels, bands, frames], floating.
        dimension: 2 for bands, 3 for frames.
        count: masks per input; they may overlap.
        largest: of their lengths, at most the size of the dimension.
        generator: on the device of the features.
    """
    n, size = len(features), features.shape[dimension]
    device = features.device
    # With float64 no draw times a count reaches it.
    draws = torch.rand(2, n, count, generator=generator, device=device, dtype=torch.float64)
    length = (draws[0] * (min(largest, size) + 1)).long()
    start = (draws[1] * (size - length + 1)).long()
    places = torch.arange(size, device=device)
    inside = (places >= start[..., None]) & (places < (start + length)[..., None])
    shape = [n, 1, 1, 1]
    shape[dimension] = size
    mean = features.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(inside.any(1).reshape(shape), mean, features)
