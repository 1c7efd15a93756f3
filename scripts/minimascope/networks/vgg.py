"""VGG-19 with BatchNorm for small images (Simonyan & Zisserman 2015, arXiv:1409.1556)."""

from torch import nn

from ..errors import InputError
from . import Classifier, scaled

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels, convolutions
HIDDEN_SIZE = 512
REDUCTION = 2 ** len(STAGES)  # every stage ends in a max-pool that halves the image


def vgg19(
    *, channels: int, image_size: int, classes: int, width: float = 1.0, dropout: float = 0.0
) -> Classifier:
    """Return VGG-19 with BatchNorm and a small classifier.

    Sixteen 3×3 convolutions in five stages, each closed by a 2×2 max-pool; then flatten,
    Linear–BatchNorm–ReLU and the linear head: 18 weight layers. Features are [n, 512 · width].
    The flattened size is 512 · width · (image_size / 32)²: 512 for 32×32 pixels, 2048 for 64×64.
    Convolutions have no bias, because the BatchNorm after each has one. Weights keep torch's
    default initialisation.

    Args:
        channels: channels of the input.
        image_size: height and width of the input, a multiple of 32.
        classes: number of logits.
        width: factor on the number of channels and on the hidden layer.
        dropout: share of features dropped before the head in training.

    Raises:
        InputError: five max-pools do not divide the image evenly.
    """
    if image_size < REDUCTION or image_size % REDUCTION:
        raise InputError(
            f"vgg19: image_size {image_size} is not a multiple of {REDUCTION}, which its five"
            f" max-pools need; resize or pad the images, or use resnet18"
        )
    layers: list[nn.Module] = []
    previous = channels
    for size, convolutions in STAGES:
        for _ in range(convolutions):
            layers += [
                nn.Conv2d(previous, scaled(size, width), kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(scaled(size, width)),
                nn.ReLU(),
            ]
            previous = scaled(size, width)
        layers.append(nn.MaxPool2d(2))
    hidden_size = scaled(HIDDEN_SIZE, width)
    layers += [
        nn.Flatten(),
        nn.Linear(previous * (image_size // REDUCTION) ** 2, hidden_size),
        nn.BatchNorm1d(hidden_size),
        nn.ReLU(),
    ]
    return Classifier(nn.Sequential(*layers), hidden_size, classes, dropout)
