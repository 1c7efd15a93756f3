"""Norms of networks that predict a class for each pixel or token."""

import math

import pytest
import torch
from sharpness_cases import points
from torch import nn

from minimascope.sharpness import measure

SETTINGS = {"norms": {"samples": 2, "steps": 4, "dtype": "float64"}}


class Tokens(nn.Module):
    """A class for each of four tokens, the classes last or first."""

    def __init__(self, layer: nn.Linear, first: bool):
        super().__init__()
        self.layer, self.first = layer, first

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found = self.layer(inputs.unflatten(1, (4, 3)))
        return found.movedim(2, 1) if self.first else found


@pytest.mark.parametrize("first", [False, True])
def test_norms_of_dense_predictions_are_those_of_all_labels_in_a_row(first):
    torch.manual_seed(0)
    layer, inputs = nn.Linear(3, 5).double(), points(12, 12, 2).inputs
    with torch.no_grad():
        labels = layer(inputs.reshape(48, 3)).argmax(1)
    # Two in forty-eight are wrong, and one does not count.
    labels[[3, 17]] = (labels[[3, 17]] + 1) % 5
    counts = torch.arange(48) != 20
    alone = measure(
        *(layer, inputs.reshape(48, 3)[counts], labels[counts], "norms"), settings=SETTINGS
    )
    labels[20] = -100
    found = measure(
        *(Tokens(layer, first), inputs, labels.reshape(12, 4), "norms"), settings=SETTINGS
    )
    assert found.keys() == alone.keys()
    assert "inverse_margin" in found
    for name, other in alone.items():
        expected = other.value
        # The bound is of texts, and the paths lead to each token.
        expected += math.log(12 / 47) if name in ("pac_bayes_orig", "pac_bayes_init") else 0
        expected += math.log(4) if name.startswith("log_path_norm") else 0
        assert found[name].value == pytest.approx(expected), name
