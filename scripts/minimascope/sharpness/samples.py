"""Data in the forms in which users have them, as samples that measures can be taken over."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..batches import Batch, Inputs, cut
from ..data.prepared import Split
from ..errors import InputError
from .loss import LabelFacts
from .stream import EXAMPLES, Stream, bytes_of, checksum, length, moved, tensors_of

# Bytes up to which the data of a loader are kept in memory; larger ones are read for every pass.
LARGEST_IN_MEMORY = 2**30
# Samples of a batch where the data come as single samples.
BATCH_SIZE = 256
LABEL_KEYS = ("labels", "label", "targets")


def samples_of(inputs: Any, labels: Any, device: torch.device) -> Split | Stream:
    """Return inputs and labels as samples on a device.

    Args:
        inputs: a tensor or array [n, …]; a mapping of such by the names of the network's
            arguments; a torch ``Dataset``, a ``DataLoader``, or anything else that can be iterated
            over again, of batches (inputs, labels) or of mappings with the labels under one of
            `LABEL_KEYS`.
        labels: [n, …], or None where the inputs have them.
        device: of the network.

    Raises:
        InputError: data in another form, no labels or two different ones, no data, or data beyond
            `LARGEST_IN_MEMORY` that can be gone through only once or are other ones each time.
    """
    if labels is not None:
        labels = _label_tensor(labels)
    if _is_array(inputs) or isinstance(inputs, Mapping):
        batch = _pair(inputs, labels)
        on_device = all(t.device == device for part in batch for t in tensors_of(part))
        if not on_device and device.type != "cpu" and bytes_of(batch) > LARGEST_IN_MEMORY:
            return _read(cut(batch, BATCH_SIZE), device)
        return Split(*moved(batch, device))
    return _read(_Batches(inputs, labels), device)


def _read(source: Iterable[Batch], device: torch.device) -> Split | Stream:
    """Return the samples of batches, kept where they are small."""
    kept: list[Batch] | None = []
    lengths, checksums, facts, size, examples = [], [], None, 0, None
    for batch in source:
        size += bytes_of(batch)
        if size > LARGEST_IN_MEMORY:
            if isinstance(source, _Batches):
                source.check_again()
            kept = None
        if kept is not None:
            kept.append(batch)
        examples = examples or moved(batch, device, EXAMPLES)
        lengths.append(length(batch))
        checksums.append(checksum(batch))
        found = LabelFacts.of(batch[1])
        facts = found if facts is None else facts + found
    if facts is None:
        raise InputError("the data have no samples; measure on at least one")
    if kept is not None and _of_one_shape(kept):
        return Split(*moved(_joined(kept), device))
    return Stream(kept or source, device, tuple(lengths), tuple(checksums), facts, examples)


def _of_one_shape(batches: list[Batch]) -> bool:
    # Texts are often padded to the longest of their batch.
    shapes = {tuple(t.shape[1:] for part in batch for t in tensors_of(part)) for batch in batches}
    return len(shapes) == 1


def _joined(batches: list[Batch]) -> Batch:
    """Return batches of one shape as one."""
    columns = list(zip(*batches, strict=True))
    return tuple(
        torch.cat(parts)
        if isinstance(parts[0], torch.Tensor)
        else {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        for parts in columns
    )


class _Batches:
    """Batches (inputs, labels) of whatever can be iterated over."""

    def __init__(self, source: Any, labels: torch.Tensor | None):
        if isinstance(source, Dataset) or _has_rows(source):
            source = DataLoader(source, BATCH_SIZE, shuffle=False)
        if not isinstance(source, Iterable):
            raise InputError(
                f"inputs: {type(source).__name__} are no data; give a tensor, an array, a Dataset,"
                " a DataLoader or a list of batches (inputs, labels)"
            )
        self._source, self._labels = source, labels
        self._passes = 0

    def check_again(self) -> None:
        """Raise InputError if the source can be gone through only once."""
        if isinstance(self._source, Iterator):
            raise InputError(
                f"inputs: a {type(self._source).__name__} can be gone through only once, and its"
                f" data are larger than {LARGEST_IN_MEMORY / 2**30:g} GiB; give a Dataset or a"
                " DataLoader"
            )

    def __iter__(self) -> Iterator[Batch]:
        done = 0
        for batch in self._source:
            inputs, own = _parts(batch)
            n = _count(inputs)
            given = None if self._labels is None else self._labels[done : done + n]
            done += n
            yield _pair(inputs, given, own)
        if self._labels is not None and done != len(self._labels):
            raise InputError(
                f"the data have {done} inputs and {len(self._labels)} labels; give as many labels"
                " as inputs, or none where the inputs have their own"
            )


def _parts(batch: Any) -> tuple[Any, Any]:
    """Return the inputs and the labels, or None, of a batch in one of its usual forms."""
    if isinstance(batch, list | tuple):
        if len(batch) > 2 or not batch:
            raise InputError(
                f"a batch has {len(batch)} parts; it must be (inputs, labels), or a mapping with"
                f" {', '.join(LABEL_KEYS)} and the network's arguments by their names"
            )
        return batch[0], batch[1] if len(batch) == 2 else None
    return batch, None


def _pair(inputs: Any, given: Any, own: Any = None) -> Batch:
    """Return inputs and their labels as tensors."""
    if isinstance(inputs, Mapping):
        found = [name for name in LABEL_KEYS if name in inputs]
        own = inputs[found[0]] if found and own is None else own
        inputs = {name: value for name, value in inputs.items() if name not in found}
        if not inputs:
            raise InputError(
                "inputs: a mapping without inputs; give the network's arguments by name"
            )
    inputs = _input_tensors(inputs)
    own = None if own is None else _label_tensor(own)
    if given is None and own is None:
        raise InputError(
            "labels: there are none; give labels=, or batches (inputs, labels), or"
            f" mappings with {', '.join(LABEL_KEYS)}"
        )
    if given is not None and own is not None and not torch.equal(given.cpu(), own.cpu()):
        raise InputError(
            "labels: those given are not those of the data; leave labels out to use the data's own"
        )
    return inputs, own if given is None else given


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)


def _has_rows(source: Any) -> bool:
    """Whether this is a data set by its form, as those of Hugging Face are."""
    rows = hasattr(source, "__getitem__") and hasattr(source, "__len__")
    return rows and not isinstance(source, list | tuple)


def _count(inputs: Any) -> int:
    first = next(iter(inputs.values()), ()) if isinstance(inputs, Mapping) else inputs
    return len(first)


def _input_tensors(inputs: Any) -> Inputs:
    if isinstance(inputs, Mapping):
        return {name: _tensor(value, f"inputs[{name!r}]") for name, value in inputs.items()}
    return _tensor(inputs, "inputs")


def _tensor(value: Any, name: str) -> torch.Tensor:
    """Return a tensor that can take part in a graph, of the same numbers."""
    if isinstance(value, np.ndarray):
        try:
            # A copy, since torch takes no negative strides and warns of arrays that are read-only.
            value = torch.from_numpy(np.array(value))
        except TypeError as error:
            raise InputError(f"{name}: an array of {value.dtype} is no tensor; {error}") from error
    if not isinstance(value, torch.Tensor):
        raise InputError(
            f"{name}: {type(value).__name__} instead of a tensor or an array; convert it first"
        )
    value = value.detach()
    # Made in inference mode, it could not be saved for a gradient.
    return value.clone() if value.is_inference() else value


def _label_tensor(labels: Any) -> torch.Tensor:
    """Return labels as int64, or as floating-point numbers where they are such."""
    if not isinstance(labels, torch.Tensor):
        labels = np.asarray(labels)
        if labels.dtype.kind not in "biuf":
            raise InputError(
                f"labels: {labels.dtype} instead of numbers; give the number of each class (names"
                " of measures are given as measures=)"
            )
    labels = _tensor(labels, "labels")
    return labels if labels.is_floating_point() else labels.long()
