"""Tensors with JSON-able metadata as safetensors."""

import os
from collections.abc import Mapping
from typing import Any

import torch

from .safetensors_files import load, save_arrays


def save_tensors(
    path: str | os.PathLike, tensors: Mapping[str, torch.Tensor], **metadata: Any
) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically, with a content hash."""
    arrays = {name: tensor.numpy(force=True) for name, tensor in tensors.items()}
    save_arrays(path, arrays, **metadata)


def load_tensors(path: str | os.PathLike) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote and return (tensors, metadata).

    Raises InputError as `safetensors_files.load_arrays` does.
    """
    return load(path, "pt")


def below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
