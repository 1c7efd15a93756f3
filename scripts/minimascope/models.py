"""Files that hold a network: its weights and all that is needed to build it again."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from os import PathLike
from typing import Any

import torch

from .checkpoints import load_weights
from .errors import InputError
from .networks import NetworkSpec, build
from .networks.normalised import NormalisedInput
from .tensors import below, load_tensors, save_tensors

# Begins the names of what an optimiser divides gradients by, beside the weights.
DIVISOR = "divisor:"


def save_model(
    path: str | PathLike,
    model: NormalisedInput,
    spec: NetworkSpec,
    normalize: Mapping[str, Any],
    divisors: Mapping[str, torch.Tensor] | None = None,
    **metadata: Any,
) -> None:
    """Write the network's weights as safetensors, with its specification in the metadata.

    ``divisors`` are those of `optim.preconditioner`, where they are kept, too.
    """
    network = asdict(spec) | {"options": dict(spec.options)}
    save_tensors(
        path,
        model.network.state_dict() | {f"{DIVISOR}{n}": t for n, t in (divisors or {}).items()},
        network=network,
        normalize=dict(normalize),
        torch=torch.__version__,
        **metadata,
    )


def load_model(
    path: str | PathLike, device: torch.device, dropout: float | None = None
) -> tuple[NormalisedInput, NetworkSpec, dict[str, Any]]:
    """Read what `save_model` wrote and return (model in evaluation mode, specification, metadata).

    ``dropout`` replaces the probability with which the network was saved; it has no weights.
    """
    tensors, metadata = load_tensors(path)
    if "network" not in metadata:
        raise InputError(f"{path}: holds no network; name a model.safetensors of this workflow")
    network = metadata["network"]
    spec = NetworkSpec(**network | {"input_size": tuple(network["input_size"])})
    if dropout is not None:
        spec = replace(spec, dropout=dropout)
    network = build(spec)
    load_weights(network, {n: t for n, t in tensors.items() if not n.startswith(DIVISOR)}, path)
    model = NormalisedInput(network, **metadata["normalize"])
    return model.eval().to(device), spec, metadata


def load_divisors(path: str | PathLike, device: torch.device) -> dict[str, torch.Tensor]:
    """Return what `save_model` wrote of an optimiser's divisors, by the names of the parameters."""
    tensors, _ = load_tensors(path)
    return {name: tensor.to(device) for name, tensor in below(tensors, DIVISOR).items()}
