"""The 19 common corruptions of Hendrycks & Dietterich (2019) for image sets of any size.

Published sets (CIFAR-10-C, CIFAR-100-C, Tiny-ImageNet-C) are read as they are; here the same
corruptions are generated for all others.
"""

from collections.abc import Callable
from difflib import get_close_matches

import numpy as np
import torch

from ...errors import InputError
from ...streams import derive_seed
from . import blur, digital, noise, weather
from .names import CORRUPTIONS, SEVERITIES
from .severities import STRENGTHS

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "note"]

# All take images [n, channels, side, side] in [0, 1], the strength of one severity, the side in
# pixels that its lengths refer to and a generator; what they return is clipped and rounded here.
_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    function.__name__: function
    for function in (
        noise.gaussian_noise,
        noise.shot_noise,
        noise.impulse_noise,
        noise.speckle_noise,
        blur.gaussian_blur,
        blur.glass_blur,
        blur.defocus_blur,
        blur.motion_blur,
        blur.zoom_blur,
        weather.fog,
        weather.frost,
        weather.snow,
        weather.spatter,
        digital.brightness,
        digital.contrast,
        digital.saturate,
        digital.jpeg_compression,
        digital.pixelate,
        digital.elastic_transform,
    )
}
_SMALLEST_SIDE = 8
_CHUNK_VALUES = 2**22  # bounds memory: 32 MB for each intermediate array


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
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: names the stream of draws, together with the name and severity.

    Returns:
        uint8 of the same shape, on the same device.

    Raises:
        InputError: for an unknown name or severity and images of another shape or type.
    """
    _check_name(name)
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
        result = _FUNCTIONS[name](pixels[part] / 255, strength, reference, rng)
        corrupted[part] = digital.to_bytes(result)
    return torch.from_numpy(corrupted).to(images.device)


def note(name: str, channels: int, side: int = 32) -> str | None:
    """Return what a reader of the results must know about a corruption, if there is anything.

    Args:
        name: one of `CORRUPTIONS`.
        channels: of the images.
        side: of the images in pixels.

    Raises:
        InputError: for an unknown name.
    """
    _check_name(name)
    if name == "frost":
        return "frost is a generated texture; the published sets use photographs of frost"
    if name == "saturate" and channels == 1:
        return "grey images have no saturation: saturate leaves them unchanged"
    if name in ("gaussian_blur", "defocus_blur", "motion_blur") and side < 32:
        return f"lengths scale with side/32: at {side} px {name} may leave images unchanged"
    return None


def _check_name(name: str) -> None:
    if name not in CORRUPTIONS:
        close = get_close_matches(str(name), CORRUPTIONS, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(CORRUPTIONS)}"
        raise InputError(f"corruption '{name}' is not known; {hint}")


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
