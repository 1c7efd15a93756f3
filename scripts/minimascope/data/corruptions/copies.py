"""Corrupted copies of a test split: one file for each kind of corruption, with all severities."""

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch

from ...errors import InputError
from ...seeding import generator
from ...tensors import load_tensors, save_tensors


@dataclass(frozen=True)
class CorruptionRequest:
    """Which corrupted images are wanted.

    Attributes:
        corruption: a name in `severities.CORRUPTIONS`.
        severities: of 1 … 5.
        samples: largest number of test images, drawn without replacement where there are more;
            None for all. Drawn, because images of a folder are sorted by class.
        stream: names the generators (the data set's name). Each corruption at each severity has
            one of its own, so that leaving one out changes no other.
    """

    corruption: str
    severities: tuple[int, ...]
    samples: int | None
    stream: str

    def rows(self, n: int) -> torch.Tensor:
        """Return which of n images are wanted, ascending, the same for every corruption."""
        drawn = torch.randperm(n, generator=generator(self.stream, "corrupted samples"))
        return drawn[: self.samples].sort().values


@dataclass(frozen=True)
class CorruptedImages:
    """Copies of the same images under one corruption.

    Attributes:
        corruption: its name.
        severities: 1 … 5, along the first axis of ``images``.
        images: uint8 [severities, n, channels, height, width].
        labels: int64 [n].
        origin: ``generated``, or the name of the official set.
        note: what a reader of the results must know.
    """

    corruption: str
    severities: tuple[int, ...]
    images: torch.Tensor
    labels: torch.Tensor
    origin: str
    note: str | None = ""


def save_corrupted(
    path: str | PathLike, copies: Iterable[CorruptedImages], **metadata: Any
) -> None:
    """Write the copies of several corruptions with what is to be said about them."""
    tensors, about = {}, []
    for copy in copies:
        tensors |= {f"{copy.corruption}/{key}": getattr(copy, key) for key in ("images", "labels")}
        said = ("corruption", "severities", "origin", "note")
        about.append({key: getattr(copy, key) for key in said})
    save_tensors(path, tensors, corruptions=about, **metadata)


def load_corrupted(path: str | PathLike) -> list[CorruptedImages]:
    """Read what `save_corrupted` wrote; raise InputError if that is not what the file holds."""
    tensors, metadata = load_tensors(path)
    if "corruptions" not in metadata:
        raise InputError(f"{path}: holds no corrupted images; delete it and run again")
    copies = []
    for about in metadata["corruptions"]:
        images, labels = (tensors[f"{about['corruption']}/{key}"] for key in ("images", "labels"))
        about = about | {"severities": tuple(about["severities"])}
        copies.append(CorruptedImages(images=images, labels=labels, **about))
    return copies
