"""CNN10 and CNN14 against the published code."""

import math

import pytest
import torch
from networks_cases import PANNS, PublishedPANNs, copy_by_order
from sharpness_cases import randomise
from torch import nn

from minimascope.networks import NetworkSpec, build, initialise

F64 = torch.float64

# Odd sizes, so that pools leave rows and columns out.
SPECS = {
    "cnn10": NetworkSpec("cnn10", 2, (18, 39), 5, width=1 / 32),
    "cnn14": NetworkSpec("cnn14", 1, (34, 71), 5, width=1 / 64),
}


@pytest.mark.parametrize("architecture", SPECS)
def test_logits_are_those_of_the_published_code(architecture):
    spec = SPECS[architecture]
    sizes = [spec.channels, *(round(size * spec.width) for size in PANNS[architecture])]
    draws = torch.Generator().manual_seed(1)
    inputs = torch.randn(6, spec.channels, *spec.input_size, generator=draws, dtype=F64)
    model = randomise(initialise(spec, seed=0), inputs.float()).double()
    for bias in (model.body.fc1.bias, model.head.bias):
        nn.init.normal_(bias, generator=draws)
    published = PublishedPANNs(sizes, spec.input_size[0]).double().eval()
    del published.logmel_extractor, published.spectrogram_extractor, published.fc_audioset
    copy_by_order(model.body, published)
    with torch.no_grad():
        features = published.features(inputs.transpose(2, 3))
        logits = model(inputs)
    assert logits.std(0).min() > 1e-3
    expected = features @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("architecture", "side"), [("cnn10", 16), ("cnn14", 32)])
def test_the_smallest_input_is_pooled_to_one_number(architecture, side):
    model = build(NetworkSpec(architecture, 1, (side, side), 3, width=1 / 64)).eval()
    shapes = []
    model.body.blocks.register_forward_hook(lambda _m, _i, output: shapes.append(output.shape))
    assert model(torch.zeros(2, 1, side, side)).shape == (2, 3)
    assert shapes[0][2:] == (1, 1)


@pytest.mark.parametrize("architecture", SPECS)
def test_weights_start_uniform_and_biases_at_zero(architecture):
    model = initialise(NetworkSpec(architecture, 1, (64, 64), 10, width=0.25), seed=0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_in, fan_out = (
                9 * channels for channels in (module.in_channels, module.out_channels)
            )
        elif isinstance(module, nn.Linear):
            fan_in, fan_out = module.in_features, module.out_features
        else:
            continue
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert 0.9 * bound < module.weight.abs().max().item() <= bound
        assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15)
        assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize(("dropout", "in_blocks", "rest"), [(0.5, 0.2, 0.5), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("architecture", SPECS)
def test_half_gives_the_published_dropout(architecture, dropout, in_blocks, rest):
    spec = SPECS[architecture]
    model = build(NetworkSpec(architecture, 1, spec.input_size, 5, width=0.1, dropout=dropout))
    shares = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert shares == [in_blocks] * len(PANNS[architecture]) + [rest] * 2


def test_dropout_acts_before_the_next_block_and_before_both_linear_layers():
    parts, shares = ("body.blocks.1.conv1", "body.fc1", "head"), []
    inputs = torch.randn(32, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    for dropout in (0.0, 0.5):
        spec = NetworkSpec("cnn10", 1, (64, 64), 5, width=0.25, dropout=dropout)
        model = initialise(spec, seed=0).train()
        for name in parts:
            model.get_submodule(name).register_forward_pre_hook(
                lambda _, given: shares.append((given[0] == 0).double().mean().item())
            )
        model(inputs)
    plain, dropped = torch.tensor(shares).reshape(2, 3)
    found = (dropped - plain) / (1 - plain)
    assert found.tolist() == pytest.approx([0.2, 0.5, 0.5], abs=0.03)
