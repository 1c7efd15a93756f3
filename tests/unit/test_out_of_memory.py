"""Where a GPU has no room for a batch, measures halve it and give the same values."""

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sharpness_cases import attentive, subject_of
from torch import nn

from minimascope import batches
from minimascope.data.prepared import Dataset, Split
from minimascope.errors import InputError
from minimascope.evaluation.predict import predict
from minimascope.measurement import Measured
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness.subject import Subject
from minimascope.training import TrainingSpec, train

SAMPLES = 30
SETTINGS = {
    "forward": {"published_share": 0.7},
    "perturbation": {
        "samples": 3,
        "dtype": "float64",
        "published_share": 0.7,
        "adaptive": {"samples": 4, "steps": 3, "group_size": 15},
    },
    "hessian": {
        "dtype": "float64",
        "matrices": ["hessian", "gauss_newton"],
        "eigenvalues": 2,
        "smallest_eigenvalues": 1,
        "trace_products": 9,
        "density_probes": 1,
        "density_steps": 5,
    },
    "landscape": {"points": 3, "line_points": 3, "dtype": "float64", "direction_seeds": [0, 1]},
    "input": {"draws": 2, "projections": 2, "dtype": "float64"},
    "norms": {"samples": 2, "steps": 3, "dtype": "float64"},
}


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_fitting_area", {})


class Memory:
    """A device with room for the activations of so many inputs at once."""

    def __init__(self, room: int):
        self.room = room
        self.error: RuntimeError = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        self.room_later, self.later = room, 0
        self.seen: list[int] = []

    def __call__(self, module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        if not isinstance(module, nn.BatchNorm1d):
            return
        self.seen.append(len(arguments[0]))
        room = self.room_later if len(self.seen) >= self.later > 0 else self.room
        if len(arguments[0]) > room:
            raise self.error


@pytest.fixture
def memory() -> Iterator[Memory]:
    """The device of all networks of a test, with no end of room at first."""
    device = Memory(10**9)
    hook = nn.modules.module.register_module_forward_pre_hook(device)
    yield device
    hook.remove()


@pytest.fixture(scope="module")
def subject() -> Subject:
    return subject_of(*attentive())


def measured(family: str, subject: Subject) -> Measured:
    return SHARPNESS[family].load()(subject, generator(0, family), **SETTINGS[family])


@pytest.mark.parametrize("room", [7, 1])
@pytest.mark.parametrize("family", SETTINGS)
def test_a_family_gives_the_same_values_from_smaller_batches(family, room, subject, memory, capsys):
    expected = measured(family, subject)
    assert max(memory.seen) == SAMPLES
    memory.room = room
    found = measured(family, subject)
    assert len(found.measurements) == len(expected.measurements) > 1
    for one, other in zip(found.measurements, expected.measurements, strict=True):
        assert one.measure == other.measure
        assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-13), one.measure
        if one.standard_error is not None:
            assert one.standard_error == pytest.approx(other.standard_error, rel=1e-5, abs=1e-13)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in found.arrays.items():
        if "residuals" not in name:
            np.testing.assert_allclose(array, expected.arrays[name], rtol=1e-6, atol=1e-10)
    (line,) = [text for text in capsys.readouterr().out.splitlines() if "out of memory" in text]
    assert f"out of memory with {SAMPLES} inputs at once" in line


@pytest.mark.parametrize("family", ["perturbation", "hessian"])
def test_memory_that_runs_out_in_the_middle_of_a_pass_changes_nothing(family, subject, memory):
    expected = measured(family, subject)
    memory.seen.clear()
    memory.room, memory.room_later = 15, 7
    for moment in (5, 6, 21, 22):
        # At an odd number of calls, one of two batches of 15 has been added up already.
        batches._fitting_area.clear()
        memory.later = len(memory.seen) + moment
        found = measured(family, subject)
        for one, other in zip(found.measurements, expected.measurements, strict=True):
            assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-13), one.measure
    assert {30, 15, 7} <= set(memory.seen)


def test_the_smaller_size_is_kept(subject, memory):
    model, split = subject.model, subject.objective.samples
    memory.room = 7
    predict(model, split.inputs)
    tried = [size for size in memory.seen if size > 7]
    assert tried == [30, 15]
    predict(model, split.inputs)
    assert [size for size in memory.seen if size > 7] == tried


@pytest.mark.parametrize(
    "message",
    [
        "GET was unable to find an engine to execute this computation",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_libraries_that_get_no_memory_have_the_batch_halved_too(message, subject, memory):
    model, split = subject.model, subject.objective.samples
    expected = predict(model, split.inputs)
    memory.room, memory.error = 7, RuntimeError(message)
    torch.testing.assert_close(predict(model, split.inputs), expected)
    # With a single input left, memory may not be the reason, so the error stays what it was.
    memory.room = 0
    with pytest.raises(RuntimeError) as raised:
        predict(model, split.inputs)
    assert raised.value is memory.error


def test_other_errors_are_raised_at_once(subject, memory):
    memory.room, memory.error = 7, RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        predict(subject.model, subject.objective.samples.inputs)
    assert memory.seen == [SAMPLES]


def test_no_room_for_a_single_input_is_one_clear_line(subject, memory):
    model, split = subject.model, subject.objective.samples
    memory.room = 0
    with pytest.raises(InputError, match=r"single input of shape \(12,\); use a GPU with more"):
        predict(model, split.inputs)


def test_a_batch_of_training_is_not_made_smaller_in_silence(subject, memory):
    model, split = subject.model, subject.objective.samples
    model = copy.deepcopy(model).float()
    half = Split(split.inputs.float(), split.labels)
    dataset = Dataset(half, half, ("a", "b", "c"))
    spec = TrainingSpec(1, 15, {"name": "sgd", "lr": 0.01})
    memory.room = 14
    with pytest.raises(InputError, match=r"training\.batch_size: 15 .* lower it in the study"):
        train(model, dataset, spec, seed=0)
    assert set(memory.seen) == {15}
