"""BatchNorm's running statistics: which layers have them, and how they are estimated anew."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

NormLayer = nn.modules.batchnorm._BatchNorm


def tracking(model: nn.Module) -> list[NormLayer]:
    """Return the layers that keep running statistics."""
    return [m for m in model.modules() if isinstance(m, NormLayer) and m.track_running_stats]


@contextmanager
def by_batch(model: nn.Module) -> Iterator[None]:
    """Let BatchNorm normalise by the statistics of each batch; all else stays in its mode.

    Running statistics follow the batches, as in training.
    """
    layers = [layer for layer in tracking(model) if not layer.training]
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()


@torch.no_grad()
def reestimate(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Give BatchNorm the statistics that belong to a network's weights, in one pass over data.

    They are the mean over the batches of each batch's own (Izmailov et al. 2018, arXiv:1803.05407,
    section 3.2). All other layers, such as dropout, stay in their mode. A network without BatchNorm
    is not run.

    Args:
        model: whose running statistics are replaced.
        batches: inputs; gone through once.
    """
    layers = tracking(model)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        # With none torch takes the mean over all batches.
        layer.momentum = None
    try:
        with by_batch(model):
            for inputs in batches:
                model(inputs)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
