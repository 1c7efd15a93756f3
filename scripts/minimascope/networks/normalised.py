"""A network with the normalisation of its inputs, so that one module takes the data as stored."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..errors import InputError

LARGEST_PIXEL = 255
# Mean and standard deviation of images whose own are not given.
MIDDLE = [0.5]
# Inputs that are converted to float64 at once.
CHUNK = 64


def with_own_statistics(
    normalize: Mapping[str, Sequence[float] | None], inputs: torch.Tensor
) -> dict[str, list[float]]:
    """Return the normalisation with numbers in place of None: the inputs' own.

    Images (uint8) are normalised with 0.5. Features get the mean and the standard deviation of each
    channel over all inputs, rows and columns, accumulated in float64.

    Args:
        normalize: ``mean`` and ``std``, per channel or one for all; None for the inputs' own.
        inputs: of the training split, [n, channels, height, width].

    Raises:
        InputError: features that are not finite, or all alike in a channel.
    """
    if None not in normalize.values():
        return {name: list(values) for name, values in normalize.items()}
    own = {"mean": MIDDLE, "std": MIDDLE}
    if inputs.dtype != torch.uint8:
        own = _statistics(inputs)
    return {
        name: list(own[name] if values is None else values) for name, values in normalize.items()
    }


def check_channels(
    normalize: Mapping[str, Sequence[float] | None], channels: int, where: str
) -> None:
    """Raise InputError, naming the key, for as many values as the data have no channels."""
    for key, values in normalize.items():
        if values is not None and len(values) not in (1, channels):
            raise InputError(
                f"{where}.{key}: {len(values)} values for {channels} channel(s); give one for each"
                " channel, or one for all"
            )


def _statistics(features: torch.Tensor) -> dict[str, list[float]]:
    n = features.numel() / features.shape[1]
    total = sum(part.double().sum((0, 2, 3)) for part in features.split(CHUNK))
    mean = (total / n).reshape(-1, 1, 1)
    # A second pass, because the difference of two large sums would lose digits.
    squares = sum((part - mean).square().sum((0, 2, 3)) for part in features.split(CHUNK))
    std = (squares / n).sqrt().tolist()
    for channel, value in enumerate(std):
        if not (math.isfinite(value) and value > 0):
            raise InputError(
                f"normalize: the training inputs have a standard deviation of {value} in channel"
                f" {channel}; look at the recordings, or give mean and std"
            )
    return {"mean": mean.flatten().tolist(), "std": std}


def in_units(inputs: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Return inputs in the units that a user sees: pictures in [0, 1], features as they are.

    A `NormalisedInput` computes the very same outputs of both.

    Args:
        inputs: as they are stored: bytes of pictures, or features, [n, …].
        dtype: the floating type of what is returned; None for that of features, and for float32
            of pictures.
    """
    dtype = dtype or (inputs.dtype if inputs.is_floating_point() else torch.float32)
    found = inputs.to(dtype)
    return found / LARGEST_PIXEL if inputs.dtype == torch.uint8 else found


class NormalisedInput(nn.Module):
    """Feed a network with (x / 255 - mean) / std of uint8 images x, (x - mean) / std of features.

    The parameters are the network's own: sharpness of this module is sharpness of the network.

    Args:
        network: maps inputs to logits, [n, classes].
        mean: per channel, or one value for all channels; in units of 1 = white for images.
        std: likewise.
    """

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1), persistent=False)

    def normalise(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs as the network wants them, in the buffers' floating type."""
        return (in_units(inputs, self.mean.dtype) - self.mean) / self.std

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits, [n, classes]."""
        return self.network(self.normalise(inputs))
