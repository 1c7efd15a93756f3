"""The one format in which every data set is kept."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any, TypeVar

import torch

from ..batches import Batch, Batches, Inputs, each, first_tensor, in_batches
from ..errors import InputError
from ..tensors import below, load_tensors, save_tensors

# What a data set says besides its splits.
NAMES = ("classes", "domains", "seen", "cities")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Split:
    """Inputs with their labels.

    Attributes:
        inputs: uint8 images [n, channels, height, width] or float32 features of that shape. What
            others measure may have any shape [n, …], or be several tensors by name.
        labels: int64 [n], classes 0 … C-1.
        domains: int64 [n], 0 … D-1, what each was recorded with or by; None where that is unknown.
        cities: int64 [n], 0 … C-1, where each was recorded; None where that is unknown.
    """

    inputs: Inputs
    labels: torch.Tensor
    domains: torch.Tensor | None = None
    cities: torch.Tensor | None = None

    def __post_init__(self):
        n = len(first_tensor(self.inputs))
        if n == 0 or n != len(self.labels):
            raise InputError(
                f"a split has {n} inputs and {len(self.labels)} labels;"
                " it needs as many labels as inputs, and at least one"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """Return the split on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def rows(self, rows: torch.Tensor) -> "Split":
        """Return the samples of these row numbers [m], in their order."""
        return self._each(lambda tensor: tensor[rows])

    def over_batches(self, compute: Callable[[Batches], Result], batch_size: int) -> Result:
        """Return what a function computes from batches (inputs, labels); see `in_batches`."""
        return in_batches(compute, (self.inputs, self.labels), batch_size)

    def first(self, count: int = 1) -> Batch:
        """Return the first samples as a batch (inputs, labels)."""
        return each(self.inputs, lambda tensor: tensor[:count]), self.labels[:count]

    def tensors(self) -> dict[str, Inputs]:
        """Return the tensors that the split has, by the names of its attributes."""
        named = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        return {name: tensor for name, tensor in named if tensor is not None}

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Split":
        return Split(**{name: each(part, change) for name, part in self.tensors().items()})

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
    """A training and a test split.

    Attributes:
        train: what networks are trained on.
        test: what they are evaluated on.
        classes: names of the classes.
        domains: names of the domains.
        seen: for each domain, whether networks may have seen it: in-domain or out-of-domain.
        cities: names of the cities.
    """

    train: Split
    test: Split
    classes: tuple[str, ...]
    domains: tuple[str, ...] = ()
    seen: tuple[bool, ...] = ()
    cities: tuple[str, ...] = ()

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
    def input_size(self) -> tuple[int, int]:
        """Height and width of an input: pixels, or mel bands and frames."""
        return tuple(self.train.inputs.shape[-2:])


def save_dataset(path: str | PathLike, dataset: Dataset, **metadata: Any) -> None:
    """Write a data set as safetensors with its content hash and the names of its classes."""
    tensors = {
        f"{name}_{key}": tensor
        for name, split in (("train", dataset.train), ("test", dataset.test))
        for key, tensor in split.tensors().items()
    }
    names = {key: getattr(dataset, key) for key in NAMES}
    save_tensors(path, tensors, **names, **metadata)


def load_dataset(path: str | PathLike) -> tuple[Dataset, str]:
    """Read what `save_dataset` wrote and return (data set, content hash).

    Raises InputError naming the file if that is not what it holds.
    """
    tensors, metadata = load_tensors(path)
    if "classes" not in metadata:
        raise InputError(f"{path}: holds no data set; name a prepared.safetensors of this workflow")
    splits = [Split(**below(tensors, f"{name}_")) for name in ("train", "test")]
    dataset = Dataset(*splits, **{key: tuple(metadata[key]) for key in NAMES})
    return dataset, metadata["content_sha256"]
