"""How many inputs are computed at once where no gradient step depends on it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

from .errors import InputError
from .jobs.progress import say

# Positions (pixels, bands × frames, or tokens) in a batch. On a GPU the activations of a wide
# network on 1024 images of 64×64 fit into its memory; on a CPU those of a narrow one on 256 images
# of 32×32 stay near its caches, which halves the time of larger batches.
LARGEST_AREA = {"cuda": 2**22, "cpu": 2**18}
# The same where a device ran out of memory, as long as this process lives.
_fitting_area: dict[str, int] = {}
# Where cuDNN or cuBLAS cannot get the memory that they need, torch raises a plain RuntimeError with
# one of these texts. cuDNN's can have other causes, too.
LIBRARIES_WITHOUT_MEMORY = ("unable to find an engine", "CUBLAS_STATUS_ALLOC_FAILED")

# Inputs of a network: a tensor [n, …], or several by the names of its arguments.
Inputs = torch.Tensor | Mapping[str, torch.Tensor]
Batch = tuple[Inputs, ...]
Result = TypeVar("Result")


class Batches(Protocol):
    """Batches that can be gone through again, each with a part of everything."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


def first_tensor(inputs: Inputs) -> torch.Tensor:
    """Return a tensor that tells how many inputs there are, and where they lie."""
    return inputs if isinstance(inputs, torch.Tensor) else next(iter(inputs.values()))


def each(inputs: Inputs, change: Callable[[torch.Tensor], torch.Tensor]) -> Inputs:
    """Return inputs with a function applied to every tensor."""
    if isinstance(inputs, torch.Tensor):
        return change(inputs)
    return {name: change(tensor) for name, tensor in inputs.items()}


def inputs_at_once(inputs: Inputs, batch_size: int) -> int:
    """Return how many inputs to compute at once: ``batch_size``, or fewer if they are large.

    Args:
        inputs: [n, channels, height, width], or any other shape with n first.
        batch_size: the largest number.
    """
    kind = first_tensor(inputs).device.type
    return max(1, min(batch_size, _fitting_area.get(kind, LARGEST_AREA[kind]) // _area(inputs)))


def in_batches(
    compute: Callable[[Batches], Result],
    parts: Sequence[Inputs],
    batch_size: int,
) -> Result:
    """Return what a function computes from batches of inputs, of a size that fits into memory.

    Args:
        compute: takes batches, each with a part of everything; see `in_memory`.
        parts: inputs [n, …], and what else there is for each of them (labels).
        batch_size: the largest number of inputs at once.

    Raises:
        InputError: there is no memory for a single input.
        RuntimeError: not even a single input can be computed, for an unknown reason.
    """
    inputs = parts[0]
    size = min(inputs_at_once(inputs, batch_size), len(first_tensor(inputs)))
    return in_memory(lambda size: compute(cut(parts, size)), size, inputs)


def cut(parts: Sequence[Inputs], size: int) -> list[Batch]:
    """Return inputs, and what else there is for each of them, in batches of a size."""
    return list(zip(*(_split(part, size) for part in parts), strict=True))


def _split(inputs: Inputs, size: int) -> Sequence[Inputs]:
    if isinstance(inputs, torch.Tensor):
        return inputs.split(size)
    split = zip(*(tensor.split(size) for tensor in inputs.values()), strict=True)
    return [dict(zip(inputs, tensors, strict=True)) for tensors in split]


def in_memory(compute: Callable[[int], Result], at_first: int, inputs: Inputs) -> Result:
    """Return what a function computes with so many inputs at once that they fit into memory.

    Where the device runs out of memory, the function is called again with half as many, and this
    process keeps to that. So the function must draw no random numbers and change nothing outside.

    Args:
        compute: takes the number of inputs at once.
        at_first: that number.
        inputs: of the shape and on the device of all.
    """
    size, example = at_first, first_tensor(inputs)
    while True:
        try:
            result = compute(size)
            break
        except torch.OutOfMemoryError as error:
            if size <= 1:
                raise InputError(
                    f"out of memory on {example.device} with a single input of shape"
                    f" {tuple(example.shape[1:])}; use a GPU with more memory"
                ) from error
        except RuntimeError as error:
            if size <= 1 or not any(text in str(error) for text in LIBRARIES_WITHOUT_MEMORY):
                raise
        # Here the error is gone, and with it what its frames kept in memory.
        torch.cuda.empty_cache()
        size //= 2
    if size < at_first:
        _fitting_area[example.device.type] = size * _area(inputs)
        say(f"out of memory with {at_first} inputs at once; from now on {size} at once")
    return result


def _area(inputs: Inputs) -> int:
    """Return the positions of an input: pixels, bands × frames, or tokens (integers [n, T])."""
    if not isinstance(inputs, torch.Tensor):
        return max(_area(tensor) for tensor in inputs.values())
    tokens = inputs.ndim == 2 and not inputs.is_floating_point()
    return max(1, inputs.shape[1 if tokens else 2 :].numel())


@contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """Raise InputError with a remedy where a device runs out of memory inside the block."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(f"out of memory on the GPU; {remedy}") from error
