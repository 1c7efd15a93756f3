"""What makes training fast on a GPU changes no result that can be checked on a CPU."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_training import (
    GDTUO,
    KFAC,
    SGD,
    InterruptedAfter,
    TrainingInterruptedError,
    image_data,
    resnet,
)
from torch import nn

from minimascope import optim, training
from minimascope.checkpoints import CheckpointFile
from minimascope.data.augment import Augmentation
from minimascope.devices import algorithms, fastest_memory_format, in_memory_format
from minimascope.errors import InputError
from minimascope.optim.schedule import Schedule
from minimascope.safetensors_files import content_hash
from minimascope.training import TrainingSpec, train

ADAMW = {"name": "adamw", "lr": 0.001}
OPTIMIZERS = [SGD, ADAMW, KFAC, GDTUO]
# Narrower convolutions in channels-last fail on some processors (docs/environments.md).
SAFE = 8
CPU, GPU = torch.device("cpu"), torch.device("cuda")
SPEC = TrainingSpec(epochs=3, batch_size=10, optimizer=SGD)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible")
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler"
)


class Scaled(nn.Module):
    """uint8 images as the networks of this file want them."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() / 255 - 0.5


def small_network(dropout: float = 0.0, channels: int = 1, width: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        Scaled(),
        nn.Conv2d(channels, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width + 2, 3),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(4 * (width + 2), 3),
    )


def numbers(history: list[dict[str, float]]) -> list[list[float]]:
    return [[row["train_loss"], row["train_accuracy"], row["test_loss"]] for row in history]


def in_channels_last(monkeypatch) -> None:
    """Train on the CPU in the memory format that is used on a GPU.

    No convolution may have fewer than `SAFE` channels.
    """
    monkeypatch.setattr(training, "fastest_memory_format", lambda *_: torch.channels_last)


def observed(monkeypatch, what: Callable[[Any], Any]) -> list[Any]:
    """Return a list that is filled with what is seen at each training step."""
    seen, step = [], training._step

    def observing(trainee, batch, spec):
        seen.append(what(trainee))
        return step(trainee, batch, spec)

    monkeypatch.setattr(training, "_step", observing)
    return seen


def is_channels_last(tensor: torch.Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def test_convolutions_are_channels_last_on_a_gpu_only():
    assert fastest_memory_format(small_network(), GPU) is torch.channels_last
    assert fastest_memory_format(small_network(), CPU) is torch.contiguous_format
    assert fastest_memory_format(nn.Linear(2, 2), GPU) is torch.contiguous_format


@pytest.mark.parametrize("optimizer", [SGD, KFAC, GDTUO], ids=lambda spec: spec["name"])
@pytest.mark.parametrize("sam_rho", [None, 0.05])
def test_channels_last_trains_to_the_same_numbers(monkeypatch, sam_rho, optimizer):
    spec = replace(SPEC, optimizer=optimizer, sam_rho=sam_rho, augmentation=Augmentation(1, 0, 0.5))
    plain, other = (small_network(channels=SAFE, width=SAFE) for _ in range(2))
    data = image_data(channels=SAFE)
    expected = train(plain, data, spec, 0)
    formats = observed(monkeypatch, lambda trainee: is_channels_last(trainee.model[4].weight))
    in_channels_last(monkeypatch)
    history = train(other, data, spec, 0)
    assert formats == [True] * 9
    torch.testing.assert_close(numbers(history), numbers(expected), rtol=1e-4, atol=1e-5)
    for value, reference in zip(other.parameters(), plain.parameters(), strict=True):
        assert value.is_contiguous()
        torch.testing.assert_close(value, reference, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: spec["name"])
def test_an_interrupted_training_in_channels_last_ends_with_the_same_bytes(
    monkeypatch, optimizer, tmp_path
):
    in_channels_last(monkeypatch)
    spec = TrainingSpec(4, 8, optimizer, Schedule("cosine"), sam_rho=0.05)
    data = image_data(channels=SAFE)
    undisturbed, interrupted, resumed = (resnet(channels=SAFE, width=SAFE / 64) for _ in range(3))
    train(undisturbed, data, spec, 2)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(TrainingInterruptedError):
        train(interrupted, data, spec, 2, InterruptedAfter(path, "run", 2))
    train(resumed, data, spec, 2, CheckpointFile(path, "run"))
    assert content_hash(resumed.state_dict(), {}) == content_hash(undisturbed.state_dict(), {})


def test_restored_state_is_laid_out_as_the_parameters_are():
    model = nn.Conv2d(3, 4, 3)
    optimizer = optim.build(model, ADAMW)
    with in_memory_format(model, torch.channels_last):
        state = {"step": torch.tensor(3.0), "exp_avg": torch.randn(4, 3, 3, 3)}
        optimizer.state[model.weight] = dict(state)
        optim.follow_memory_format(optimizer)
        followed = optimizer.state[model.weight]
        assert is_channels_last(followed["exp_avg"])
        assert torch.equal(followed["exp_avg"], state["exp_avg"])
        assert followed["step"] is state["step"]
    assert model.weight.is_contiguous()


def test_optimisers_are_fused_on_a_gpu_only(monkeypatch):
    model = small_network()
    for name in ("sgd", "adam", "adamw"):
        optimizer = optim.build(model, {"name": name, "lr": 0.1})
        assert (optimizer.defaults["fused"], optimizer.defaults["foreach"]) == (None, True)
    monkeypatch.setattr(nn.Parameter, "is_cuda", True)
    for name in ("sgd", "adam", "adamw"):
        optimizer = optim.build(model, {"name": name, "lr": 0.1})
        assert (optimizer.defaults["fused"], optimizer.defaults["foreach"]) == (True, None)
    assert optim.build(model, {"name": "rmsprop", "lr": 0.1}).defaults["foreach"]


def test_a_networks_own_dropout_draws_from_the_seeds_stream():
    spec = replace(SPEC, sam_rho=0.05)
    results = []
    for seed_of_the_process in (1, 2):
        model = small_network(dropout=0.5)
        torch.manual_seed(seed_of_the_process)
        state = torch.get_rng_state()
        results.append(numbers(train(model, image_data(), spec, 4)))
        assert torch.equal(torch.get_rng_state(), state)
    assert results[0] == results[1]
    assert results[0] != numbers(train(small_network(dropout=0.5), image_data(), spec, 5))


@pytest.mark.parametrize(
    ("module", "draws"),
    [
        (nn.Dropout(0.0), False),
        (nn.Dropout2d(0.1), True),
        (nn.MultiheadAttention(4, 2), False),
        (nn.MultiheadAttention(4, 2, dropout=0.1), True),
        (resnet(), False),
        (resnet(0.2), True),
    ],
)
def test_networks_that_draw_are_known(module, draws):
    assert any(map(training._draws, module.modules())) == draws


def flags() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
    )


