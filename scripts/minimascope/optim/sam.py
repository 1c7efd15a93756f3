"""Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412).

A SAM step evaluates the gradient at θ + ρ g/‖g‖ instead of θ, g being the gradient at θ of the
same batch (their Algorithm 1), and lets any base optimiser take the step from θ.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

NormLayer = nn.modules.batchnorm._BatchNorm


def sam_gradient(model: nn.Module, loss: Callable[[], torch.Tensor], rho: float) -> torch.Tensor:
    """Leave SAM's gradient in the parameters' ``.grad`` and return the loss at θ.

    Args:
        model: its parameters are the same after the call, bit for bit; BatchNorm's running
            statistics are updated by the first of the two forward passes only.
        loss: computes the loss of the batch with the model's present parameters.
        rho: radius of the ascent step (Euclidean length in parameter space).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    value = loss()
    _backward(parameters, value)
    with _ascended(parameters, rho), frozen_statistics(model):
        _backward(parameters, loss())
    return value.detach()


def _backward(parameters: Sequence[nn.Parameter], loss: torch.Tensor) -> None:
    for parameter in parameters:
        parameter.grad = None
    loss.backward()


@contextmanager
def _ascended(parameters: Sequence[nn.Parameter], rho: float) -> Iterator[None]:
    moved = [p for p in parameters if p.grad is not None]
    # Kept copies, since (θ + ε) - ε is not θ in floating point.
    originals = [torch.empty_like(p, requires_grad=False) for p in moved]
    gradients = [p.grad for p in moved]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    # A zero gradient has no direction to ascend: the step is then zero, not NaN.
    scale = rho / norm.clamp_min(torch.finfo(norm.dtype).tiny)
    with torch.no_grad():
        torch._foreach_copy_(originals, moved)
        torch._foreach_add_(moved, torch._foreach_mul(gradients, scale))
        try:
            with torch.enable_grad():
                yield
        finally:
            torch._foreach_copy_(moved, originals)


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Keep BatchNorm layers from updating running statistics; outputs are as in training."""
    layers = [m for m in model.modules() if isinstance(m, NormLayer) and m.track_running_stats]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
