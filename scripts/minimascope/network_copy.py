"""A copy of a network that measures can move and differentiate, whatever wraps the network."""

import copy
import itertools
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from .errors import InputError

HALVES = (torch.float16, torch.bfloat16)
WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def network_copy(model: nn.Module, call: Callable[[nn.Module], object]) -> nn.Module:
    """Return a copy of the network inside all wrappers, in evaluation mode.

    A network in half precision becomes one in float32, in which losses can be told apart. Lazy
    modules get their parameters from a pass.

    Args:
        model: any module; unchanged.
        call: runs a network on a batch.

    Raises:
        InputError: the network cannot be copied.
    """
    model = copied(unwrapped(model))
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if (inner := unwrapped(child)) is not child:
                setattr(module, name, inner)
    if any(is_lazy(tensor) for tensor in _tensors(model)):
        with torch.no_grad():
            call(model)
    halved = any(tensor.dtype in HALVES for tensor in _tensors(model))
    return model.float() if halved else model


def copied(model: nn.Module) -> nn.Module:
    """Return a copy of a network, in evaluation mode.

    Raises:
        InputError: the network cannot be copied.
    """
    try:
        return copy.deepcopy(model, _held_results(model)).eval()
    except Exception as error:  # whatever a module makes of being copied
        raise InputError(
            f"{type(model).__name__} cannot be copied ({error}); build it anew and load its"
            " state_dict, and measure that"
        ) from error


def in_type(
    model: nn.Module, dtype: torch.dtype, call: Callable[[nn.Module], torch.Tensor]
) -> nn.Module | None:
    """Return a copy of a network in a floating type, or None where it does not run in it.

    Such a network makes tensors of a type of its own, or converts its outputs to that.

    Args:
        model: unchanged.
        dtype: the floating type.
        call: from a network to its outputs for an input.
    """
    model = copied(model).to(dtype)
    with torch.no_grad():
        try:
            outputs = call(model)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # "expected scalar type Double but found Float", in many words
            return None
    return model if outputs.dtype == dtype else None


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network inside DataParallel, DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, WRAPPERS):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def device_of(model: nn.Module) -> torch.device:
    """Return where a network lies, by its first parameter or buffer."""
    return next((tensor.device for tensor in _tensors(model)), torch.device("cpu"))


def _tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    return itertools.chain(model.parameters(), model.buffers())


def _held_results(model: nn.Module) -> dict[int, torch.Tensor]:
    """Return copies of what modules hold of their last pass, as deepcopy's memo takes them.

    Pruning and old weight normalisation keep their weights as results with a graph, which cannot
    be copied with it; the next pass computes them again.
    """
    return {
        id(value): value.detach().clone()
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }
