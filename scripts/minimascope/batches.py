"""How many inputs are computed at once where no gradient step depends on it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch

from .errors import InputError
from .jobs.progress import say

# Positions (pixels, or bands × frames) in a batch. On a GPU the activations of a wide network on
# 1024 images of 64×64 fit into its memory; on a CPU those of a narrow one on 256 images of 32×32
# stay near its caches, which halves the time of larger batches.
LARGEST_AREA = {"cuda": 2**22, "cpu": 2**18}
# The same where a device ran out of memory, as long as this process lives.
_fitting_area: dict[str, int] = {}
# Where cuDNN or cuBLAS cannot get the memory that they need, torch raises a plain RuntimeError with
# one of these texts. cuDNN's can have other causes, too.
LIBRARIES_WITHOUT_MEMORY = ("unable to find an engine", "CUBLAS_STATUS_ALLOC_FAILED")

Batches = Sequence[tuple[torch.Tensor, ...]]
Result = TypeVar("Result")


def inputs_at_once(inputs: torch.Tensor, batch_size: int) -> int:
    """Return how many inputs to compute at once: ``batch_size``, or fewer if they are large.

    Args:
        inputs: [n, channels, height, width], or any other shape with n first.
        batch_size: the largest number.
    """
    kind = inputs.device.type
    return max(1, min(batch_size, _fitting_area.get(kind, LARGEST_AREA[kind]) // _area(inputs)))


def in_batches(
    compute: Callable[[Batches], Result],
    tensors: Sequence[torch.Tensor],
    batch_size: int,
) -> Result:
    """Return what a function computes from batches of inputs, of a size that fits into memory.

    Where the device runs out of memory, the function is called again with batches of half the
    size, and this process keeps to that. So the function must draw no random numbers and change
    nothing outside.

    Args:
        compute: takes a list of batches, each with a part of every tensor.
        tensors: inputs [n, …], and what else there is for each of them (labels).
        batch_size: the largest number of inputs at once.

    Raises:
        InputError: there is no memory for a single input.
        RuntimeError: not even a single input can be computed, for an unknown reason.
    """
    inputs = tensors[0]
    at_first = size = min(inputs_at_once(inputs, batch_size), len(inputs))
    while True:
        try:
            parts = (tensor.split(size) for tensor in tensors)
            result = compute(list(zip(*parts, strict=True)))
            break
        except torch.OutOfMemoryError as error:
            if size <= 1:
                raise InputError(
                    f"out of memory on {inputs.device} with a single input of shape"
                    f" {tuple(inputs.shape[1:])}; use a GPU with more memory"
                ) from error
        except RuntimeError as error:
            if size <= 1 or not any(text in str(error) for text in LIBRARIES_WITHOUT_MEMORY):
                raise
        # Here the error is gone, and with it what its frames kept in memory.
        torch.cuda.empty_cache()
        size //= 2
    if size < at_first:
        _fitting_area[inputs.device.type] = size * _area(inputs)
        say(f"out of memory with {at_first} inputs at once; from now on {size} at once")
    return result


def _area(inputs: torch.Tensor) -> int:
    return inputs.shape[2:].numel() if inputs.ndim > 2 else 1


@contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """Raise InputError with a remedy where a device runs out of memory inside the block."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(f"out of memory on the GPU; {remedy}") from error
