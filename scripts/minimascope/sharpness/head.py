"""The head of a network: the linear layer whose output is its logits."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError
from .objective import Objective


def head_of(model: nn.Module, objective: Objective) -> nn.Linear | None:
    """Return the linear layer whose output the logits are, wherever it is registered, or None.

    Found by one pass of one sample.
    """
    calls: list[tuple[nn.Linear, torch.Tensor, torch.Tensor]] = []

    def note(layer: nn.Linear, arguments: Any, named: Any, output: torch.Tensor) -> None:
        # Copies, since a network may change its logits in place behind the layer.
        calls.append((layer, _entering(arguments, named).clone(), output.clone()))

    with torch.no_grad(), ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                hooks.callback(module.register_forward_hook(note, with_kwargs=True).remove)
        logits = objective.outputs(model, objective.samples.first()[0])
        for layer, features, output in reversed(calls):
            # A layer that adds to its product, as adapters do, has more weights than these.
            product = F.linear(features, layer.weight, layer.bias)
            if _same(output, logits) and _same(product, output):
                return layer
    return None


@contextmanager
def features_of(head: nn.Linear | None) -> Iterator[list[torch.Tensor]]:
    """Note what enters the head in each of its calls inside the block, [b, …, d]."""
    found: list[torch.Tensor] = []
    if head is None:
        yield found
        return

    def note(_layer: nn.Module, arguments: Any, named: Any) -> None:
        found.append(_entering(arguments, named))

    hook = head.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield found
    finally:
        hook.remove()


def features_behind(
    logits: torch.Tensor, head: nn.Linear, entered: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return what entered the head in the call, or the calls, that gave the logits, [m, d].

    A network may call its head for parts of a batch, or once more for something else.

    Args:
        logits: of a batch, [b, …, C].
        head: see `head_of`.
        entered: what entered the head in each of its calls for that batch, see `features_of`.

    Raises:
        InputError: no call, nor all of them in their order, gave the logits.
    """
    calls = [features.reshape(-1, features.shape[-1]) for features in entered]
    rows = logits.numel() // len(head.weight)
    if len(calls) == 1 and len(calls[0]) == rows:
        return calls[0]
    for features in (*reversed(calls), *([torch.cat(calls)] if calls else [])):
        if len(features) == rows:
            product = F.linear(features, head.weight, head.bias).reshape(logits.shape)
            # Of other calls they are far from it; parts of a batch are rounded in other ways.
            if torch.allclose(product, logits, rtol=1e-4, atol=1e-5, equal_nan=True):
                return features
    raise InputError(
        f"relative_flatness: the last layer is called {len(calls)} times for a batch, in an order"
        " that is not that of the logits; call it once"
    )


def _entering(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> torch.Tensor:
    """Return the input among the arguments of a linear layer."""
    return arguments[0] if arguments else next(iter(named.values()))


def bias_of(head: nn.Linear) -> torch.Tensor:
    """Return the bias of a linear layer, zeros if it has none."""
    return head.weight.new_zeros(len(head.weight)) if head.bias is None else head.bias


def _same(output: torch.Tensor, logits: torch.Tensor) -> bool:
    # equal_nan: a network that diverged is a result to report, not a mistake in its layout.
    alike = output.numel() == logits.numel() and output.shape[-1] == logits.shape[-1]
    output = output.reshape(logits.shape).to(logits.dtype) if alike else output
    return alike and torch.allclose(output, logits, rtol=0, atol=0, equal_nan=True)
