"""ResNet-18 for small inputs (He et al. 2016, arXiv:1512.03385)."""

from torch import Tensor, nn
from torch.nn import functional as F

from . import Classifier, scaled

STAGE_CHANNELS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: [n, a, h, w] to [n, b, ⌈h/stride⌉, ⌈w/stride⌉]."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(channels_in, channels_out, kernel_size=3, stride=stride),
            nn.ReLU(),
            *_convolution(channels_out, channels_out, kernel_size=3, stride=1),
        )
        # The stride decides, not the channels: narrow stages can round to the same size.
        self.shortcut = nn.Sequential(
            *(_convolution(channels_in, channels_out, 1, stride) if stride > 1 else ())
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the block's activations."""
        return F.relu(self.residual(inputs) + self.shortcut(inputs))


def resnet18(
    *, channels: int, input_size: tuple[int, int], classes: int, width: float, dropout: float
) -> Classifier:
    """Return ResNet-18 with a 3×3 stride-1 stem and no max-pool.

    Four stages of two basic blocks with 64, 128, 256 and 512 channels (times ``width``), global
    average pool, linear head: 21 weight layers with the three shortcut convolutions. Features are
    [n, 512 · width]. Convolutions have no bias, because the BatchNorm after each has one. Weights
    keep torch's default initialisation. Arguments: see `NetworkSpec`; any input size will do.
    """
    sizes = [scaled(size, width) for size in STAGE_CHANNELS]
    layers = [*_convolution(channels, sizes[0], kernel_size=3, stride=1), nn.ReLU()]
    previous = sizes[0]
    for stage, size in enumerate(sizes):
        for block in range(BLOCKS_PER_STAGE):
            layers.append(BasicBlock(previous, size, stride=2 if stage > 0 and block == 0 else 1))
            previous = size
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Classifier(nn.Sequential(*layers), previous, classes, dropout)


def _convolution(
    channels_in: int, channels_out: int, kernel_size: int, stride: int
) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    convolution = nn.Conv2d(
        channels_in, channels_out, kernel_size, stride, padding=kernel_size // 2, bias=False
    )
    return convolution, nn.BatchNorm2d(channels_out)
