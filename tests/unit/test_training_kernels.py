"""What makes training fast on a GPU changes no result that can be checked on a CPU."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook
from training_cases import (
    GDTUO,
    KFAC,
    SGD,
    InterruptedAfter,
    TrainingInterruptedError,
    after_each_step,
    image_data,
    numbers,
    resnet,
    same_bytes,
)

from minimascope import optim, training
from minimascope.checkpoints import CheckpointFile
from minimascope.data.augment import Augmentation
from minimascope.devices import algorithms, fastest_memory_format, in_memory_format
from minimascope.errors import InputError
from minimascope.optim.sam import SAM
from minimascope.schedule import Schedule
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


def agrees(
    model: nn.Module, history: list, other: nn.Module, expected: list, rtol: float = 1e-4
) -> None:
    """Check that two trainings took the same way, but for rounding."""
    for rows in zip(history, expected, strict=True):
        losses = ([row["train_loss"], row["train_accuracy"], row["test_loss"]] for row in rows)
        torch.testing.assert_close(*map(torch.tensor, losses), rtol=1e-4, atol=1e-5)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=rtol, atol=1e-5)


def in_channels_last(monkeypatch) -> None:
    """Train on the CPU in the memory format that is used on a GPU.

    No convolution may have fewer than `SAFE` channels.
    """
    monkeypatch.setattr(training, "fastest_memory_format", lambda *_: torch.channels_last)


def is_channels_last(tensor: torch.Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def test_convolutions_are_channels_last_on_a_gpu_only():
    assert fastest_memory_format(small_network(), GPU) is torch.channels_last
    assert fastest_memory_format(small_network(), CPU) is torch.contiguous_format
    assert fastest_memory_format(nn.Linear(2, 2), GPU) is torch.contiguous_format


@pytest.mark.parametrize("optimizer", [SGD, KFAC, GDTUO], ids=lambda spec: spec["name"])
@pytest.mark.parametrize("sam", [None, SAM(0.05)])
def test_channels_last_trains_to_the_same_numbers(monkeypatch, sam, optimizer):
    spec = replace(SPEC, optimizer=optimizer, sam=sam, augmentation=Augmentation(1, 0, 0.5))
    plain, other = (small_network(channels=SAFE, width=SAFE) for _ in range(2))
    data = image_data(channels=SAFE)
    expected = train(plain, data, spec, 0)
    in_channels_last(monkeypatch)
    with after_each_step(lambda _: is_channels_last(other[4].weight)) as formats:
        history = train(other, data, spec, 0)
    assert len(formats) >= 9
    assert all(formats)
    agrees(other, history, plain, expected, rtol=1e-3)
    assert all(value.is_contiguous() for value in other.parameters())


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: spec["name"])
def test_an_interrupted_training_in_channels_last_ends_with_the_same_bytes(
    monkeypatch, optimizer, tmp_path
):
    in_channels_last(monkeypatch)
    spec = TrainingSpec(4, 8, optimizer, Schedule("cosine"), sam=SAM(0.05))
    undisturbed, resumed = resumed_pair(spec, tmp_path, CPU, channels=SAFE, width=SAFE / 64)
    assert same_bytes(resumed, undisturbed)


def resumed_pair(
    spec: TrainingSpec, folder: Path, device: torch.device, **network: float
) -> list[nn.Module]:
    """Return two networks: one trained at a stretch, one interrupted after two epochs."""
    data, path = image_data(channels=network.get("channels", 1)), folder / "checkpoint.safetensors"
    undisturbed, interrupted, resumed = (resnet(**network).to(device) for _ in range(3))
    train(undisturbed, data, spec, 2)
    with pytest.raises(TrainingInterruptedError):
        train(interrupted, data, spec, 2, InterruptedAfter(path, "run", device, 2))
    train(resumed, data, spec, 2, CheckpointFile(path, "run", device))
    return [undisturbed, resumed]


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


class Attention(nn.Module):
    """A network whose only random numbers are those of an attention layer's own dropout."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rows = images[:, 0].float() / 255
        return self.head(self.attention(rows, rows, rows)[0].mean(1))


