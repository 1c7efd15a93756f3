"""The network of the command ``minimascope``, with the weights of a checkpoint."""

import hashlib
import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..initial_weights import OF_THE_START, network_spec
from ..models import load_model
from ..networks import check_logits, count_weight_layers, initialise
from ..networks.normalised import MIDDLE, NormalisedInput, check_channels
from ..networks.weights_file import State, fitted, prefix_of, read_state
from ..registry import library_of
from ..safetensors_files import METADATA_KEY
from ..sharpness.losses import CROSS_ENTROPY
from ..streams import derive_seed
from ..study.schema import PACKAGED, complete, definition, load_schema
from ..study.validation import check
from .data import Data
from .own import is_own, own_function

# Inputs of these have one output.
ONE_OUTPUT = "binary_cross_entropy"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Network:
    """A network with what is known of it.

    Attributes:
        model: from inputs as they are stored to outputs.
        name: its architecture.
        options: of the architecture.
        normalize: mean and standard deviation of its inputs; None where these stay as they are.
        checkpoint: where its weights are from; None where they were drawn, or are its own.
    """

    model: nn.Module
    name: str
    options: Mapping[str, Any]
    normalize: Mapping[str, Sequence[float]] | None
    checkpoint: Mapping[str, Any] | None

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def weight_layers(self) -> int:
        """Number of linear, convolutional and embedding layers."""
        return count_weight_layers(self.model)


def read_network(arguments: Namespace, data: Data) -> Network:
    """Return the network that the command names, with its weights, in evaluation mode.

    Raises:
        InputError: unknown names or options, inputs that it cannot take, or a checkpoint that is
            not its own.
    """
    checkpoint: Path | None = arguments.checkpoint
    if checkpoint is not None and arguments.network is None:
        return _of_this_project(arguments, checkpoint)
    options = dict(arguments.option)
    if is_own(arguments.network):
        network, options = _own(arguments.network, options, data, arguments)
    else:
        network, options = _named(arguments.network, options, data, arguments)
    about = None
    if checkpoint is not None:
        state = read_state(checkpoint, arguments.key)
        expected = network.state_dict()
        network.load_state_dict(fitted(state.tensors, expected, checkpoint))
        about = _origin(checkpoint, state, prefix_of(state.tensors, expected))
    normalize = _normalisation(arguments.normalize, data)
    if normalize is not None:
        network = NormalisedInput(network, **normalize)
    return Network(network.eval(), arguments.network, options, normalize, about)


def _of_this_project(arguments: Namespace, path: Path) -> Network:
    """Return the network of a file that says itself which one it is."""
    if path.suffix != ".safetensors" or not _described(path):
        raise InputError(
            f"{path}: does not say which network it is of; name that with --network, such as"
            " timm:resnet18 or my_network.py:build"
        )
    for option in ("option", "key", "normalize"):
        if getattr(arguments, option):
            raise InputError(f"--{option}: {path} has its own; leave it out")
    model, spec, metadata = load_model(path, CPU)
    about = {"path": str(path), "sha256": _sha256(path), "key": "", "prefix": ""}
    options = {"width": spec.width, "dropout": spec.dropout, **spec.options}
    return Network(model, spec.architecture, options, metadata["normalize"], about)


def trained_loss(checkpoint: Path | None) -> str:
    """Return the loss that a network of this project was trained with; the usual one of others."""
    if checkpoint is None or checkpoint.suffix != ".safetensors":
        return CROSS_ENTROPY.name
    training = _described(checkpoint).get("training") or {}
    return training.get("loss") or CROSS_ENTROPY.name


def _described(path: Path) -> dict[str, Any]:
    """Return what a file says of itself if it is of this project, and nothing otherwise."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from error


def _named(
    name: str, options: dict[str, Any], data: Data, arguments: Namespace
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a network of this project or a library, with its options completed by defaults."""
    for option in options.keys() & {*OF_THE_START}:
        raise InputError(f"--option {option}: name the file of weights with --checkpoint")
    schema = load_schema(PACKAGED)
    whole = {"architecture": name, **options}
    check(whole, definition(schema, "network"), "--network")
    whole = complete(whole, definition(schema, "network"), schema)
    if not data.shape:
        raise InputError(
            f"--network: {name} needs to know the shape of its inputs; let the function of --data"
            " return (inputs, labels), or name a function of yours"
        )
    channels, size = _sizes(data)
    spec = network_spec(whole, (channels, *size), _outputs(data, arguments.loss))
    network = initialise(spec, arguments.seed)
    check_logits(network, spec)
    width = {} if library_of(name) else {"width": spec.width}
    return network, {**width, **spec.options}


def _sizes(data: Data) -> tuple[int, tuple[int, ...]]:
    """Return channels and size of the inputs; those without channels have one."""
    channels, *size = data.shape if len(data.shape) > 1 else (1, *data.shape)
    return channels, tuple(size)


def _outputs(data: Data, loss: str) -> int:
    if loss == ONE_OUTPUT:
        return 1
    if data.classes:
        return len(data.classes)
    return 1 if data.labels is None else data.labels.shape[1:].numel()


def _own(
    name: str, options: dict[str, Any], data: Data, arguments: Namespace
) -> tuple[nn.Module, dict[str, Any]]:
    """Return what a user's function returns, given its options, and sizes where it wants them."""
    function = own_function(name, "--network")
    parameters = signature(function).parameters
    others = any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())
    if unknown := [option for option in options if option not in parameters and not others]:
        raise InputError(f"--option {unknown[0]}: {name} has no such parameter; leave it out")
    sizes: dict[str, Any] = {}
    if data.shape:
        channels, input_size = _sizes(data)
        sizes = {"channels": channels, "input_size": input_size}
        sizes["classes"] = _outputs(data, arguments.loss)
    given = {key: value for key, value in sizes.items() if key in parameters} | options
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(arguments.seed, "initial weights"))
        network = function(**given)
    if not isinstance(network, nn.Module):
        raise InputError(f"--network: {name} returned no torch.nn.Module; let it return one")
    return network, given


def _normalisation(
    given: Sequence[Sequence[float]] | None, data: Data
) -> dict[str, list[float]] | None:
    """Return the normalisation of inputs, or None where they stay as they are."""
    is_image = len(data.shape) == 3 and isinstance(data.inputs, torch.Tensor)
    if given is None:
        pictures = is_image and data.inputs.dtype == torch.uint8
        return {"mean": MIDDLE, "std": MIDDLE} if pictures else None
    if not is_image:
        raise InputError("--normalize: is for inputs [n, channels, height, width]; leave it out")
    mean, std = map(list, given)
    if not min(std) > 0:
        raise InputError("--normalize: the standard deviation must be above 0")
    normalize = {"mean": mean, "std": std}
    check_channels(normalize, data.shape[0], "--normalize")
    return normalize


def _origin(path: Path, state: State, prefix: str) -> dict[str, Any]:
    return {"path": str(path), "sha256": _sha256(path), "key": state.key, "prefix": prefix}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
