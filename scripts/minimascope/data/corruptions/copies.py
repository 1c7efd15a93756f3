"""Corrupted copies of a test split: one file for each kind of corruption, with all severities."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import torch

from ...errors import InputError
from ...safetensors_files import load_stored
from ...seeding import generator
from ...tensors import save_tensors
from ..prepared import Split
from .kinds import NONE

# What of copies is kept as tensors.
TENSORS = ("inputs", "labels", "rows")


@dataclass(frozen=True)
class CorruptionRequest:
    """Which corrupted inputs are wanted.

    Attributes:
        corruption: a name in `kinds.CORRUPTIONS`.
        severities: of 1 … 5.
        samples: largest number of test inputs, drawn without replacement where there are more;
            None for all. Drawn, because images of a folder are sorted by class.
        stream: names the generators: the name of the data set, or of its reference
            (`study.domains.references`). Each corruption at each severity has one of its own, so
            that leaving one out changes no other.
    """

    corruption: str
    severities: tuple[int, ...]
    samples: int | None
    stream: str

    def rows(self, n: int) -> torch.Tensor:
        """Return which of n inputs are wanted, ascending, the same for every corruption."""
        drawn = torch.randperm(n, generator=generator(self.stream, "corrupted samples"))
        return drawn[: self.samples].sort().values


@dataclass(frozen=True)
class CorruptedCopies:
    """Copies of the same images or recordings under one corruption.

    Attributes:
        corruption: its name.
        severities: 1 … 5, along the first axis of ``inputs``; 0 without corruption (`NONE`).
        inputs: uint8 images or float32 log-mels [severities, n, channels, height, width].
        labels: int64 [n].
        origin: ``generated``, or the name of the official set.
        rows: int64 [n], where the test split has them without corruption; None where it does not.
        note: what a reader of the results must know; None for nothing.
    """

    corruption: str
    severities: tuple[int, ...]
    inputs: torch.Tensor
    labels: torch.Tensor
    origin: str
    rows: torch.Tensor | None = None
    note: str | None = None


def with_originals(copies: Iterable[CorruptedCopies], test: Split) -> Iterator[CorruptedCopies]:
    """Yield what the first copies are of, without corruption, and then all copies.

    Args:
        copies: of the same inputs; without ``rows`` nothing comes before them.
        test: the split that they are copies of.
    """
    name, severity = NONE
    for number, copy in enumerate(copies):
        if number == 0 and copy.rows is not None:
            inputs = test.inputs[copy.rows][None]
            yield replace(copy, corruption=name, severities=(severity,), inputs=inputs, note=None)
        yield copy


def save_corrupted(
    path: str | PathLike, copies: Iterable[CorruptedCopies], **metadata: Any
) -> None:
    """Write the copies of several corruptions with what is to be said about them."""
    tensors, about = {}, []
    for copy in copies:
        kept = {key: getattr(copy, key) for key in TENSORS}
        there = {key: tensor for key, tensor in kept.items() if tensor is not None}
        tensors |= {f"{copy.corruption}/{key}": tensor for key, tensor in there.items()}
        said = ("corruption", "severities", "origin", "note")
        about.append({key: getattr(copy, key) for key in said})
    save_tensors(path, tensors, corruptions=about, **metadata)


def load_corrupted(path: str | PathLike) -> Iterator[CorruptedCopies]:
    """Yield what `save_corrupted` wrote, one corruption at a time: a kind can be many gigabytes.

    Raises:
        InputError: the file holds something else.
    """
    tensors, metadata = load_stored(path, "pt")
    if "corruptions" not in metadata:
        raise InputError(f"{path}: holds no corrupted copies; delete it and run again")
    for about in metadata["corruptions"]:
        about = about | {"severities": tuple(about["severities"])}
        # No name here keeps the copies while the next ones are read.
        yield CorruptedCopies(**_tensors_of(tensors, about["corruption"]), **about)


def _tensors_of(tensors: Mapping[str, torch.Tensor], corruption: str) -> dict[str, torch.Tensor]:
    names = {key: f"{corruption}/{key}" for key in TENSORS}
    return {key: tensors[name] for key, name in names.items() if name in tensors}
