"""The outputs of a network, in whatever form it returns them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..errors import InputError

Read = Callable[[Any], torch.Tensor]
REMEDY = "say with outputs= where they are: a name, an index, or a function of what is returned"


def reader(outputs: str | int | Read | None) -> Read:
    """Return the function that finds the outputs in what a network returns.

    Args:
        outputs: a key or attribute, an index, a function, or None for `logits_of`.
    """
    if outputs is None:
        return logits_of
    if callable(outputs):
        return lambda found: _checked(outputs(found))

    def read(found: Any) -> torch.Tensor:
        try:
            if isinstance(outputs, str) and not isinstance(found, Mapping):
                return _checked(getattr(found, outputs))
            return _checked(found[outputs])
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"outputs: {_described(found)}, without {outputs!r}; {REMEDY}"
            ) from error

    return read


def logits_of(found: Any) -> torch.Tensor:
    """Return the outputs: a tensor itself, its entry ``logits``, or the first tensor of a tuple."""
    if isinstance(found, torch.Tensor):
        return found
    logits = found.get("logits") if isinstance(found, Mapping) else getattr(found, "logits", None)
    if isinstance(logits, torch.Tensor):
        return logits
    values = found.values() if isinstance(found, Mapping) else found
    tensors = [v for v in values if isinstance(v, torch.Tensor)] if _iterable(found) else []
    if len(tensors) == 1 or (tensors and not isinstance(found, Mapping)):
        return tensors[0]
    raise InputError(f"outputs: {_described(found)}, without logits; {REMEDY}")


def _iterable(found: Any) -> bool:
    return isinstance(found, Mapping | tuple | list)


def _checked(found: Any) -> torch.Tensor:
    if not isinstance(found, torch.Tensor):
        raise InputError(f"outputs: {type(found).__name__} instead of a tensor; {REMEDY}")
    return found


def _described(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"the network returns a mapping of {', '.join(map(repr, found))}"
    return f"the network returns a {type(found).__name__}"
