"""Data that do not fit into memory: read again, batch by batch, for every pass."""

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from ..batches import Batch, Batches, Inputs, cut, each, first_tensor, in_memory, inputs_at_once
from ..errors import InputError
from .loss import LabelFacts

Result = TypeVar("Result")
# Samples that are kept.
EXAMPLES = 32
CHANGED = (
    "the data are other ones in a second pass, so that losses cannot be compared; give a loader"
    " without shuffling (shuffle=False) and without random transforms"
)


@dataclass(frozen=True)
class Stream:
    """Samples that are read again for every pass, and are checked to be the same each time.

    Attributes:
        source: batches (inputs, labels); can be gone through again.
        device: where batches are moved to.
        lengths: of the batches.
        checksums: of the batches.
        label_facts: about all labels.
        examples: the first samples, at most `EXAMPLES`, on the device.
    """

    source: Iterable[Batch]
    device: torch.device
    lengths: tuple[int, ...]
    checksums: tuple[int, ...]
    label_facts: LabelFacts
    examples: Batch

    def __len__(self) -> int:
        return sum(self.lengths)

    def first(self, count: int = 1) -> Batch:
        """Return the first samples, at most `EXAMPLES`, as (inputs, labels)."""
        return moved(self.examples, self.device, count)

    def over_batches(self, compute: Callable[[Batches], Result], batch_size: int) -> Result:
        """Return what a function computes from batches; see `batches.in_memory`."""
        inputs, _ = self.examples
        size = min(inputs_at_once(inputs, batch_size), max(self.lengths))
        return in_memory(lambda size: compute(_Pass(self, size)), size, inputs)

    def rows(self, rows: torch.Tensor) -> "Stream":
        """Refuse to give single samples, since a stream has no order of its own."""
        raise InputError(
            "group_size: single samples can only be drawn from data that fit into memory; leave it"
            " out"
        )

    def drawn(self, share: float, generator: torch.Generator) -> "Stream":
        """Return itself for a share of 1; refuse any other, for which it would need its rows."""
        if share == 1:
            return self
        raise InputError(
            f"published_share: {share} of the data can only be drawn where these fit into memory;"
            " use 1.0"
        )

    def _read(self) -> Iterator[Batch]:
        number = -1
        for number, batch in enumerate(self.source):
            if number >= len(self.checksums) or checksum(batch) != self.checksums[number]:
                raise InputError(CHANGED)
            yield batch
        if number + 1 != len(self.checksums):
            raise InputError(CHANGED)


@dataclass(frozen=True)
class _Pass:
    """Batches of a stream, cut where they are larger than fits into memory."""

    stream: Stream
    size: int

    def __len__(self) -> int:
        return sum(math.ceil(length / self.size) for length in self.stream.lengths)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.stream._read():
            for part in cut(batch, self.size):
                yield moved(part, self.stream.device)


def moved(batch: Batch, device: torch.device, count: int | None = None) -> Batch:
    """Return a batch, or the first samples of it, on a device."""
    return tuple(each(part, lambda tensor: tensor[:count].to(device)) for part in batch)


def checksum(batch: Batch) -> int:
    """Return a checksum of all numbers of a batch."""
    found = 0
    for part in batch:
        for tensor in tensors_of(part):
            content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            found = zlib.crc32(content.numpy(), found)
    return found


def tensors_of(inputs: Inputs) -> list[torch.Tensor]:
    """Return all tensors of inputs."""
    return [inputs] if isinstance(inputs, torch.Tensor) else list(inputs.values())


def bytes_of(batch: Batch) -> int:
    """Return how much memory a batch takes."""
    return sum(tensor.nbytes for part in batch for tensor in tensors_of(part))


def length(batch: Batch) -> int:
    """Return the number of samples of a batch."""
    return len(first_tensor(batch[0]))
