"""Parameters as one vector."""

import pytest
import torch
from torch import nn

from minimascope.errors import InputError
from minimascope.sharpness.flat import ALIGNMENT, FlatTensors, selected_parameters


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 5))


def test_tensors_keep_their_values_and_become_views_of_the_vector():
    model, twin = network(), network()
    flat = FlatTensors(list(model.parameters()))
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, q)
    flat.vector.zero_()
    assert all((p == 0).all() for p in model.parameters())
    assert flat.size == sum(p.numel() for p in twin.parameters())


def test_every_tensor_starts_at_an_aligned_place_and_gaps_are_zero():
    model = network()
    flat = FlatTensors(list(model.parameters()))
    start = flat.vector.data_ptr()
    for p in model.parameters():
        assert (p.data_ptr() - start) % (4 * ALIGNMENT) == 0
    assert flat.vector.count_nonzero() == sum(p.count_nonzero() for p in model.parameters())


def test_pack_is_the_inverse_of_unpack_for_tensors_of_any_memory_format():
    model = network()
    flat = FlatTensors(list(model.parameters()))
    draws = [torch.randn(p.shape) for p in model.parameters()]
    draws[0] = draws[0].to(memory_format=torch.channels_last)
    for given, back in zip(draws, flat.unpack(flat.pack(draws)), strict=True):
        assert torch.equal(given, back)


def test_scalars_and_empty_shapes_have_a_place():
    scalar, vector = torch.tensor(2.0), torch.arange(3.0)
    flat = FlatTensors([scalar, vector])
    assert [part.tolist() for part in flat.unpack(flat.vector)] == [2.0, [0.0, 1.0, 2.0]]


def test_selections_name_parameters():
    model = network()
    assert list(selected_parameters(model)) == [
        *("0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias")
    ]
    assert list(selected_parameters(model, "weights")) == ["0.weight", "3.weight"]
    assert list(selected_parameters(model, ["3.*", "0.bias"])) == ["0.bias", "3.weight", "3.bias"]
    assert list(selected_parameters(model, "3.*")) == ["3.weight", "3.bias"]
    model[3].weight.requires_grad_(False)
    assert list(selected_parameters(model, "weights")) == ["0.weight"]


def test_a_pattern_that_matches_nothing_is_named_with_what_there_is():
    with pytest.raises(InputError, match=r"parameters: 'head\.\*' matches none.*from '0.weight'"):
        selected_parameters(network(), ["head.*"])
    with pytest.raises(InputError, match="leaves nothing"):
        selected_parameters(nn.BatchNorm1d(3), "weights")
