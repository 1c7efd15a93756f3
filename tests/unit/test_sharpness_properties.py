"""What holds for every network, whatever the order, the batches, the threads and the precision."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sharpness_cases import drawn_like, gradient, plain_loss, randomise
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import child, generator
from minimascope.sharpness import forward, hessian, landscape, perturbation
from minimascope.sharpness.adaptive import Ascent, average_sharpness, worst_sharpness
from minimascope.sharpness.losses import mean_loss, sample_losses
from minimascope.sharpness.subject import Subject, check

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
    return Subject(model, Split(inputs, torch.randint(0, classes, (n,))))


def families(
    subject: Subject, batch_size: int = 1024, trace_products: int = 201
) -> dict[str, float]:
    """Return all corrected measures, each family with few draws and batches of a given size."""
    model, split = subject.model, subject.split
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
    sam = perturbation.sam_sharpness(model, split.inputs, split.labels, samples=4, **draws)
    average = average_sharpness(model, split, 0.1, 4, **draws)
    worst, _ = worst_sharpness(model, split, Ascent(0.01, "l2", 3), **draws)
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
    expected = plain_loss(subject.model, subject.split)
    assert found["train_loss"] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(subjects(), st.integers(3, 20))
def test_the_size_of_batches_does_not_matter(subject, batch_size):
    assert_same(families(subject, batch_size), families(subject))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(subjects(), st.integers(0, 1000))
def test_the_order_of_samples_does_not_matter(subject, seed):
    rows = torch.randperm(len(subject.split), generator=generator(seed))
    split = Split(subject.split.inputs[rows], subject.split.labels[rows])
    assert_same(families(Subject(subject.model, split)), families(subject))


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


@settings(max_examples=25, deadline=None, derandomize=True)
@given(subjects(), st.permutations(range(2)))
def test_renaming_the_classes_does_not_matter(subject, order):
    """Two classes change places in the head and in the labels."""
    model, split = copy.deepcopy(subject.model), subject.split
    places = torch.arange(len(model[-1].bias))
    places[:2] = torch.tensor(order)
    with torch.no_grad():
        model[-1].weight.copy_(model[-1].weight[places])
        model[-1].bias.copy_(model[-1].bias[places])
    renamed = Subject(model, Split(split.inputs, places.argsort()[split.labels]))
    before, after = (
        {m.measure: m.value for m in forward.measure(s, generator(0), published=False).measurements}
        for s in (subject, renamed)
    )
    before.pop("train_accuracy"), after.pop("train_accuracy")  # ties
    assert_same(after, before)


# --- precision --------------------------------------------------------------------------------


def many_samples() -> tuple[nn.Module, Split]:
    torch.manual_seed(0)
    model = nn.Linear(4, 10)
    draws = generator(0)
    inputs = torch.randn(100_000, 4, generator=draws)
    return model, Split(inputs, torch.randint(0, 10, (100_000,), generator=draws))


def shifted(model: nn.Module, change: float, split: Split) -> nn.Module:
    """Return the network with one bias moved so far that the mean loss changes by that much."""
    double = copy.deepcopy(model).double()
    slope = gradient(double, Split(split.inputs.double(), split.labels))[-10].item()
    moved = copy.deepcopy(double)
    with torch.no_grad():
        moved.bias[0] += change / slope
    return moved


def test_a_difference_of_1e_7_in_the_mean_loss_survives():
    model, split = many_samples()
    model = model.double()
    moved = shifted(model, 1e-7, split)
    losses = [sample_losses(m, split.inputs, split.labels) for m in (model, moved)]
    exact = (math.fsum(losses[1].tolist()) - math.fsum(losses[0].tolist())) / len(split)
    assert exact == pytest.approx(1e-7, rel=1e-4)
    centre, other = (mean_loss(m, split.inputs, split.labels) for m in (model, moved))
    assert centre.dtype == F64
    assert (other - centre).item() == pytest.approx(exact, rel=1e-6)


def test_the_same_sum_in_float32_loses_it():
    model, split = many_samples()
    model = model.double()
    losses = [
        sample_losses(m, split.inputs, split.labels).float()
        for m in (model, shifted(model, 1e-7, split))
    ]
    running = []
    for values in losses:
        total = torch.zeros(())
        for batch in values.split(100):
            total += batch.sum()
        running.append((total / len(values)).item())
    assert abs(running[1] - running[0] - 1e-7) > 5e-8
    means = [values.mean().item() for values in losses]
    assert abs(means[1] - means[0] - 1e-7) > 5e-8


def test_sam_sharpness_sees_differences_of_1e_7():
    """With ρ = 5e-6 the losses differ by about that; plain sums in float64 give the same."""
    model, split = many_samples()
    model, radius = model.double(), 5e-6
    arguments = {"radius": radius, "samples": 20}
    found = perturbation.sam_sharpness(
        model, split.inputs, split.labels, **arguments, generator=generator(0)
    )
    draws, differences, in_float32 = generator(0), [], []
    before = sample_losses(model, split.inputs, split.labels)
    for _ in range(20):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            steps = drawn_like(list(moved.parameters()), radius / math.sqrt(50), draws)
            for parameter, step in zip(moved.parameters(), steps, strict=True):
                parameter += step
        after = sample_losses(moved, split.inputs, split.labels)
        differences.append(abs(math.fsum((after - before).tolist())) / len(split))
        in_float32.append(abs(after.float().mean() - before.float().mean()).item())
    mean = sum(differences) / 20
    assert 5e-8 < mean < 5e-7
    assert found.mean * radius == pytest.approx(mean, rel=1e-6)
    assert abs(sum(in_float32) / 20 - mean) > 0.02 * mean
    assert max(abs(a - b) for a, b in zip(in_float32, differences, strict=True)) > 5e-8


# --- networks and data of any kind --------------------------------------------------------------


def small() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    return model.eval(), torch.randn(12, 4), torch.arange(12) % 3


FAMILIES = [forward.measure, perturbation.measure, hessian.measure, landscape.measure]


@pytest.mark.parametrize("family", FAMILIES)
def test_data_are_converted_to_the_floating_type_of_the_network(family):
    model, inputs, labels = small()
    measured = family(Subject(model.double(), Split(inputs, labels)), generator(0))
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
    measured = family(Subject(Unused(), Split(inputs, labels)), generator(0), **chosen)
    assert all(math.isfinite(m.value) for m in measured.measurements)


# --- errors -----------------------------------------------------------------------------------


def told(function, *arguments, **keywords) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **keywords)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250
    return message


@pytest.mark.parametrize("label", [3, 100, -1])
@pytest.mark.parametrize("family", FAMILIES)
def test_labels_outside_the_classes_are_refused_by_every_family(family, label):
    model, inputs, labels = small()
    labels[5] = label
    message = told(family, Subject(model, Split(inputs, labels)), generator(0))
    assert "must lie between 0 and 2" in message
    assert str(label) in message


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var", "3.bias"])
@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_and_statistics_that_are_not_finite_are_refused(family, name, value):
    model, inputs, labels = small()
    model.state_dict()[name].view(-1)[0] = value
    message = told(family, Subject(model, Split(inputs, labels)), generator(0))
    assert message.startswith(f"{name}: holds NaN or infinite values")


def test_check_refuses_no_data_and_unequal_numbers():
    model, inputs, labels = small()
    check(model, inputs, labels)
    assert "0 inputs and 0 labels" in told(check, model, inputs[:0], labels[:0])
    assert "12 inputs and 11 labels" in told(check, model, inputs, labels[:11])
    assert "at least one" in told(Split, inputs[:0], labels[:0])
    logits = torch.zeros(0, 3)
    assert "no labels" in told(forward.fisher_rao_norm, logits, labels[:0], 3)
    message = told(forward.relative_flatness, torch.zeros(0, 4), torch.zeros(3, 4), torch.zeros(3))
    assert "n at least 1" in message


def test_sam_sharpness_refuses_what_it_cannot_measure():
    model, inputs, labels = small()
    draws = {"generator": generator(0)}
    message = told(perturbation.sam_sharpness, model, inputs[:0], labels[:0], **draws)
    assert "0 inputs" in message
    message = told(perturbation.sam_sharpness, model, inputs, labels + 1, **draws)
    assert "must lie between 0 and 2" in message


class Reversed(nn.Module):
    """Logits that are not the output of the last linear layer in module order."""

    def __init__(self):
        super().__init__()
        self.head, self.body = nn.Linear(6, 3), nn.Linear(4, 6)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs).relu())


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 3, 4), nn.Flatten()), "no linear"),
        (nn.Sequential(nn.Linear(4, 3), nn.Tanh()), "not the output of its last linear layer"),
        (Reversed(), "not the output of its last linear layer"),
    ],
)
def test_a_network_without_a_linear_end_has_no_forward_measures(model, part):
    _, inputs, labels = small()
    message = told(forward.measure, Subject(model, Split(inputs, labels)), generator(0))
    assert part in message


@pytest.mark.parametrize("pattern", ["head.*", ["0.*", "bias"]])
def test_a_pattern_that_matches_no_parameter_is_named(pattern):
    model, inputs, labels = small()
    subject = Subject(model, Split(inputs, labels))
    message = told(hessian.measure, subject, generator(0), parameters=pattern)
    assert f"{pattern if isinstance(pattern, str) else pattern[1]!r}" in message
    assert "matches none" in message
