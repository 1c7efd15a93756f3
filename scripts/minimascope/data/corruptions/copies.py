"""Corrupted copies of a test split: one file for each corruption, with all its severities."""

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
        samples: number of test images, drawn without replacement; None for all. Drawn, because
            images of a folder are sorted by class.
        stream: names the generators (the data set's name). Each corruption at each severity has
            one of its own, so that leaving one out changes no other.
    """

    corruption: str
    severities: tuple[int, ...]
    samples: int | None
    stream: str

    def rows(self, n: int) -> torch.Tensor:
        """Return which of n images are wanted, ascending, the same for every corruption.

        Raises:
            InputError: there are fewer than ``samples``.
        """
        if self.samples is not None and self.samples > n:
            raise InputError(
                f"evaluation.corruptions.samples: {self.samples} is more than the {n} test images"
            )
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


def save_corrupted(path: str | PathLike, corrupted: CorruptedImages, **metadata: Any) -> None:
    """Write corrupted images with what is to be said about them."""
    save_tensors(
        path,
        {"images": corrupted.images, "labels": corrupted.labels},
        corruption=corrupted.corruption,
        severities=corrupted.severities,
        origin=corrupted.origin,
        note=corrupted.note,
        **metadata,
    )


def load_corrupted(path: str | PathLike) -> CorruptedImages:
    """Read what `save_corrupted` wrote; raise InputError if that is not what the file holds."""
    tensors, metadata = load_tensors(path)
    if "severities" not in metadata:
        raise InputError(f"{path}: holds no corrupted images; delete it and run again")
    return CorruptedImages(
        metadata["corruption"],
        tuple(metadata["severities"]),
        tensors["images"],
        tensors["labels"],
        metadata["origin"],
    )
