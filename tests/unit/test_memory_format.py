"""Every batch that enters a network has the strides of one memory format, whatever made it."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from sharpness_cases import FEW, few_for
from study_cases import completed
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode
from training_cases import resnet

from minimascope import training
from minimascope.data.augment import Augmentation, augment
from minimascope.data.prepared import Dataset, Split
from minimascope.devices import contiguous_convolutions, in_memory_format, laid_out
from minimascope.evaluation.predict import predict
from minimascope.optim.sam import SAM
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness import measure
from minimascope.sharpness.interpolation import line
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject
from minimascope.training import TrainingSpec, train

AUGMENTATIONS = {
    "none": None,
    "crop": Augmentation(crop_padding=1),
    "flip": Augmentation(horizontal_flip=0.5),
    "crop and flip": Augmentation(crop_padding=1, horizontal_flip=0.5),
    "resized crop": Augmentation(resized_crop=0.5),
    "masks": Augmentation(band_masks=1, time_masks=1),
    "crop and masks": Augmentation(crop_padding=1, band_masks=1, time_masks=1),
}
SGD = {"name": "sgd", "lr": 0.01}
KFAC = completed("optimizer", name="kfac", lr=0.001, damping=0.1)
Strides = tuple[int, ...]


def strides(
    shape: torch.Size, memory_format: torch.memory_format = torch.contiguous_format
) -> Strides:
    return torch.empty(shape, memory_format=memory_format).stride()


def dataset(channels: int) -> Dataset:
    draws = generator(0, "images")
    images = torch.rand(20, channels, 8, 8, generator=draws)
    labels = torch.arange(20) % 3
    return Dataset(
        Split(images[:12], labels[:12]), Split(images[12:], labels[12:]), ("a", "b", "c")
    )


class Watched:
    """The inputs that a network and its convolutions get while something is computed with it.

    Copies of the network are watched, too.
    """

    def __init__(self, model: nn.Module):
        self.batches: list[tuple[torch.Size, Strides]] = []
        self.convolved: list[tuple[torch.Size, Strides]] = []
        model.register_forward_pre_hook(self._into(self.batches))
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                # After the call, where the inputs are those that other hooks have left.
                module.register_forward_hook(self._into(self.convolved))

    def _into(self, found: list[tuple[torch.Size, Strides]]):
        def note(_module: nn.Module, arguments: tuple[Any, ...], *_output: Any) -> None:
            found.append((arguments[0].shape, arguments[0].stride()))

        return note

    def check(self) -> None:
        """Check that all that was seen is contiguous, and nothing channels-last."""
        assert self.batches
        for shape, found in self.batches:
            assert found == strides(shape), shape
        for shape, found in self.convolved:
            assert found != strides(shape, torch.channels_last), shape


def every_view(test: Callable) -> Callable:
    """Run a test for one and three channels and for every augmentation."""
    return pytest.mark.parametrize("channels", [1, 3])(
        pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)(test)
    )


@every_view
def test_training_averaging_and_testing_see_contiguous_batches(augmentation, channels):
    model = resnet(channels=channels)
    watched = Watched(model)
    for optimizer, averaging in (
        (SGD, {"name": "swa", "start": 0}),
        (KFAC, completed("averaging", name="ema")),
    ):
        spec = TrainingSpec(
            *(2, 5, optimizer), sam=SAM(0.05), augmentation=augmentation, averaging=averaging
        )
        train(model, dataset(channels), spec, 0)
    # Two trainings of two epochs: three steps of two passes, a test, and a pass for the statistics;
    # K-FAC looks at the first of its six batches.
    assert len(watched.batches) == 2 * (2 * (3 * 2 + 1) + 3) + 1
    watched.check()


@every_view
@pytest.mark.parametrize("family", SHARPNESS)
def test_every_family_measures_contiguous_views(family, augmentation, channels):
    model = resnet(channels=channels).eval()
    watched = Watched(model)
    subject = Subject(model, Objective(dataset(channels).train), augmentation)
    for seen in (subject, subject.augmented(generator(0, "view"))):
        SHARPNESS[family].load()(seen, generator(0, family), **FEW[family])
    watched.check()


@every_view
def test_predictions_and_interpolations_see_contiguous_batches(augmentation, channels):
    start, end, test = (
        resnet(channels=channels).eval(),
        resnet(channels=channels).eval(),
        dataset(channels).test,
    )
    watched = Watched(start)
    inputs = test.inputs
    if augmentation:
        inputs = augment(inputs, augmentation, generator(0, "test"))
    predict(start, inputs)
    line(start, end, Objective(Split(inputs, test.labels)), points=2)
    watched.check()


@every_view
def test_a_chosen_format_is_that_of_every_step(monkeypatch, augmentation, channels):
    """As on a GPU; the network has no convolution, which would be too narrow for a CPU."""
    monkeypatch.setattr(training, "fastest_memory_format", lambda *_: torch.channels_last)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, 3))
    watched = Watched(model)
    train(model, dataset(channels), TrainingSpec(1, 5, SGD, augmentation=augmentation), 0)
    *steps, test = watched.batches
    assert len(steps) == 3
    assert all(found == strides(shape, torch.channels_last) for shape, found in steps)
    assert test[1] == strides(test[0])


def channels_last(images: torch.Tensor) -> torch.Tensor:
    """Return a copy laid out channels-last; if there is one channel, it is contiguous as well."""
    return images.clone(memory_format=torch.channels_last)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(4, 1, 5, 6), (4, 3, 5, 6), (4, 3, 1, 1), (1, 1, 5, 1)])
def test_strides_are_set_where_a_dimension_of_one_leaves_them_open(shape, memory_format):
    images = torch.randn(shape)
    for tensor in (images, channels_last(images), images.mT.contiguous().mT):
        laid = laid_out(tensor, memory_format)
        assert laid.stride() == strides(laid.shape, memory_format)
        assert torch.equal(laid, tensor)
        assert laid_out(laid, memory_format) is laid
    if shape == (4, 1, 5, 6):
        # What is asked for with `contiguous` stays as it is.
        assert channels_last(images).contiguous().stride() == (30, 1, 6, 1)


def test_parameters_are_contiguous_again_after_another_format():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3))
    before = [p.stride() for p in model.parameters()]
    with in_memory_format(model, torch.channels_last):
        assert model[2].weight.stride() == strides(model[2].weight.shape, torch.channels_last)
    assert [p.stride() for p in model.parameters()] == before


class FromPixels(nn.Module):
    """A network with a narrow convolution that is brought channels-last inputs or weights."""

    def __init__(self, how: str):
        super().__init__()
        self.how = how
        self.convolution = nn.Conv2d(4, 8, 1, 2, bias=False)
        self.head = nn.Linear(8 * 16, 3)
        if how == "by a parametrization":
            parametrize.register_parametrization(self.convolution, "weight", ChannelsLast())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.how != "by a parametrization":
            images = channels_last(images)
        match self.how:
            case "by keyword":
                hidden = self.convolution(input=images)
            case "as a function":
                hidden = nn.functional.conv2d(
                    input=images, weight=self.convolution.weight, stride=2
                )
            case _:
                hidden = self.convolution(images)
        return self.head(hidden.relu().flatten(1))


class ChannelsLast(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return channels_last(weight)


class Convolved(TorchFunctionMode):
    """The strides of all that convolutions get inside the block."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[torch.Size, Strides]] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.conv2d:
            tensors = (a for a in (*args, *(kwargs or {}).values()) if isinstance(a, torch.Tensor))
            self.found += [(tensor.shape, tensor.stride()) for tensor in tensors]
        return function(*args, **(kwargs or {}))


