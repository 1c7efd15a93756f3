"""A network with the normalisation of its inputs, so that one module takes the data as stored."""

from collections.abc import Sequence

import torch
from torch import nn

LARGEST_PIXEL = 255


class NormalisedInput(nn.Module):
    """Feed a network with (x / 255 - mean) / std of uint8 images x, (x - mean) / std of features.

    The parameters are the network's own: sharpness of this module is sharpness of the network.

    Args:
        network: has ``features(inputs) -> [n, d]`` and ``head``, its last linear layer.
        mean: per channel, or one value for all channels; in units of 1 = white for images.
        std: likewise.
    """

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1), persistent=False)

    @property
    def head(self) -> nn.Linear:
        """The last linear layer of the network."""
        return self.network.head

    def normalise(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs as the network wants them, in the buffers' floating type."""
        scale = LARGEST_PIXEL if inputs.dtype == torch.uint8 else 1
        return (inputs.to(self.mean.dtype) / scale - self.mean) / self.std

    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what enters the head, [n, d]."""
        return self.network.features(self.normalise(inputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits, [n, classes]."""
        return self.head(self.features(inputs))
