"""Networks that start from weights in a file instead of drawn ones."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from . import NetworkSpec, build
from .weights_file import fitted, read_state, renamed

KEPT, DRAWN = "kept", "drawn"


def head_of(spec: NetworkSpec) -> set[str]:
    """Return the names of the weights whose shapes depend on the number of classes.

    They are found by building the network for one more class, without memory for its weights.
    """
    with torch.device("meta"):
        own, other = (
            build(each).state_dict() for each in (spec, replace(spec, classes=spec.classes + 1))
        )
    return {name for name, value in own.items() if value.shape != other[name].shape}


def start_from(network: nn.Module, spec: NetworkSpec, path: Path, new_head: bool = False) -> str:
    """Put the weights of a file in place of the network's.

    The head (see `head_of`) stays as it is if that is wanted, if the file has none, or if it has
    one for another number of classes.

    Args:
        network: whose weights are replaced.
        spec: of the network.
        path: of the file (`weights_file.read_state`), such as a model.safetensors of a study.
        new_head: whether the head stays as it is in any case.

    Returns:
        ``kept`` if the head is the file's, or ``drawn``.

    Raises:
        InputError: weights that do not fit; names the file.
    """
    expected, head = network.state_dict(), head_of(spec)
    body = {name: value for name, value in expected.items() if name not in head}
    if not body:
        raise InputError(f"{spec.architecture}: every weight depends on the classes; draw them all")
    named = renamed(read_state(path).tensors, expected)
    shapes = {name: tuple(named[name].shape) for name in head if name in named}
    if new_head or shapes != {name: tuple(expected[name].shape) for name in head}:
        others = {name: value for name, value in named.items() if name not in head}
        network.load_state_dict(expected | fitted(others, body, path))
        return DRAWN
    network.load_state_dict(fitted(named, expected, path))
    return KEPT
