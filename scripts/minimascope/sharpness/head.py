"""The head of a network: the linear layer whose output is its logits."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import nn

from .objective import Objective


def head_of(model: nn.Module, objective: Objective) -> nn.Linear | None:
    """Return the linear layer whose output the logits are, wherever it is registered, or None.

    Found by one pass of one sample.
    """
    calls: list[tuple[nn.Linear, torch.Tensor, torch.Tensor]] = []

    def note(layer: nn.Linear, arguments: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        # Copies, since a network may change its logits in place behind the layer.
        calls.append((layer, arguments[0].clone(), output.clone()))

    with torch.no_grad(), ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                hooks.callback(module.register_forward_hook(note).remove)
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
    hook = head.register_forward_pre_hook(lambda _layer, arguments: found.append(arguments[0]))
    try:
        yield found
    finally:
        hook.remove()


def bias_of(head: nn.Linear) -> torch.Tensor:
    """Return the bias of a linear layer, zeros if it has none."""
    return head.weight.new_zeros(len(head.weight)) if head.bias is None else head.bias


def _same(output: torch.Tensor, logits: torch.Tensor) -> bool:
    # equal_nan: a network that diverged is a result to report, not a mistake in its layout.
    alike = output.numel() == logits.numel() and output.shape[-1] == logits.shape[-1]
    output = output.reshape(logits.shape).to(logits.dtype) if alike else output
    return alike and torch.allclose(output, logits, rtol=0, atol=0, equal_nan=True)
