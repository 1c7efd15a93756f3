"""The convolutional recurrent network against plain loops."""

import numpy as np
import pytest
import torch
from sharpness_cases import randomise
from torch import nn
from torch.nn import functional as F

from minimascope.errors import InputError
from minimascope.networks import NetworkSpec, build, initialise

F64 = torch.float64
# Odd sizes, so that pools leave rows and columns out.
SPEC = NetworkSpec("crnn", 2, (19, 45), 5, width=1 / 32)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def gru_states(inputs: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """States [t, d] of a gated recurrent unit (Cho et al. 2014), as torch defines it."""
    state, states = np.zeros(weights["weight_hh_l0"].shape[1]), []
    for now in inputs:
        given = weights["weight_ih_l0"] @ now + weights["bias_ih_l0"]
        kept = weights["weight_hh_l0"] @ state + weights["bias_hh_l0"]
        (r_in, z_in, n_in), (r_own, z_own, n_own) = np.split(given, 3), np.split(kept, 3)
        reset, update = sigmoid(r_in + r_own), sigmoid(z_in + z_own)
        new = np.tanh(n_in + reset * n_own)
        state = (1 - update) * new + update * state
        states.append(state)
    return np.array(states)


def convolved(model: nn.Module, spectrograms: torch.Tensor) -> torch.Tensor:
    """What enters the recurrent layer, [n, t, channels], block by block."""
    state = model.state_dict()

    def normed(values, name, axis):
        shape = [-1 if i == axis else 1 for i in range(4)]
        mean, variance, weight, bias = (
            state[f"{name}.{key}"].reshape(shape)
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / (variance + 1e-5).sqrt() * weight + bias

    # [n, c, mels, frames] with a norm for each band; then frames × bands.
    values = normed(spectrograms, "body.bn0", 2).transpose(2, 3)
    for block in ("body.blocks.0", "body.blocks.1", "body.blocks.2"):
        for number in (1, 2):
            kernel = state[f"{block}.conv{number}.weight"]
            values = normed(F.conv2d(values, kernel, padding=1), f"{block}.bn{number}", 1)
            values = values.clamp(min=0)
        height, width = (side // 2 * 2 for side in values.shape[2:])
        corners = [values[:, :, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
        values = sum(corners) / 4
    return values.mean(3).transpose(1, 2)


def test_logits_are_those_of_plain_loops():
    draws = torch.Generator().manual_seed(1)
    inputs = torch.randn(3, SPEC.channels, *SPEC.input_size, generator=draws, dtype=F64)
    model = randomise(initialise(SPEC, seed=0), inputs.float()).double()
    weights = {key: value.numpy() for key, value in model.body.recurrent.state_dict().items()}
    with torch.no_grad():
        logits, over_time = model(inputs).numpy(), convolved(model, inputs).numpy()
    assert over_time.shape == (3, 45 // 8, 8)
    states = [gru_states(own, weights).mean(0) for own in over_time]
    expected = np.array(states) @ model.head.weight.detach().numpy().T
    np.testing.assert_allclose(
        logits, expected + model.head.bias.detach().numpy(), rtol=1e-9, atol=1e-10
    )
    assert logits.std(0).min() > 1e-4


def test_the_order_of_time_counts():
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 1, 16, 64, generator=draws, dtype=F64)
    model = randomise(
        initialise(NetworkSpec("crnn", 1, (16, 64), 5, width=0.25), seed=0), inputs.float()
    ).double()
    # Filters of a pixel do not tell one direction of time from the other.
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data[..., [0, 0, 2, 2], [0, 2, 0, 2]] = 0
            module.weight.data[..., [0, 2, 1, 1], [1, 1, 0, 2]] = 0
    with torch.no_grad():
        logits = model(inputs)
        change = (logits - model(inputs.flip(3))).abs()
    assert change.max() > 0.01 * logits.std(0).max()


def test_the_smallest_input_is_one_state():
    assert build(NetworkSpec("crnn", 1, (8, 8), 3, width=1 / 32)).eval()(
        torch.zeros(2, 1, 8, 8)
    ).shape == (2, 3)
    with pytest.raises(InputError, match=r"crnn: input_size 8×7 is too small .* 8 frames"):
        build(NetworkSpec("crnn", 1, (8, 7), 3))
