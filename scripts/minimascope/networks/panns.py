"""CNN10 and CNN14 of PANNs, for log-mel spectrograms (Kong et al. 2020, arXiv:1912.10211)."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from . import Classifier, scaled

# Channels of each block, and the side of the average pool that closes it.
CNN10 = ((64, 2), (128, 2), (256, 2), (512, 2))
CNN14 = ((64, 2), (128, 2), (256, 2), (512, 2), (1024, 2), (2048, 1))
# The published networks drop 0.2 after each block, and 0.5 around the fully connected layer.
BLOCK_DROPOUT = 0.4


class ConvBlock(nn.Module):
    """Two 3×3 convolutions, an average pool and dropout: [n, a, h, w] to [n, b, ⌊h/p⌋, ⌊w/p⌋]."""

    def __init__(self, channels_in: int, channels_out: int, pool: int, dropout: float):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.pool = pool
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the block's activations."""
        hidden = F.relu(self.bn1(self.conv1(inputs)))
        hidden = F.relu(self.bn2(self.conv2(hidden)))
        return self.dropout(F.avg_pool2d(hidden, self.pool))


class SpectrogramEncoder(nn.Module):
    """Spectrograms [n, c, mels, frames] to features [n, d], d the channels of the last block.

    The spectrogram is normalised per mel band and turned, so that time is the first axis of the
    convolutions as in the published weights. After the blocks: mean over the bands, largest value
    plus mean over time, one fully connected layer.
    """

    def __init__(self, mels: int, blocks: Sequence[ConvBlock], size: int, dropout: float):
        super().__init__()
        self.bn0 = nn.BatchNorm2d(mels)
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(size, size)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return the features."""
        normalised = self.bn0(spectrograms.transpose(1, 2))  # [n, mels, c, frames]
        over_time = self.blocks(normalised.permute(0, 2, 3, 1).contiguous()).mean(3)
        return F.relu(self.fc1(self.dropout(over_time.amax(2) + over_time.mean(2))))


def _panns(
    architecture: str,
    stages: Sequence[tuple[int, int]],
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
) -> Classifier:
    """Return a network whose stages are blocks of two 3×3 convolutions.

    One fully connected layer and the head follow; features are [n, channels of the last block].
    Convolutions have no bias. Weights are drawn from Glorot's uniform distribution, biases start
    at 0.

    Args (others: see `NetworkSpec`):
        dropout: before the fully connected layer and before the head; 0.4 times that after each
            block. 0.5 gives the published shares.

    Raises:
        InputError: the input is too small for the pools.
    """
    reduction = math.prod(pool for _, pool in stages)
    mels, frames = input_size
    if min(mels, frames) < reduction:
        raise InputError(
            f"{architecture}: input_size {mels}×{frames} is too small for its pools; use at"
            f" least {reduction} mel bands and {reduction} frames, or resnet18"
        )
    sizes = [channels, *(scaled(size, width) for size, _ in stages)]
    blocks = [
        ConvBlock(*between, pool, BLOCK_DROPOUT * dropout)
        for between, (_, pool) in zip(pairwise(sizes), stages, strict=True)
    ]
    body = SpectrogramEncoder(mels, blocks, sizes[-1], dropout)
    return Classifier(body, sizes[-1], classes, dropout).apply(_initialise)


# 10 weight layers, 5,219,279 parameters with 527 classes; at least 16 mel bands and frames.
cnn10 = partial(_panns, "cnn10", CNN10)
# 14 weight layers, 80,753,615 parameters with 527 classes; at least 32 mel bands and frames.
cnn14 = partial(_panns, "cnn14", CNN14)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
