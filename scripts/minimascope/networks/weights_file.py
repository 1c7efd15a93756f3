"""Files of weights that others saved with torch: read without running anything that is in them."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


def read_weights(path: Path, remedy: str) -> Mapping[str, Any]:
    """Return a state dictionary, be it the file's content or that content's entry ``model``.

    Args:
        path: what ``torch.save`` wrote.
        remedy: what a user can do if it cannot be read; the end of the message.

    Raises:
        InputError: the file is another one, or reading it would run code.
    """
    try:
        # Files from before torch 1.6, such as torchvision's VGG, are no zip and cannot be mapped.
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except OSError as error:
        raise InputError(f"{path}: not a readable file ({error.strerror}); {remedy}") from error
    except Exception as error:  # whatever the unpickler makes of arbitrary bytes
        raise InputError(
            f"{path}: not a checkpoint of weights ({_cause(error)}); {remedy}"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        raise InputError(f"{path}: not a checkpoint of weights by name; {remedy}")
    return content


def misfit(weights: Mapping[str, Any], expected: Mapping[str, Tensor]) -> str:
    """Return what is wrong with weights that should be like the expected ones, or nothing."""
    for name in expected:
        # Older files have no counts of batches; torch then leaves them at zero.
        if name not in weights and not name.endswith("num_batches_tracked"):
            return f"{name} is missing"
    for name, value in weights.items():
        if name not in expected:
            return f"{name} is unknown"
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            return f"{name} is not a plain tensor"
        if value.shape != expected[name].shape:
            return f"{name} has shape {tuple(value.shape)}, not {tuple(expected[name].shape)}"
        if value.is_floating_point() != expected[name].is_floating_point():
            return f"{name} is {value.dtype}"
    return ""


def _cause(error: Exception) -> str:
    if code := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it needs {code[1]}, but code that a file names is never run"
    return " ".join(str(error).split())[:120] + "…"
