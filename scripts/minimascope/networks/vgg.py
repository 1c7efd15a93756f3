"""VGG-19 for small inputs (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

import math

from torch import nn

from ..errors import InputError
from . import Classifier, scaled
from .norms import normalised

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels, convolutions
HIDDEN_SIZE = 512
REDUCTION = 2 ** len(STAGES)  # every stage ends in a max-pool that halves both sides


def vgg19(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
    norm: str = "batch",
) -> Classifier:
    """Return VGG-19 with BatchNorm, or another norm, and a small classifier.

    Sixteen 3×3 convolutions in five stages, each closed by a 2×2 max-pool; then flatten,
    Linear–BatchNorm–ReLU and the linear head: 18 weight layers. Features are [n, 512 · width].
    The flattened size is 512 · width · h/32 · w/32: 512 for 32×32 pixels, 2048 for 64×64.
    Convolutions have no bias, because the norm after each has one. Weights are drawn as
    `norms.normalised` says.

    Args (others: see `NetworkSpec`):
        norm: one of `norms.NORMS`.

    Raises:
        InputError: height h and width w are not multiples of 32.
    """
    if any(side < REDUCTION or side % REDUCTION for side in input_size):
        raise InputError(
            f"vgg19: input_size {'×'.join(map(str, input_size))}: both sides must be multiples of"
            f" {REDUCTION}, because of its five max-pools; resize or pad the inputs, or use"
            " resnet18"
        )
    layers: list[nn.Module] = []
    previous = channels
    for size, convolutions in STAGES:
        for _ in range(convolutions):
            convolution = nn.Conv2d(previous, scaled(size, width), 3, padding=1, bias=False)
            layers += [*normalised(convolution, norm), nn.ReLU()]
            previous = scaled(size, width)
        layers.append(nn.MaxPool2d(2))
    hidden_size = scaled(HIDDEN_SIZE, width)
    flattened = previous * math.prod(side // REDUCTION for side in input_size)
    layers += [nn.Flatten(), *normalised(nn.Linear(flattened, hidden_size), norm), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), hidden_size, classes, dropout)