def test_deterministic_algorithms_are_in_force_while_training_only(monkeypatch):
    before, seen = flags(), observed(monkeypatch, lambda _: flags())
    plain, deterministic = small_network(), small_network()
    train(plain, image_data(), replace(SPEC, epochs=1), 0)
    train(deterministic, image_data(), replace(SPEC, epochs=1, deterministic=True), 0)
    assert seen == [(False, False, False)] * 3 + [(True, False, False)] * 3
    assert flags() == before
    assert content_hash(plain.state_dict(), {}) == content_hash(deterministic.state_dict(), {})


def test_the_fastest_kernels_are_looked_for_on_a_gpu_unless_they_must_repeat(monkeypatch):
    before = flags()
    with algorithms(GPU, deterministic=False):
        assert flags() == (False, False, True)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with (
        pytest.raises(InputError, match="CUBLAS_WORKSPACE_CONFIG=:4096:8; set it"),
        algorithms(GPU, deterministic=True),
    ):
        pass
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with algorithms(GPU, deterministic=True):
        assert flags() == (True, False, False)
    assert flags() == before


@needs_compiler
@pytest.mark.parametrize("optimizer", [SGD, KFAC, GDTUO], ids=lambda spec: spec["name"])
def test_a_compiled_training_agrees_with_the_plain_one(optimizer):
    # In each epoch two full batches, a smaller one and a test; each step has two passes.
    torch.compiler.reset()
    spec = replace(SPEC, optimizer=optimizer, sam_rho=0.05, deterministic=True)
    plain, compiled = small_network(dropout=0.5), small_network(dropout=0.5)
    expected = train(plain, image_data(), spec, 0)
    history = train(compiled, image_data(), replace(spec, compile=True), 0)
    torch.testing.assert_close(numbers(history), numbers(expected), rtol=1e-4, atol=1e-5)
    assert list(compiled.state_dict()) == list(plain.state_dict())
    for value, reference in zip(
        compiled.state_dict().values(), plain.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, reference, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_a_compiler_lays_out_no_narrow_convolution_channels_last():
    """It would fail on a processor without AVX-512, and with its kernels (`make test-avx2`)."""
    torch.compiler.reset()
    torch.manual_seed(0)
    narrow = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 1, 2), nn.Flatten(), nn.Linear(72, 3)
    plain, compiled = (copy.deepcopy(nn.Sequential(Scaled(), *narrow)) for _ in range(2))
    expected = train(plain, image_data(), SPEC, 0)
    history = train(compiled, image_data(), replace(SPEC, compile=True), 0)
    torch.testing.assert_close(numbers(history), numbers(expected), rtol=1e-4, atol=1e-5)


@needs_compiler
def test_a_compiled_training_in_bfloat16_agrees_within_its_rounding():
    torch.compiler.reset()
    spec = replace(SPEC, epochs=1, precision="bf16")
    expected = train(small_network(), image_data(), spec, 0)[0]
    row = train(small_network(), image_data(), replace(spec, compile=True), 0)[0]
    assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=0.02)
    assert row["test_loss"] == pytest.approx(expected["test_loss"], rel=0.02)


@needs_gpu
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: spec["name"])
@pytest.mark.parametrize("compile", [False, True], ids=["plain", "compiled"])
def test_on_a_gpu_an_interrupted_training_agrees_with_an_undisturbed_one(
    monkeypatch, tmp_path, optimizer, compile
):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.compiler.reset()
    spec = TrainingSpec(4, 10, optimizer, sam_rho=0.05, compile=compile, deterministic=True)
    undisturbed, resumed = resnet().to(GPU), resnet().to(GPU)
    train(undisturbed, image_data(), spec, 2)
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(TrainingInterruptedError):
        train(resnet().to(GPU), image_data(), spec, 2, InterruptedAfter(path, "run", 2))
    train(resumed, image_data(), spec, 2, CheckpointFile(path, "run"))
    for value, reference in zip(
        resumed.state_dict().values(), undisturbed.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(value, reference)


@needs_gpu
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: spec["name"])
def test_no_step_waits_for_the_gpu(monkeypatch, optimizer):
    step = training._step

    def strictly(trainee, batch, spec):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(trainee, batch, spec)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(training, "_step", strictly)
    spec = replace(
        SPEC,
        optimizer=optimizer,
        sam_rho=0.05,
        augmentation=Augmentation(1, 0, 0.5),
        dropout=0.2,
    )
    train(resnet(0.2).to(GPU), image_data(), spec, 0)
