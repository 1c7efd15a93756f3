"""torch's own optimisers, under the names of the configuration."""

from functools import partial
from inspect import unwrap
from typing import Any

import torch
from torch.nn import Module
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

# Functions that torch's compiler leaves alone.
UNCOMPILED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def without_compiler(optimizer: type[Optimizer]) -> type[Optimizer]:
    """Return an optimiser that computes the same without loading torch's compiler.

    torch loads its compiler to keep it out of methods, which takes as long as a small network
    trains. Optimisers are not compiled here.
    """
    methods = {name: unwrap(getattr(optimizer, name)) for name in UNCOMPILED}
    methods["step"] = torch.no_grad()(unwrap(optimizer.step))
    return type(optimizer.__name__, (optimizer,), methods)


def _with_few_kernels(optimizer: type[Optimizer], model: Module, **settings: Any) -> Optimizer:
    """Build an optimiser that updates all parameters at once, in a single pass on a GPU."""
    parameters = list(model.parameters())
    on_gpu = all(parameter.is_cuda for parameter in parameters)
    # The fused kernels of CPUs round differently from those that results were computed with.
    kernels = {"fused": True} if on_gpu and parameters else {"foreach": True}
    return without_compiler(optimizer)(parameters, **kernels, **settings)


sgd = partial(_with_few_kernels, SGD)
adam = partial(_with_few_kernels, Adam)
adamw = partial(_with_few_kernels, AdamW)


def rmsprop(model: Module, **settings: Any) -> RMSprop:
    """Build RMSprop, for which torch has no fused kernel."""
    return without_compiler(RMSprop)(model.parameters(), foreach=True, **settings)
