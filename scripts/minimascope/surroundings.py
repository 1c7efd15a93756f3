"""What a measurement is kept apart from: its caller's modes and random numbers."""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def own_surroundings(device: torch.device) -> Iterator[None]:
    """Compute inside the block as outside of no_grad, inference_mode, autocast and a compiler.

    Random states of Python, NumPy and torch are afterwards what they were.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            for kind in {"cpu", device.type}:
                stack.enter_context(torch.autocast(kind, enabled=False))
            stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
            # Where this was never imported, nothing has been compiled; it takes seconds.
            if "torch._dynamo" in sys.modules:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextmanager
def differentiable_kernels(model: nn.Module) -> Iterator[None]:
    """Do without cuDNN in the block for recurrent networks.

    It cannot differentiate them twice, and in evaluation mode not at all.
    """
    before = torch.backends.cudnn.enabled
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before
