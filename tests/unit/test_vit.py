import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from minimascope.networks import NetworkSpec, build, initialise

CIFAR = NetworkSpec("vit", 3, (32, 32), 10, options={"patch_size": 4})
SMALL = NetworkSpec("vit", 1, (8, 8), 10, width=0.125, options={"patch_size": 2})
# Sides that are no multiples of the patch size, and smaller than a patch.
OBLONG = NetworkSpec("vit", 3, (7, 10), 10, width=0.125, options={"patch_size": 4})
TINY = NetworkSpec("vit", 1, (2, 3), 10, width=0.125, options={"patch_size": 4})


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    torch.manual_seed(0)


def randomise(module: nn.Module) -> nn.Module:
    """Move norms and biases away from the ones and zeros they start with."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.rand_like(parameter))
    return module


def loop_shifted_patches(image: np.ndarray, patch_size: int) -> np.ndarray:
    """Patches [⌈h/p⌉ · ⌈w/p⌉, 5·c·p²]; numbers ordered by copy, channel, row, column.

    Outside of the image is zero, also where the last patches end there.
    """
    channels, height, width = image.shape
    half = patch_size // 2
    patches = []
    for top in range(0, height, patch_size):
        for left in range(0, width, patch_size):
            numbers = []
            for down, right in [(0, 0), (half, half), (half, -half), (-half, half), (-half, -half)]:
                for channel in range(channels):
                    for row in range(top + down, top + down + patch_size):
                        for column in range(left + right, left + right + patch_size):
                            inside = 0 <= row < height and 0 <= column < width
                            numbers.append(image[channel, row, column] if inside else 0.0)
            patches.append(numbers)
    return np.array(patches)


def loop_attention(tokens: np.ndarray, weights: dict[str, np.ndarray], heads: int) -> np.ndarray:
    projected = tokens @ weights["query_key_value.weight"].T
    query, key, value = np.split(projected, 3, axis=1)
    size = query.shape[1] // heads
    gathered = np.zeros_like(query)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for token in range(len(tokens)):
            others = [other for other in range(len(tokens)) if other != token]
            scores = [query[token, part] @ key[other, part] for other in others]
            shares = np.exp(np.array(scores) / weights["temperature"])
            shares /= shares.sum()
            for share, other in zip(shares, others, strict=True):
                gathered[token, part] += share * value[other, part]
    return gathered @ weights["projection.weight"].T + weights["projection.bias"]


def loop_layer_norm(tokens: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = tokens - tokens.mean(axis=1, keepdims=True)
    normalised = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return normalised * weights[name + ".weight"] + weights[name + ".bias"]


def numpy_state(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def test_temperatures_start_at_the_root_of_the_head_dimension():
    model = build(replace(CIFAR, width=0.25))
    temperatures = [p for name, p in model.named_parameters() if "temperature" in name]
    assert [value.item() for value in temperatures] == [4.0] * 6


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("spec", [SMALL, OBLONG, TINY])
def test_vit_is_the_pre_norm_transformer_of_its_definition(spec, training):
    model = randomise(build(spec)).double().train(training)
    state = numpy_state(model)
    inputs = torch.randn(2, spec.channels, *spec.input_size, dtype=torch.float64)
    with torch.no_grad():
        features, logits = model.features(inputs).numpy(), model(inputs).numpy()
    for index, image in enumerate(inputs.numpy()):
        patches = loop_shifted_patches(image, spec.options.get("patch_size", 4))
        patches = loop_layer_norm(patches, state, "body.tokenisation.norm")
        patches = patches @ state["body.tokenisation.projection.weight"].T
        patches = patches + state["body.tokenisation.projection.bias"]
        tokens = np.concatenate([state["body.class_token"][0], patches]) + state["body.position"][0]
        for depth in range(6):
            block = f"body.blocks.{depth}."
            attention = {
                name.removeprefix(block + "attention.1."): value
                for name, value in state.items()
                if name.startswith(block + "attention.1.")
            }
            normalised = loop_layer_norm(tokens, state, block + "attention.0")
            tokens = tokens + loop_attention(normalised, attention, heads=6)
            hidden = loop_layer_norm(tokens, state, block + "mlp.0")
            hidden = hidden @ state[block + "mlp.1.weight"].T + state[block + "mlp.1.bias"]
            hidden = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
            tokens = tokens + hidden @ state[block + "mlp.3.weight"].T
            tokens = tokens + state[block + "mlp.3.bias"]
        expected = loop_layer_norm(tokens, state, "body.norm")[0]
        np.testing.assert_allclose(features[index], expected, rtol=1e-9, atol=1e-10)
        expected = expected @ state["head.weight"].T + state["head.bias"]
        np.testing.assert_allclose(logits[index], expected, rtol=1e-9, atol=1e-10)


def test_class_token_and_positions_start_small():
    model = initialise(CIFAR, seed=0)
    assert model.body.position.shape == (1, 65, 512)
    assert model.body.position.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.body.class_token.std().item() == pytest.approx(0.02, rel=0.15)


def test_vit_drops_inside_every_block_too():
    block = initialise(replace(SMALL, dropout=0.5), seed=0).body.blocks[3].train()
    tokens = torch.randn(8, 17, 64)
    for branch in (block.attention, block.mlp):
        assert (branch(tokens) == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
