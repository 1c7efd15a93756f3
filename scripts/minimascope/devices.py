"""Where and in which precision numbers are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import InputError


def default_device() -> torch.device:
    """Return the first visible GPU, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """Return the name by which results say where they were computed."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Let float32 products inside the block be exact (``fp32``, ``bf16``) or rounded (``tf32``).

    torch rounds the inputs of convolutions on GPUs to TensorFloat-32 unless told otherwise. For
    ``bf16`` see `autocast`.

    Raises:
        InputError: ``tf32`` was asked for on a CPU, which has no such format.
    """
    if name == "tf32" and device.type != "cuda":
        raise InputError("training.precision: tf32 needs a GPU; use fp32 or bf16 on a CPU")
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "tf32" if name == "tf32" else "ieee"
    try:
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value


def autocast(name: str, device: torch.device) -> torch.autocast:
    """Return the context of a forward pass: bfloat16 where that is safe if name is ``bf16``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16")
