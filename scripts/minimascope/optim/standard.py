"""torch's own optimisers, under the names of the configuration."""

from functools import partial
from typing import Any

from torch.nn import Module
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop


def _with_few_kernels(optimizer: type[Optimizer], model: Module, **settings: Any) -> Optimizer:
    """Build an optimiser that updates all parameters at once, in a single pass on a GPU."""
    parameters = list(model.parameters())
    on_gpu = all(parameter.is_cuda for parameter in parameters)
    # The fused kernels of CPUs round differently from those that results were computed with.
    kernels = {"fused": True} if on_gpu and parameters else {"foreach": True}
    return optimizer(parameters, **kernels, **settings)


sgd = partial(_with_few_kernels, SGD)
adam = partial(_with_few_kernels, Adam)
adamw = partial(_with_few_kernels, AdamW)


def rmsprop(model: Module, **settings: Any) -> RMSprop:
    """Build RMSprop, for which torch has no fused kernel."""
    return RMSprop(model.parameters(), foreach=True, **settings)
