"""ResNets of basic blocks for small inputs (He et al. 2016, arXiv:1512.03385)."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from . import Classifier, scaled
from .norms import Scalar, normalised

# Channels of the first stage; each further one has twice those of the stage before.
FIRST_STAGE = 64


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: [n, a, h, w] to [n, b, ⌈h/stride⌉, ⌈w/stride⌉]."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: str):
        super().__init__()
        self.residual = nn.Sequential(
            *_two_convolutions(channels_in, channels_out, stride, norm),
            *((Scalar(),) if norm == "none" else ()),
        )
        # The stride decides, not the channels: narrow stages can round to the same size.
        self.shortcut = nn.Sequential(
            *(_convolution(channels_in, channels_out, 1, stride, norm) if stride > 1 else ())
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the block's activations."""
        return F.relu(self.residual(inputs) + self.shortcut(inputs))


def resnet18(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
    norm: str = "batch",
) -> Classifier:
    """Return a `resnet` of four stages of two blocks: 21 weight layers with those of shortcuts.

    Features are [n, 512 · width]. Args: those of `resnet`.
    """
    return resnet(
        channels=channels,
        input_size=input_size,
        classes=classes,
        width=width,
        dropout=dropout,
        blocks=(2, 2, 2, 2),
        norm=norm,
    )


def resnet(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
    blocks: Sequence[int],
    shortcuts: bool = True,
    norm: str = "batch",
) -> Classifier:
    """Return a ResNet of basic blocks with a 3×3 stride-1 stem and no max-pool.

    The first stage has 64 channels (times ``width``), each further one twice those of the stage
    before, at half the resolution; then global average pool and linear head. Features are
    [n, channels of the last stage]. Convolutions have no bias, because the norm after each has
    one. Weights are drawn as `norms.normalised` says. Any input size will do.

    Args (others: see `NetworkSpec`):
        blocks: of each stage, at least one. (3, 4, 6, 3) is ResNet-34; (3, 3, 3) and (9, 9, 9) of
            width 0.25 are the ResNet-20 and ResNet-56 of CIFAR, but for the convolutions in their
            two shortcuts.
        shortcuts: False leaves them out, with their convolutions (the ResNet-noshort of Li et al.
            2018, arXiv:1712.09913).
        norm: one of `norms.NORMS`; without any a learned factor closes each residual branch.
    """
    sizes = [scaled(FIRST_STAGE * 2**stage, width) for stage in range(len(blocks))]
    layers = [*_convolution(channels, sizes[0], 3, 1, norm), nn.ReLU()]
    previous = sizes[0]
    for stage, (size, count) in enumerate(zip(sizes, blocks, strict=True)):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            if shortcuts:
                layers.append(BasicBlock(previous, size, stride, norm))
            else:
                layers += [*_two_convolutions(previous, size, stride, norm), nn.ReLU()]
            previous = size
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Classifier(nn.Sequential(*layers), previous, classes, dropout)


def _two_convolutions(
    channels_in: int, channels_out: int, stride: int, norm: str
) -> tuple[nn.Module, ...]:
    return (
        *_convolution(channels_in, channels_out, 3, stride, norm),
        nn.ReLU(),
        *_convolution(channels_out, channels_out, 3, 1, norm),
    )


def _convolution(
    channels_in: int, channels_out: int, kernel_size: int, stride: int, norm: str
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(
        channels_in, channels_out, kernel_size, stride, padding=kernel_size // 2, bias=False
    )
    return normalised(convolution, norm)