def measured(model: nn.Module, images: torch.Tensor) -> dict[str, float]:
    names = ["train_loss", "sam_sharpness", "hessian_trace"]
    found = measure(model, images, torch.arange(12) % 3, names, settings=few_for(*names))
    return {name: measurement.value for name, measurement in found.items()}


@pytest.mark.parametrize(
    "how", ["in forward", "by keyword", "as a function", "by a parametrization"]
)
def test_narrow_convolutions_of_a_strangers_network_are_contiguous_on_a_cpu(how):
    torch.manual_seed(0)
    model, images = FromPixels(how), torch.randn(12, 4, 8, 8)
    model.to(memory_format=torch.channels_last)
    before = [p.stride() for p in model.parameters()]
    with Convolved() as convolved:
        values = measured(model, channels_last(images))
    assert convolved.found
    assert all(found == strides(shape) for shape, found in convolved.found)
    assert [p.stride() for p in model.parameters()] == before
    plain = FromPixels("in forward")
    plain.convolution.weight.data = model.convolution.weight.detach().clone(
        memory_format=torch.contiguous_format
    )
    plain.head.load_state_dict(model.head.state_dict())
    assert values["train_loss"] == measured(plain, images)["train_loss"]


def test_convolutions_of_one_channel_and_one_column_are_contiguous_on_a_cpu():
    images = channels_last(torch.randn(2, 1, 5, 1))
    with Convolved() as convolved, contiguous_convolutions(torch.device("cpu")):
        torch.conv2d(images, torch.randn(8, 1, 3, 1))
    assert convolved.found[0] == (images.shape, strides(images.shape))


def test_a_compiled_network_is_computed_as_if_it_were_not_on_a_cpu():
    """A compiler would choose layouts by itself."""
    calls = []

    def backend(graph: nn.Module, _inputs: Sequence[torch.Tensor]) -> Callable:
        def run(*arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
            calls.append(graph)
            return graph(*arguments)

        return run

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    compiled, images = torch.compile(model, backend=backend), torch.randn(12, 4, 8, 8)
    compiled(images)
    assert len(calls) == 1
    assert measured(compiled, images) == measured(model, images)
    assert len(calls) == 1


class Wide(nn.Module):
    """A network that takes it for granted that its inputs are laid out channels-last."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4 * 64, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.permute(0, 2, 3, 1).view(len(images), -1))


def test_a_network_gets_the_inputs_as_they_are_laid_out():
    images = channels_last(torch.randn(12, 4, 8, 8))
    assert measured(Wide(), images)["train_loss"] > 0


NARROW = """
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
convolution = torch.nn.Conv2d(4, 8, 1, 2, bias=False)
images = torch.randn(8, 4, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
for _ in range(300):
    convolution(images).backward(torch.ones(8, 8, 4, 4))
    [torch.randn(size % 17 + 1) for size in range(50)]
gradient = torch.autograd.grad(convolution(images).sum(), images)[0]
expected = torch.zeros(8, 4, 8, 8)
expected[:, :, ::2, ::2] = convolution.weight.detach().sum((0, 2, 3))[:, None, None]
torch.testing.assert_close(gradient, expected)
"""


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the fault is in kernels for AVX2",
)
def test_narrow_channels_last_convolutions_still_fail_with_avx2():
    """A canary: once torch has mended this, what docs/environments.md says of it can go."""

    def ends_with(kernels: str) -> int:
        environment = os.environ | {"ONEDNN_MAX_CPU_ISA": kernels}
        command = [sys.executable, "-c", NARROW]
        return subprocess.run(command, env=environment, capture_output=True).returncode

    assert ends_with("SSE41") == 0
    assert ends_with("AVX2") != 0, "torch computes this correctly now: see docs/environments.md"
