"""A convolutional recurrent network for log-mel spectrograms.

After Çakır et al. 2017 (arXiv:1702.06286), who classify each state, and Choi et al. 2017
(arXiv:1609.04243), who classify the last one. Here the mean of all counts, since a scene lasts as
long as its recording.
"""

import math
from itertools import pairwise

from torch import Tensor, nn

from ..errors import InputError
from . import Classifier, scaled
from .panns import BLOCK_DROPOUT, CNN10, ConvBlock

# The first blocks of CNN10: channels, and the side of the average pool.
BLOCKS = CNN10[:3]
UNITS = 256


class RecurrentEncoder(nn.Module):
    """Spectrograms [n, c, mels, frames] to features [n, d], d the units of the recurrent layer.

    Normalised per mel band and turned as in `panns.SpectrogramEncoder`; after the blocks the mean
    over the bands, a gated recurrent unit (GRU) along time, and the mean of its states.
    """

    def __init__(self, mels: int, sizes: list[int], units: int, dropout: float):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(mels)
        pools = [pool for _, pool in BLOCKS]
        blocks = [
            ConvBlock(*between, pool, BLOCK_DROPOUT * dropout)
            for between, pool in zip(pairwise(sizes), pools, strict=True)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.recurrent = nn.GRU(sizes[-1], units, batch_first=True)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return the features."""
        normalised = self.bn0(spectrograms.transpose(1, 2))  # [n, mels, c, frames]
        over_time = self.blocks(normalised.permute(0, 2, 3, 1).contiguous()).mean(3)
        states, _ = self.recurrent(over_time.transpose(1, 2).contiguous())
        return states.mean(1)


def crnn(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
) -> Classifier:
    """Return three blocks of CNN10 (64, 128, 256 channels) and a GRU with 256 units.

    Each block is two 3×3 convolutions and a pool of 2, so that a state stands for eight frames.
    Features are [n, 256 · width]. The GRU is no weight layer of the Fisher–Rao norm, whose L is 7.
    Weights keep torch's default initialisation.

    Args (others: see `NetworkSpec`):
        dropout: before the head; 0.4 times that after each block.

    Raises:
        InputError: the input is too small for the pools.
    """
    reduction = math.prod(pool for _, pool in BLOCKS)
    mels, frames = input_size
    if min(mels, frames) < reduction:
        raise InputError(
            f"crnn: input_size {mels}×{frames} is too small for its pools; use at least"
            f" {reduction} mel bands and {reduction} frames, or resnet18"
        )
    sizes = [channels, *(scaled(size, width) for size, _ in BLOCKS)]
    units = scaled(UNITS, width)
    return Classifier(RecurrentEncoder(mels, sizes, units, dropout), units, classes, dropout)
