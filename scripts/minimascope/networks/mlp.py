"""Multilayer perceptron, for points and small pictures."""

import math

from torch import nn

from . import Classifier, scaled

HIDDEN_SIZE = 100
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def mlp(
    *,
    channels: int,
    input_size: tuple[int, int],
    classes: int,
    width: float,
    dropout: float,
    hidden_layers: int,
    activation: str = "relu",
) -> Classifier:
    """Return a perceptron whose hidden layers have 100 · width units each.

    With two hidden layers and points of the plane it is the 2–100–100–2 of Mason-Williams et al.
    (2026, arXiv:2510.12451); a point has a channel for each coordinate. Weights keep torch's
    default initialisation.

    Args (others: see `NetworkSpec`):
        hidden_layers: their number, at least 1.
        activation: of hidden units, a name of `ACTIVATIONS`.
    """
    previous, size = channels * math.prod(input_size), scaled(HIDDEN_SIZE, width)
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(hidden_layers):
        layers += [nn.Linear(previous, size), ACTIVATIONS[activation]()]
        previous = size
    return Classifier(nn.Sequential(*layers), size, classes, dropout)
