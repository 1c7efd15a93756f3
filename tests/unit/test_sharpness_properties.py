"""What holds for every measure and network, whatever the order, the batches and the threads."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sharpness_cases import FEW, images, network, plain_loss, randomise
from torch import nn

from minimascope.data.augment import Augmentation
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.registry import SHARPNESS
from minimascope.seeding import child, generator
from minimascope.sharpness import forward, hessian, landscape, perturbation
from minimascope.sharpness.adaptive import Ascent, average_sharpness, worst_sharpness
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject

F64 = torch.float64
SIGNED = {"sam_sharpness_signed", "hessian_trace", "adaptive_sharpness_average"}
# No smallest one: where it is zero it is so up to rounding only, and there is nothing to compare.
EIGENVALUE = {"eigenvalues": 1, "smallest_eigenvalues": 0, "tolerance": 1e-9, "density_probes": 0}


@st.composite
def subjects(draw, large: bool = False) -> Subject:
    """Draw a classifier of one to three linear layers with its data, in float64."""
    sizes = st.integers(40, 60) if large else st.integers(2, 4)
    seed = draw(st.integers(0, 2**32))
    features, classes = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    hidden = draw(st.lists(sizes, min_size=int(large), max_size=2 - large))
    activation = draw(st.sampled_from([nn.ReLU, nn.Tanh, nn.GELU]))
    normalisation = draw(st.sampled_from([None, nn.BatchNorm1d, nn.LayerNorm]))
    n, scale = 900 if large else draw(st.integers(8, 40)), draw(st.sampled_from([0.5, 1.0, 3.0]))
    torch.manual_seed(seed)
    layers, previous = [], features
    for size in hidden:
        layers += [nn.Linear(previous, size), normalisation(size)] if normalisation else []
        layers += [] if normalisation else [nn.Linear(previous, size)]
        layers.append(activation())
        previous = size
    model = nn.Sequential(*layers, nn.Linear(previous, classes)).double()
    inputs = torch.randn(n, features, dtype=F64)
    randomise(model, inputs, seed % 1000)
    with torch.no_grad():
        model[-1].weight *= scale
    return Subject(model, Objective(Split(inputs, torch.randint(0, classes, (n,)))))


def families(
    subject: Subject, batch_size: int = 1024, trace_products: int = 201
) -> dict[str, float]:
    """Return all corrected measures, each family with few draws and batches of a given size."""
    model, split = subject.model, subject.objective.samples
    found = {
        m.measure: m.value
        for family, chosen in (
            (forward, {"published": False}),
            (hessian, {"dtype": "float64", "trace_products": trace_products} | EIGENVALUE),
            (landscape, {"dtype": "float64", "points": 3, "line_points": 0}),
        )
        for m in family.measure(subject, generator(0), batch_size=batch_size, **chosen).measurements
    }
    draws = {"generator": child(generator(0), "draws"), "batch_size": batch_size}
    sam = perturbation.sam_sharpness(model, Objective(split), samples=4, **draws)
    average = average_sharpness(model, Objective(split), 0.1, 4, **draws)
    worst, _ = worst_sharpness(model, Objective(split), Ascent(0.01, "l2", 3), **draws)
    return found | {
        "sam_sharpness": sam.mean,
        "sam_sharpness_signed": sam.signed_mean,
        "adaptive_sharpness_average": average.signed_mean,
        "adaptive_sharpness_worst": worst,
    }


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        # Rounding of the loss, which is of the order of 1, over the radius of 0.005.
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-11), name


@settings(max_examples=25, deadline=None, derandomize=True)
@given(subjects())
def test_measures_are_finite_and_not_negative_where_they_cannot_be(subject):
    found = families(subject)
    assert all(math.isfinite(value) for value in found.values())
    assert {name for name, value in found.items() if value < 0} <= SIGNED
    assert found["asc_sharpness_max"] >= found["asc_sharpness"] * (1 - 1e-12)
    assert abs(found["sam_sharpness_signed"]) <= found["sam_sharpness"] * (1 + 1e-12)
    expected = plain_loss(subject.model, subject.objective.samples)
    assert found["train_loss"] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(subjects(), st.integers(3, 20))
def test_the_size_of_batches_does_not_matter(subject, batch_size):
    assert_same(families(subject, batch_size), families(subject))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(subjects(), st.integers(0, 1000))
def test_the_order_of_samples_does_not_matter(subject, seed):
    rows = torch.randperm(len(subject.objective.samples), generator=generator(seed))
    split = Split(subject.objective.samples.inputs[rows], subject.objective.samples.labels[rows])
    assert_same(families(Subject(subject.model, Objective(split))), families(subject))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@settings(max_examples=2, deadline=None, derandomize=True)
@given(subjects(large=True))
def test_the_number_of_threads_does_not_matter(subject):
    """On data so large that torch does share the work between threads."""
    found = []
    for count in (1, 2):
        with threads(count):
            assert torch.get_num_threads() == count
            found.append(families(subject, 4096, 6))
    assert_same(*found)


# --- what is left alone, and precision ----------------------------------------------------------


@pytest.mark.parametrize("architecture", ["resnet18", "cnn10"])
@pytest.mark.parametrize("family", SHARPNESS)
def test_a_family_leaves_the_network_and_the_global_generator_alone(family, architecture):
    model, split = network(architecture), images(architecture, 12)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    subject = Subject(model, Objective(split), Augmentation(crop_padding=1))
    measured = SHARPNESS[family].load()(subject, generator(0), **FEW[family])
    assert all(math.isfinite(m.value) for m in measured.measurements)
    assert all(m.n == 12 for m in measured.measurements)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_losses_of_a_float32_network_are_summed_in_float64():
    torch.manual_seed(0)
    model, inputs, labels = nn.Linear(4, 10), torch.randn(50_000, 4), torch.randint(10, (50_000,))
    logs = model(inputs).double().log_softmax(1)[range(50_000), labels]
    expected = -math.fsum(logs.tolist()) / 50_000
    found = Objective(Split(inputs, labels)).mean(model)
    assert found.dtype == F64
    assert found.item() == pytest.approx(expected, rel=1e-13)


# --- networks and data of any kind --------------------------------------------------------------


def small() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    return model.eval(), torch.randn(12, 4), torch.arange(12) % 3


FAMILIES = [forward.measure, perturbation.measure, hessian.measure, landscape.measure]


@pytest.mark.parametrize("family", FAMILIES)
def test_data_are_converted_to_the_floating_type_of_the_network(family):
    model, inputs, labels = small()
    measured = family(Subject(model.double(), Objective(Split(inputs, labels))), generator(0))
    assert all(math.isfinite(m.value) for m in measured.measurements)


class Unused(nn.Module):
    """A classifier with a layer that takes no part, as an auxiliary head does not."""

    def __init__(self):
        super().__init__()
        self.body, self.auxiliary, self.head = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(6, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs).relu())


@pytest.mark.parametrize(
    ("family", "chosen"),
    [
        (forward.measure, {"published": False}),
        (perturbation.measure, {}),
        (landscape.measure, {"points": 3}),
        (perturbation.measure, {"adaptive": {}}),
        (hessian.measure, {}),
    ],
)
def test_layers_that_take_no_part_are_no_obstacle(family, chosen):
    _, inputs, labels = small()
    torch.manual_seed(1)
    measured = family(Subject(Unused(), Objective(Split(inputs, labels))), generator(0), **chosen)
    assert all(math.isfinite(m.value) for m in measured.measurements)


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [3, -1])
@pytest.mark.parametrize("family", FAMILIES)
def test_labels_outside_the_classes_are_refused_by_every_family(family, label):
    model, inputs, labels = small()
    labels[5] = label
    with pytest.raises(InputError, match=rf"{label}.* they must lie between 0 and 2$"):
        family(Subject(model, Objective(Split(inputs, labels))), generator(0))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_and_statistics_that_are_not_finite_are_refused(family, name, value):
    model, inputs, labels = small()
    model.state_dict()[name].view(-1)[0] = value
    with pytest.raises(InputError, match=f"^{name}: holds NaN or infinite values[^\n]*$"):
        family(Subject(model, Objective(Split(inputs, labels))), generator(0))
