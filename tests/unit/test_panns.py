"""CNN10 and CNN14 against a computation in NumPy and SciPy, and every measure on one of them."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from sharpness_cases import dense_hessian, images, network, randomise
from torch import nn

from minimascope.networks import NetworkSpec, build, initialise
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness.hessian import loss_hessian
from minimascope.sharpness.subject import Subject

POOLED = {"cnn10": (True,) * 4, "cnn14": (True,) * 5 + (False,)}
# Odd sizes, so that pools leave rows and columns out.
SPECS = {
    "cnn10": NetworkSpec("cnn10", 2, (18, 39), 5, width=1 / 32),
    "cnn14": NetworkSpec("cnn14", 1, (34, 71), 5, width=1 / 64),
}


def numpy_norm(inputs: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Normalise [c, …] per channel with the running statistics."""
    mean, var, scale, shift = (
        weights[f"{name}.{key}"].reshape(-1, 1, 1)
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (inputs - mean) / np.sqrt(var + 1e-5) * scale + shift


def numpy_convolution(inputs: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    return np.stack(
        [
            sum(correlate2d(x, k, mode="same") for x, k in zip(inputs, kernel, strict=True))
            for kernel in kernels
        ]
    )


def numpy_pool(inputs: np.ndarray) -> np.ndarray:
    return np.stack(
        [
            [
                inputs[:, row : row + 2, column : column + 2].mean((1, 2))
                for column in range(0, inputs.shape[2] - 1, 2)
            ]
            for row in range(0, inputs.shape[1] - 1, 2)
        ]
    ).transpose(2, 0, 1)


def numpy_logits(
    spectrogram: np.ndarray, weights: dict[str, np.ndarray], pooled: tuple[bool, ...]
) -> np.ndarray:
    """Compute the logits of one spectrogram [c, mels, frames] as the paper's code lays it out."""
    hidden = numpy_norm(spectrogram.transpose(1, 2, 0), weights, "body.bn0")  # [mels, frames, c]
    hidden = hidden.transpose(2, 1, 0)  # [c, frames, mels]
    for block, pool in enumerate(pooled):
        for layer in (1, 2):
            name = f"body.blocks.{block}."
            hidden = numpy_convolution(hidden, weights[f"{name}conv{layer}.weight"])
            hidden = np.maximum(numpy_norm(hidden, weights, f"{name}bn{layer}"), 0)
        hidden = numpy_pool(hidden) if pool else hidden
    over_time = hidden.mean(2)
    features = over_time.max(1) + over_time.mean(1)
    features = np.maximum(weights["body.fc1.weight"] @ features + weights["body.fc1.bias"], 0)
    return weights["head.weight"] @ features + weights["head.bias"]


@pytest.mark.parametrize("architecture", SPECS)
def test_logits_are_those_of_the_definition(architecture):
    spec = SPECS[architecture]
    draws = torch.Generator().manual_seed(1)
    inputs = torch.randn(6, spec.channels, *spec.input_size, generator=draws)
    model = randomise(initialise(spec, seed=0), inputs).double()
    for bias in (model.body.fc1.bias, model.head.bias):
        nn.init.normal_(bias, generator=draws)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    with torch.no_grad():
        logits = model(inputs.double()).numpy()
    assert logits.std(0).min() > 1e-3
    for spectrogram, found in zip(inputs.double().numpy(), logits, strict=True):
        expected = numpy_logits(spectrogram, weights, POOLED[architecture])
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


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
    assert shares == [in_blocks] * len(POOLED[architecture]) + [rest] * 2


def zeros_before(parts: tuple[str, ...], dropout: float) -> np.ndarray:
    """Return the share of zeros in what enters each part of a CNN10 in training."""
    model = initialise(NetworkSpec("cnn10", 1, (64, 64), 5, width=0.25, dropout=dropout), seed=0)
    shares = {}
    for name in parts:
        model.get_submodule(name).register_forward_pre_hook(
            lambda _m, given, name=name: shares.update({name: (given[0] == 0).float().mean()})
        )
    model.train()(torch.randn(32, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
    return np.array([shares[name] for name in parts])


def test_dropout_acts_before_the_next_block_and_before_both_linear_layers():
    parts = ("body.blocks.1.conv1", "body.fc1", "head")
    plain, dropped = (zeros_before(parts, dropout) for dropout in (0.0, 0.5))
    assert (dropped - plain) / (1 - plain) == pytest.approx([0.2, 0.5, 0.5], abs=0.03)


def test_curvature_is_that_of_the_dense_hessian():
    model, split = network("cnn10"), images("cnn10", 6)
    parts = ("bn0.weight", "blocks.0", "blocks.1.conv1", "fc1.bias", "head")
    chosen = [name for name, _ in model.named_parameters() if any(part in name for part in parts)]
    operator = loss_hessian(model, split, chosen, batch_size=4)
    dense = dense_hessian(model, split, chosen)
    vectors = torch.randn(len(dense), 2, dtype=torch.float64, generator=generator(0))
    expected = dense @ vectors
    assert expected.norm() > 1e-3
    assert (operator @ vectors - expected).norm() < 1e-10 * expected.norm()


SETTINGS = {
    "forward": {},
    "perturbation": {"samples": 2, "adaptive": {"samples": 4, "steps": 2}},
    "hessian": {"eigenvalues": 1, "trace_products": 6, "density_probes": 0},
    "landscape": {"points": 3, "line_points": 3},
}


@pytest.mark.parametrize("family", SHARPNESS)
def test_every_family_measures_it(family):
    subject = Subject(network("cnn10"), images("cnn10", 12))
    found = SHARPNESS[family].load()(subject, generator(0), **SETTINGS[family])
    assert found.measurements
    assert all(math.isfinite(measurement.value) for measurement in found.measurements)
