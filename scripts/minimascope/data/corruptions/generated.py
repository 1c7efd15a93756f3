"""Corrupted copies made here, of image sets of any size, as the published ones were made."""

from collections.abc import Callable

import numpy as np
import torch

from ...errors import InputError, nearest
from ...jobs.progress import progress
from ...streams import derive_seed
from ..prepared import Dataset
from . import blur, digital, noise, weather
from .copies import CorruptedCopies, CorruptionRequest
from .severities import SEVERITIES, STRENGTHS

# All take images [n, channels, side, side] in [0, 1], the strength of one severity, the side in
# pixels that its lengths refer to and a generator; what they return is clipped and rounded here.
FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    name: function
    for module in (noise, blur, weather, digital)
    for name, function in vars(module).items()
    if name in STRENGTHS
}
_SMALLEST_SIDE = 8
_CHUNK_VALUES = 2**22  # bounds memory: 32 MB for each intermediate array


def generate(request: CorruptionRequest, dataset: Dataset) -> CorruptedCopies:
    """Corrupt images of a data set's test split with generators of our own.

    Raises:
        InputError: the inputs are not images, or there are too few.
    """
    split, name = dataset.test, request.corruption
    if split.inputs.dtype != torch.uint8:
        raise InputError("evaluation.corruptions: these inputs are not images; set it to null")
    rows = request.rows(len(split))
    images = split.inputs[rows]
    seed = derive_seed(request.stream, "corruption")
    severities = progress(request.severities, name, "severity")
    copies = torch.stack([corrupt(images, name, severity, seed) for severity in severities])
    labels, remark = split.labels[rows], note(name, *images.shape[1:3])
    return CorruptedCopies(name, request.severities, copies, labels, "generated", rows, remark)


def corrupt(images: torch.Tensor, name: str, severity: int, seed: int) -> torch.Tensor:
    """Return a corrupted copy of the images.

    The strengths are those of the published sets: the constants of Tiny-ImageNet-C for images of
    64 px and those of CIFAR-10-C for every other side, whose lengths in pixels then scale with
    side/32 (224 px: seven times the lengths at 32 px). Below 32 px some blurs become too short
    to show. Values are rounded to the nearest level, where the published sets truncate.

    The same images, name, severity and seed give the same result, and the first k results do
    not depend on how many images follow.

    Args:
        images: uint8 [n, channels, side, side], channels 1 or 3, side at least 8 px.
        name: one of `severities.STRENGTHS`.
        severity: 1 to 5.
        seed: names the stream of draws, together with the name and severity.

    Returns:
        uint8 of the same shape, on the same device.

    Raises:
        InputError: for an unknown name or severity and images of another shape or type.
    """
    if name not in STRENGTHS:
        raise InputError(f"corruption '{name}' is not known; {nearest(name, STRENGTHS)}")
    if severity not in SEVERITIES:
        raise InputError(f"severity {severity!r}: use one of {', '.join(map(str, SEVERITIES))}")
    _check_images(images)
    _, channels, side, _ = images.shape
    reference = 64 if side == 64 else 32
    strength = STRENGTHS[name][reference][severity - 1]
    pixels = images.cpu().numpy()
    corrupted = np.empty_like(pixels)
    length = max(1, _CHUNK_VALUES // (channels * side**2))
    for chunk, start in enumerate(range(0, len(pixels), length)):
        part = slice(start, start + length)
        rng = np.random.default_rng(derive_seed(seed, name, severity, chunk))
        result = FUNCTIONS[name](pixels[part] / 255, strength, reference, rng)
        corrupted[part] = digital.to_bytes(result)
    return torch.from_numpy(corrupted).to(images.device)


def note(name: str, channels: int, side: int) -> str | None:
    """Return what a reader of the results must know about a corruption, if there is anything.

    Args:
        name: one of `severities.STRENGTHS`.
        channels: of the images.
        side: of the images in pixels.
    """
    if name == "frost":
        return "frost is a generated texture; the published sets use photographs of frost"
    if name == "spatter":
        return "at 32 px water (severities 1-3) is 1.24, 0.96 and 1.14 times as strong as published"
    if name == "saturate" and channels == 1:
        return "grey images have no saturation: saturate leaves them unchanged"
    if name in ("gaussian_blur", "defocus_blur", "motion_blur") and side < 32:
        return f"lengths scale with side/32: at {side} px {name} may leave images unchanged"
    return None


def _check_images(images: torch.Tensor) -> None:
    shape = tuple(images.shape)
    if images.dtype != torch.uint8 or len(shape) != 4 or shape[1] not in (1, 3):
        raise InputError(
            f"images to corrupt: {images.dtype} {list(shape)}; "
            "give uint8 [n, channels, side, side] with 1 or 3 channels"
        )
    if shape[2] != shape[3] or shape[2] < _SMALLEST_SIDE:
        raise InputError(
            f"images to corrupt: {shape[2]} x {shape[3]} px; "
            f"give square images of at least {_SMALLEST_SIDE} px"
        )