@pytest.mark.parametrize("make", [partial(small_network, dropout=0.5), Attention])
def test_a_networks_own_dropout_draws_from_the_seeds_stream(make):
    spec = replace(SPEC, sam=SAM(0.05))
    results = []
    for seed_of_the_process in (1, 2):
        model = make()
        torch.manual_seed(seed_of_the_process)
        state = torch.get_rng_state()
        results.append(numbers(train(model, image_data(), spec, 4)))
        assert torch.equal(torch.get_rng_state(), state)
    assert results[0] == results[1]
    assert results[0] != numbers(train(make(), image_data(), spec, 5))


def test_a_dropout_of_zero_does_not_keep_a_network_from_the_fastest_kernels(monkeypatch):
    told = []

    def compiled(model: nn.Module, size: int, draws: bool, deterministic: bool) -> nn.Module:
        told.append(draws)
        return model

    monkeypatch.setattr(training, "compiled", compiled)
    for dropout in (0.0, 0.1):
        train(small_network(dropout), image_data(), replace(SPEC, epochs=1, compile=True), 0)
    assert told == [False, True]


def flags() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
    )


def test_deterministic_algorithms_are_in_force_while_training_only():
    before, trained = flags(), []
    for deterministic in (False, True):
        spec = replace(SPEC, epochs=1, deterministic=deterministic)
        trained.append(small_network())
        with after_each_step(lambda _: flags()) as seen:
            train(trained[-1], image_data(), spec, 0)
        assert seen == [(deterministic, False, False)] * 3
    assert flags() == before
    assert same_bytes(*trained)


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


def both_ways(make: Callable[[], nn.Module], spec: TrainingSpec) -> None:
    """Train compiled and not compiled, and check that they agree."""
    torch.compiler.reset()
    plain, compiled = make(), make()
    expected = train(plain, image_data(), spec, 0)
    history = train(compiled, image_data(), replace(spec, compile=True), 0)
    agrees(compiled, history, plain, expected)


@needs_compiler
@pytest.mark.parametrize("optimizer", [SGD, KFAC, GDTUO], ids=lambda spec: spec["name"])
def test_a_compiled_training_agrees_with_the_plain_one(optimizer):
    # In each epoch two full batches, a smaller one and a test; each step has two passes.
    spec = replace(SPEC, optimizer=optimizer, sam=SAM(0.05), deterministic=True)
    both_ways(partial(small_network, dropout=0.5), spec)


@needs_compiler
def test_a_compiler_lays_out_no_narrow_convolution_channels_last():
    """With kernels for AVX2 these would write outside of their memory."""
    torch.manual_seed(0)
    narrow = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 1, 2), nn.Flatten(), nn.Linear(72, 3)
    both_ways(partial(copy.deepcopy, nn.Sequential(Scaled(), *narrow)), SPEC)


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
    spec = TrainingSpec(4, 10, optimizer, sam=SAM(0.05), compile=compile, deterministic=True)
    undisturbed, resumed = resumed_pair(spec, tmp_path, GPU)
    for name, value in resumed.state_dict().items():
        torch.testing.assert_close(value, undisturbed.state_dict()[name])


@needs_gpu
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda spec: spec["name"])
def test_no_step_waits_for_the_gpu(optimizer):
    spec = replace(
        SPEC,
        optimizer=optimizer,
        sam=SAM(0.05),
        augmentation=Augmentation(1, 0, 0.5),
        dropout=0.2,
    )
    model = resnet(0.2).to(GPU)

    def strictly(*_: object) -> None:
        torch.cuda.set_sync_debug_mode("error" if model.training else "default")

    # From the first pass of a step; K-FAC looks at the model before it, and may wait for that.
    early, late = model.register_forward_pre_hook, register_optimizer_step_pre_hook
    hook = (late if optimizer is KFAC else early)(strictly)
    with after_each_step(lambda _: torch.cuda.set_sync_debug_mode("default")):
        train(model, image_data(), spec, 0)
    hook.remove()
