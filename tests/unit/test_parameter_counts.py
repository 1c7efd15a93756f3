"""Sizes of the full networks on CIFAR-100, counted layer by layer from their description.

The CIFAR-10 shapes are counted beside the tests of each network.
"""

import itertools

import pytest
import torch
from study_cases import options

from minimascope.networks import NetworkSpec, build, count_weight_layers

CLASSES = 100

# Each layer is (parameters, whether it counts as a layer of the Fisher–Rao norm).


def convolution(channels_in, channels_out, kernel):
    return channels_in * channels_out * kernel * kernel, True


def linear(size_in, size_out, bias=True):
    return size_in * size_out + bias * size_out, True


def norm(size):  # batch or layer normalisation: scale and shift
    return 2 * size, False


def free(size):  # parameters of no layer
    return size, False


RESNET18 = [
    *(convolution(3, 64, 3), norm(64)),  # stem
    *2 * [convolution(64, 64, 3), norm(64), convolution(64, 64, 3), norm(64)],
    *(convolution(64, 128, 3), norm(128), convolution(128, 128, 3), norm(128)),
    *(convolution(64, 128, 1), norm(128)),  # shortcut
    *(convolution(128, 128, 3), norm(128), convolution(128, 128, 3), norm(128)),
    *(convolution(128, 256, 3), norm(256), convolution(256, 256, 3), norm(256)),
    *(convolution(128, 256, 1), norm(256)),
    *(convolution(256, 256, 3), norm(256), convolution(256, 256, 3), norm(256)),
    *(convolution(256, 512, 3), norm(512), convolution(512, 512, 3), norm(512)),
    *(convolution(256, 512, 1), norm(512)),
    *(convolution(512, 512, 3), norm(512), convolution(512, 512, 3), norm(512)),
    linear(512, CLASSES),
]
VGG19 = [
    *(convolution(3, 64, 3), norm(64)),
    *(convolution(64, 64, 3), norm(64)),  # 32 to 16 pixels
    *(convolution(64, 128, 3), norm(128)),
    *(convolution(128, 128, 3), norm(128)),  # 8
    *(convolution(128, 256, 3), norm(256)),
    *3 * [convolution(256, 256, 3), norm(256)],  # 4
    *(convolution(256, 512, 3), norm(512)),
    *3 * [convolution(512, 512, 3), norm(512)],  # 2
    *4 * [convolution(512, 512, 3), norm(512)],  # 1
    *(linear(512, 512), norm(512)),
    linear(512, CLASSES),
]
PATCH = 5 * 3 * 4 * 4  # the image and four shifted copies, three colours, 4×4 pixels
VIT = [
    *(norm(PATCH), linear(PATCH, 512)),
    *(free(512), free(65 * 512)),  # class token, positions of 8×8 patches and of the class token
    *6
    * [
        *(norm(512), linear(512, 3 * 6 * 64, bias=False), free(1), linear(6 * 64, 512)),
        *(norm(512), linear(512, 256), linear(256, 512)),
    ],
    *(norm(512), linear(512, CLASSES)),
]


def panns(mels, sizes, classes):
    """Two convolutions a block between the normalisation of mel bands and two linear layers."""
    layers = [norm(mels)]
    for before, after in itertools.pairwise([1, *sizes]):
        layers += [convolution(before, after, 3), norm(after)]
        layers += [convolution(after, after, 3), norm(after)]
    return [*layers, linear(sizes[-1], sizes[-1]), linear(sizes[-1], classes)]


CNN10 = (64, 128, 256, 512)
CNN14 = (*CNN10, 1024, 2048)


@pytest.mark.parametrize(
    ("architecture", "description", "parameters", "layers"),
    [
        ("resnet18", RESNET18, 11_220_132, 21),
        ("vgg19", VGG19, 20_344_868, 18),
        ("vit", VIT, 6_521_418, 26),
    ],
)
def test_full_networks_on_cifar100_are_as_large_as_their_description(
    architecture, description, parameters, layers
):
    with torch.device("meta"):
        own = options(architecture)
        model = build(NetworkSpec(architecture, 3, (32, 32), CLASSES, options=own))
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == sum(size for size, _ in description) == parameters
    assert count_weight_layers(model) == sum(counts for _, counts in description) == layers


@pytest.mark.parametrize(
    ("architecture", "sizes", "classes", "parameters"),
    [
        ("cnn10", CNN10, 527, 5_219_279),
        ("cnn14", CNN14, 527, 80_753_615),
        ("cnn10", CNN10, 10, 4_954_058),
        ("cnn14", CNN14, 10, 79_694_282),
    ],
)
def test_full_panns_are_as_large_as_published(architecture, sizes, classes, parameters):
    with torch.device("meta"):
        model = build(NetworkSpec(architecture, 1, (64, 1001), classes))
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == sum(size for size, _ in panns(64, sizes, classes)) == parameters
    assert count_weight_layers(model) == 2 * len(sizes) + 2
