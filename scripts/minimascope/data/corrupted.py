"""The corrupted copy of a test split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch

from ..errors import InputError
from ..io import load_tensors, save_tensors
from ..progress import progress
from ..seeding import derive_seed, generator
from .corruptions import corrupt, note
from .prepared import Split


@dataclass(frozen=True)
class CorruptedImages:
    """Copies of the same images, one for each corruption and severity.

    Attributes:
        images: uint8 [corruptions, severities, n, channels, height, width].
        labels: int64 [n].
        corruptions: names, along the first axis.
        severities: 1 … 5, along the second axis.
    """

    images: torch.Tensor
    labels: torch.Tensor
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]

    def cells(self) -> Iterator[tuple[str, int, torch.Tensor]]:
        """Yield (corruption, severity, images [n, channels, height, width])."""
        for name, row in zip(self.corruptions, self.images, strict=True):
            for severity, images in zip(self.severities, row, strict=True):
                yield name, severity, images


def corrupt_split(
    split: Split, names: Sequence[str], severities: Sequence[int], samples: int | None, stream: str
) -> CorruptedImages:
    """Corrupt ``samples`` images of a split, drawn without replacement (all if None).

    Drawn, because the images of a folder are sorted by class. Each corruption at each severity
    has a generator of its own, named by ``stream`` (the data set's name), so that leaving one
    out changes no other.

    Raises:
        InputError: the inputs are no images, or there are fewer than ``samples``.
    """
    if split.inputs.dtype != torch.uint8:
        raise InputError("evaluation.corruptions: these inputs are no images; set it to null")
    if samples is not None and samples > len(split):
        raise InputError(
            f"evaluation.corruptions.samples: {samples} is more than the {len(split)} test images"
        )
    drawn = torch.randperm(len(split), generator=generator(stream, "corrupted samples"))
    rows = drawn[:samples].sort().values
    images, labels = split.inputs[rows], split.labels[rows]
    seed = derive_seed(stream, "corruption")
    copies = [
        torch.stack([corrupt(images, name, severity, seed) for severity in severities])
        for name in progress(names, "corrupting", "corruption")
    ]
    return CorruptedImages(torch.stack(copies), labels, tuple(names), tuple(severities))


def save_corrupted(path: str | PathLike, corrupted: CorruptedImages, **metadata: Any) -> None:
    """Write corrupted images, with what is to be said about how they were generated."""
    channels, side = corrupted.images.shape[-3:-1]
    notes = {name: note(name, channels, side) for name in corrupted.corruptions}
    save_tensors(
        path,
        {"images": corrupted.images, "labels": corrupted.labels},
        corruptions=corrupted.corruptions,
        severities=corrupted.severities,
        notes={name: text for name, text in notes.items() if text},
        **metadata,
    )


def load_corrupted(path: str | PathLike) -> CorruptedImages:
    """Read what `save_corrupted` wrote."""
    tensors, metadata = load_tensors(path)
    return CorruptedImages(
        tensors["images"],
        tensors["labels"],
        tuple(metadata["corruptions"]),
        tuple(metadata["severities"]),
    )
