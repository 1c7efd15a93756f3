"""What normalises a layer's outputs: BatchNorm, GroupNorm, or nothing."""

import math

import torch
from torch import Tensor, nn

NORMS = ("batch", "group", "none")
# About so many channels are in a group, and exactly where they divide those of the layer: as good
# as 32 groups (Wu & He 2018, arXiv:1803.08494, Table 3), and a choice that does not leave a channel
# of a narrow network alone.
CHANNELS_PER_GROUP = 16


def normalised(layer: nn.Conv2d | nn.Linear, norm: str) -> tuple[nn.Module, ...]:
    """Return a layer and what normalises its outputs.

    With a norm, weights keep torch's default initialisation (uniform, variance 1/(3 · fan-in)),
    whose scale the norm takes out again. Without one, the same draws are multiplied by √6: that is
    He's initialisation for rectifiers (uniform, variance 2/fan-in; He et al. 2015,
    arXiv:1502.01852), with which outputs keep their size from layer to layer. The layer then has a
    bias, which starts at zero as that of a norm does.

    Args:
        layer: with the weights that torch draws for it.
        norm: one of `NORMS`.
    """
    size = len(layer.weight)
    if norm == "group":
        return layer, nn.GroupNorm(math.gcd(size, max(1, size // CHANNELS_PER_GROUP)), size)
    if norm == "batch":
        convolution = isinstance(layer, nn.Conv2d)
        return layer, (nn.BatchNorm2d if convolution else nn.BatchNorm1d)(size)
    with torch.no_grad():
        layer.weight.mul_(math.sqrt(6))
    layer.bias = nn.Parameter(torch.zeros(size))
    return (layer,)


class Scalar(nn.Module):
    """A learned factor that starts at zero (SkipInit: De & Smith 2020, arXiv:2002.10444).

    Without a norm it closes a residual branch, so that the block is its shortcut at first and
    activations do not grow with depth.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs times the factor."""
        return self.factor * inputs
