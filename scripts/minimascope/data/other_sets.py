"""Further test sets of a data set: with its classes (shifted), or with others (unseen)."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike

import torch

from ..errors import InputError
from ..tensors import load_tensors, save_tensors
from .other_kinds import fault_of_classes, fault_of_shapes
from .prepared import Dataset


@dataclass(frozen=True)
class OtherSet:
    """Inputs that networks of a data set are tested on besides its own test split.

    Attributes:
        kind: ``shifted`` or ``unseen``.
        name: of the set in the study.
        inputs: of the shape of the data set's, [m, channels, height, width].
        labels: int64 [m], classes of the data set; -1 throughout for unseen ones.
    """

    kind: str
    name: str
    inputs: torch.Tensor
    labels: torch.Tensor


def other_set(kind: str, name: str, other: Dataset, trained: Dataset) -> OtherSet:
    """Return the test split of another data set as a further test set.

    Classes are matched by their names. A shifted set may lack some of the data set's.

    Raises:
        InputError: inputs have another shape or type than the data set's, a shifted set has
            classes that the data set lacks, an unseen one shares some with it, or inputs have the
            very bytes of training inputs.
    """
    inputs, here = other.test.inputs, trained.test.inputs
    if inputs.shape[1:] != here.shape[1:] or inputs.dtype != here.dtype:
        raise InputError(fault_of_shapes(_shape(inputs), _shape(here)))
    there = [other.classes[label] for label in other.test.labels.unique().tolist()]
    if fault := fault_of_classes(kind, there, trained.classes):
        raise InputError(fault)
    if known := _known(inputs, trained.train.inputs):
        raise InputError(
            f"{known:,} of its {len(inputs):,} inputs are training inputs of the data set, byte for"
            " byte, which networks know; leave these out of the set, or out of training"
        )
    numbers = torch.tensor(
        [trained.classes.index(each) if each in trained.classes else -1 for each in other.classes]
    )
    return OtherSet(kind, name, inputs, numbers[other.test.labels])


def _known(inputs: torch.Tensor, trained: torch.Tensor) -> int:
    """Return how many inputs [m, …] have the bytes of a training input [n, …]."""
    known = {*_digests(trained)}
    return sum(digest in known for digest in _digests(inputs))


def _digests(inputs: torch.Tensor) -> Iterator[bytes]:
    # Hashes of some GB take seconds, and no second copy of the inputs as sorting them would.
    return (sha256(row).digest() for row in inputs.contiguous().numpy())


def _shape(inputs: torch.Tensor) -> str:
    kind = str(inputs.dtype).removeprefix("torch.")
    return f"{'×'.join(map(str, inputs.shape[1:]))} ({kind})"


def save_other_set(path: str | PathLike, other: OtherSet) -> None:
    """Write a test set as safetensors."""
    tensors = {"inputs": other.inputs, "labels": other.labels}
    save_tensors(path, tensors, kind=other.kind, name=other.name)


def load_other_set(path: str | PathLike) -> OtherSet:
    """Read what `save_other_set` wrote; raise InputError if that is not what the file holds."""
    tensors, metadata = load_tensors(path)
    if "kind" not in metadata:
        raise InputError(f"{path}: holds no further test set; delete it and run again")
    return OtherSet(metadata["kind"], metadata["name"], **tensors)
