"""Pictures of one test input under all corruptions, small enough for a table."""

from base64 import b64encode
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image

from .copies import CorruptedCopies
from .kinds import HIGHEST_DB, LOWEST_DB, NONE

# Pixels of a picture in either direction.
MOST_PIXELS = 160


def sample_pictures(
    copies: Iterable[CorruptedCopies], original: torch.Tensor | None
) -> list[dict[str, Any]]:
    """Return the first input as rows (corruption, severity, picture), one for each copy of it.

    A picture is a PNG of at most `MOST_PIXELS` in either direction, as text (base64). The level v
    of 255 of a log-mel stands for `LOWEST_DB` + v / 255 · (`HIGHEST_DB` - `LOWEST_DB`).

    Args:
        copies: of the same inputs.
        original: the first of these without corruption [channels, height, width], which then comes
            first; None where there is none.
    """
    inputs = [(*NONE, original)] if original is not None else []
    for copy in copies:
        severities = zip(copy.severities, copy.inputs[:, 0], strict=True)
        inputs += [(copy.corruption, severity, first) for severity, first in severities]
    return [
        {"corruption": corruption, "severity": severity, "picture": _png(each)}
        for corruption, severity, each in inputs
    ]


def _png(first: torch.Tensor) -> str:
    """Return uint8 pixels, or float32 decibels, [channels, height, width] as PNG."""
    if first.dtype != torch.uint8:
        levels = (first - LOWEST_DB) / (HIGHEST_DB - LOWEST_DB) * 255
        # The lowest band at the bottom.
        first = levels.round().clamp(0, 255).to(torch.uint8).flip(1)
    pixels = first.permute(1, 2, 0).numpy()
    image = Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if len(first) == 1 else pixels))
    size = [min(MOST_PIXELS, length) for length in image.size]
    stream = BytesIO()
    image.resize(size, Image.Resampling.BOX).save(stream, "PNG")
    return b64encode(stream.getvalue()).decode("ascii")
