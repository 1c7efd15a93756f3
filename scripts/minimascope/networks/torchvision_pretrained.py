"""torchvision's ResNet-18 and VGG-19 with BatchNorm, and ImageNet weights to start them from.

The builders give the architecture with drawn weights and need no file, so that a saved network can
be built again anywhere. `find_weights` and `load_pretrained` put ImageNet weights in their place.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from ..errors import InputError
from . import Classifier
from .weights_file import misfit, read_state, unreadable

CHANNELS = 3
SMALLEST_IMAGE = 32
ADDRESS = "https://download.pytorch.org/models"


# torchvision's file names, whose hexadecimal digits start the file's SHA-256.
FILES = {"resnet18": "resnet18-f37072fd.pth", "vgg19_bn": "vgg19_bn-c79401a0.pth"}
# The layers that compute ImageNet's logits.
LAST_LAYERS = {"resnet18": "fc", "vgg19_bn": "classifier.6"}


class AveragePool(nn.Module):
    """`torch.nn.AdaptiveAvgPool2d` as matrix products: [n, c, h, w] to [n, c, size, size].

    The gradient of torch's own differs from run to run on a GPU.
    """

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the means of the windows."""
        rows, columns = (
            self._shares(length, inputs.device).to(inputs.dtype) for length in inputs.shape[-2:]
        )
        return ((inputs @ columns.T).mT @ rows.T).mT

    def _shares(self, length: int, device: torch.device) -> Tensor:
        """Return each input's share in each of the means along one axis, [size, length]."""
        outputs = torch.arange(self.size, device=device)[:, None]
        inputs = torch.arange(length, device=device)
        starts = outputs * length // self.size
        ends = -(-(outputs + 1) * length // self.size)
        inside = ((starts <= inputs) & (inputs < ends)).double()
        return inside / inside.sum(1, keepdim=True)


def _torchvision(
    architecture: str,
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
) -> Classifier:
    """Return torchvision's network with a new head.

    The body keeps torchvision's initialisation, the head torch's. VGG-19 has two dropouts of its
    own, of 0.5. Arguments: see `NetworkSpec`.

    Raises:
        InputError: a value that ImageNet's weights do not fit.
    """
    if channels != CHANNELS:
        raise InputError(
            f"{architecture}: the images have {channels} channel(s), but ImageNet's have"
            f" {CHANNELS}; use colour images or a network that is not pretrained"
        )
    if width != 1:
        raise InputError(
            f"{architecture}: width {width} does not fit ImageNet weights; set width to 1.0"
        )
    if min(input_size) < SMALLEST_IMAGE:
        raise InputError(
            f"{architecture}: input_size {'×'.join(map(str, input_size))}: both sides must be at"
            f" least {SMALLEST_IMAGE}, because of its five halvings; resize the images"
        )
    body = getattr(models, architecture)(weights=None)
    if architecture == "vgg19_bn":
        body.avgpool = AveragePool(7)
    features = body.get_submodule(LAST_LAYERS[architecture]).in_features
    body.set_submodule(LAST_LAYERS[architecture], nn.Identity())
    return Classifier(body, features, classes, dropout)


# 7×7 stride-2 stem, max-pool, features [n, 512]; 21 weight layers with three in shortcuts.
resnet18 = partial(_torchvision, "resnet18")
# Average pool to 7×7 and two linear layers behind 16 convolutions, features [n, 4096]; 19 layers.
vgg19_bn = partial(_torchvision, "vgg19_bn")


def find_weights(architecture: str, folders: Sequence[Path]) -> Path:
    """Return the file of ImageNet weights in the first of the folders that has it.

    Raises:
        InputError: none of the folders has the file.
    """
    name = FILES[architecture]
    for folder in folders:
        path = Path(folder, name)
        if path.is_file():
            return path
    raise InputError(
        f"{architecture}: no file {name} in {' or '.join(map(str, folders))};"
        f" download {ADDRESS}/{name} into one of them"
    )


def load_pretrained(network: Classifier, architecture: str, path: Path) -> None:
    """Put the file's weights in place of the network's, except in the head, which stays as drawn.

    Args:
        network: what the builder of this architecture returned; unchanged if the file is refused.
        architecture: ``resnet18`` or ``vgg19_bn``.
        path: a state dictionary of torchvision's network, saved by ``torch.save``. Nothing in it
            is executed.

    Raises:
        InputError: a file that is not readable, does not have the checksum in its name, or holds
            other weights.
    """
    path = Path(path)
    remedy = f"download {ADDRESS}/{FILES[architecture]} again"
    _check_checksum(path, remedy)
    last = [f"{LAST_LAYERS[architecture]}.{kind}" for kind in ("weight", "bias")]
    content = read_state(path, remedy=remedy).tensors
    weights = {name: value for name, value in content.items() if name not in last}
    problem = misfit(weights, network.body.state_dict())
    if problem:
        raise InputError(f"{path}: not the weights of {architecture} ({problem}); {remedy}")
    network.body.load_state_dict(weights)


def _check_checksum(path: Path, remedy: str) -> None:
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error
    named = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if named and not checksum.startswith(named[1]):
        raise InputError(
            f"{path}: SHA-256 starts with {checksum[:8]}, not with the {named[1]} of its name;"
            f" {remedy}"
        )
