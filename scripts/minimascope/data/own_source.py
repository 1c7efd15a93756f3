"""What a source returned as a data set, if it can be one."""

from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .prepared import Dataset, Split

WANTED = "a Dataset (minimascope.data.prepared), or ((inputs, labels), (inputs, labels))"


def as_dataset(result: Any, source: str) -> Dataset:
    """Return what a source returned as a data set.

    Args:
        result: a data set, or (inputs, labels) of the training and of the test split, as tensors
            or arrays: inputs [n, channels, height, width], or [n, height, width] of one channel,
            bytes or floating; labels [n], numbers of classes from 0 on.
        source: where it is from, for messages.

    Raises:
        InputError: neither of these; names the source and the remedy.
    """
    try:
        if not isinstance(result, Dataset):
            (train, test) = (_split(*split) for split in result)
            names = map(str, range(int(train.labels.max()) + 1))
            result = Dataset(train, test, tuple(names))
        for split in (result.train, result.test):
            _check(split)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except (TypeError, ValueError, RuntimeError) as error:
        what = type(result).__name__
        raise InputError(f"{source} returned a {what} ({error}); let it return {WANTED}") from error
    return result


def _split(inputs: Any, labels: Any) -> Split:
    inputs, labels = (torch.as_tensor(np.asarray(each)) for each in (inputs, labels))
    inputs = inputs[:, None] if inputs.ndim == 3 else inputs
    if inputs.dtype != torch.uint8:
        inputs = inputs.float()
    if labels.is_floating_point():
        raise InputError(f"labels are {labels.dtype}; they must be numbers of classes from 0 on")
    return Split(inputs.contiguous(), labels.long())


def _check(split: Split) -> None:
    shape, kind = tuple(split.inputs.shape), split.inputs.dtype
    if len(shape) != 4:
        raise InputError(
            f"inputs have the shape {shape}; it must be [n, channels, height, width], each 1 where"
            " there is no such thing"
        )
    if kind not in (torch.uint8, torch.float32):
        raise InputError(f"inputs are {kind}; they must be uint8 (0 … 255) or float32")
    if split.labels.dtype != torch.int64:
        raise InputError(f"labels are {split.labels.dtype}; they must be int64")
    if kind == torch.float32 and not split.inputs.isfinite().all():
        raise InputError("inputs hold NaN or infinite values; leave these samples out")
