"""The one format in which every data set is kept."""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch

from ..errors import InputError
from ..io import load_tensors, save_tensors


@dataclass(frozen=True)
class Split:
    """Inputs with their labels.

    Attributes:
        inputs: uint8 images [n, channels, height, width] or float32 features of that shape.
        labels: int64 [n], classes 0 … C-1.
        domains: int64 [n], or None where the source knows no domains.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    domains: torch.Tensor | None = None

    def __post_init__(self):
        if len(self.inputs) == 0 or len(self.inputs) != len(self.labels):
            raise InputError(
                f"a split has {len(self.inputs)} inputs and {len(self.labels)} labels;"
                " it needs as many labels as inputs, and at least one"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """Return the split on a device."""
        domains = None if self.domains is None else self.domains.to(device)
        return Split(self.inputs.to(device), self.labels.to(device), domains)

    def rows(self, rows: torch.Tensor) -> "Split":
        """Return the samples of these row numbers [m], in their order."""
        domains = None if self.domains is None else self.domains[rows]
        return Split(self.inputs[rows], self.labels[rows], domains)

    def drawn(self, share: float, generator: torch.Generator) -> "Split":
        """Return a random share of the samples, at least one; the split itself for a share of 1.

        Args:
            share: above 0, at most 1.
            generator: on the split's device.
        """
        if share == 1:
            return self
        n = len(self)
        order = torch.randperm(n, generator=generator, device=self.labels.device)
        return self.rows(order[: max(1, round(share * n))].sort().values)


@dataclass(frozen=True)
class Dataset:
    """A training and a test split with the names of their classes and domains."""

    train: Split
    test: Split
    classes: tuple[str, ...]
    domains: tuple[str, ...] = ()

    def __post_init__(self):
        for name, split in (("train", self.train), ("test", self.test)):
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise InputError(
                    f"{name} labels run from {low} to {high}; with {len(self.classes)} classes"
                    f" they must lie between 0 and {len(self.classes) - 1}"
                )
        if self.train.inputs.shape[1:] != self.test.inputs.shape[1:]:
            raise InputError(
                f"train inputs are {tuple(self.train.inputs.shape[1:])} and test inputs"
                f" {tuple(self.test.inputs.shape[1:])}; they must have one shape"
            )

    @property
    def channels(self) -> int:
        """Number of channels of an input."""
        return self.train.inputs.shape[1]

    @property
    def image_size(self) -> int:
        """Side of an input in pixels (inputs are square)."""
        return self.train.inputs.shape[-1]


def save_dataset(path: str | PathLike, dataset: Dataset, **metadata: Any) -> None:
    """Write a data set as safetensors with its content hash and the names of its classes."""
    tensors = {}
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        tensors[f"{name}_inputs"] = split.inputs
        tensors[f"{name}_labels"] = split.labels
        if split.domains is not None:
            tensors[f"{name}_domains"] = split.domains
    save_tensors(path, tensors, classes=dataset.classes, domains=dataset.domains, **metadata)


def load_dataset(path: str | PathLike) -> tuple[Dataset, str]:
    """Read what `save_dataset` wrote and return (data set, content hash)."""
    tensors, metadata = load_tensors(path)
    splits = [
        Split(tensors[f"{name}_inputs"], tensors[f"{name}_labels"], tensors.get(f"{name}_domains"))
        for name in ("train", "test")
    ]
    dataset = Dataset(*splits, tuple(metadata["classes"]), tuple(metadata["domains"]))
    return dataset, metadata["content_sha256"]
