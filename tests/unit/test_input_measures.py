"""The function near the data, against closed forms and loops over single samples."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from refusals import refused
from sharpness_cases import attentive, images, network, points
from torch import nn
from torch.utils.checkpoint import checkpoint

from minimascope.data.prepared import Dataset, Split
from minimascope.measurement import Measured
from minimascope.seeding import generator
from minimascope.sharpness import measure
from minimascope.sharpness.attacked_distance import attacked_distances, smallest_radii
from minimascope.sharpness.family import FamilySpec, measure_family
from minimascope.sharpness.input import measure as measure_input
from minimascope.sharpness.input import noise_sensitivities
from minimascope.sharpness.input_gradients import input_gradients
from minimascope.sharpness.loss import IGNORED
from minimascope.sharpness.losses import find_loss
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.samples import samples_of
from minimascope.sharpness.stream import Stream
from minimascope.sharpness.subject import Subject

CPU = torch.device("cpu")
F64 = {"dtype": "float64", "draws": 2, "attack_samples": None}
NAMES = ("jacobian_norm", "logit_margin", "boundary_distance")


def values(measured: Measured) -> dict[str, float]:
    return {one.measure: one.value for one in measured.measurements}


def near(model: nn.Module, split: Split, **settings) -> dict[str, float]:
    subject = Subject(model.eval(), Objective(split))
    return values(measure_input(subject, generator(0), **F64 | settings))


def per_sample(function, split: Split, scale: float = 1.0) -> dict[str, float]:
    """The same numbers from the Jacobian of each sample alone, by torch's own function."""
    norms, margins, distances = [], [], []
    for inputs, label in zip(split.inputs.double() / scale, split.labels.tolist(), strict=True):
        jacobian = torch.autograd.functional.jacobian(function, inputs[None])
        rows = jacobian.reshape(-1, inputs.numel())
        logits = function(inputs[None])[0].tolist()
        others = [c for c in range(len(logits)) if c != label]
        norms.append(math.sqrt(sum(float(value) ** 2 for value in rows.flatten())))
        margins.append(min(logits[label] - logits[c] for c in others))
        distances.append(
            min((logits[label] - logits[c]) / (rows[label] - rows[c]).norm().item() for c in others)
        )
    found = (np.mean(norms), np.median(margins), np.median(distances))
    return dict(zip(NAMES, found, strict=True))


def linear(n: int = 30, features: int = 6, classes: int = 4) -> tuple[nn.Linear, Split]:
    torch.manual_seed(0)
    return nn.Linear(features, classes).double(), points(n, features, classes)


# --- closed forms ---------------------------------------------------------------------------------


def test_the_jacobian_of_a_linear_network_is_its_matrix():
    model, split = linear()
    weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
    logits = split.inputs.numpy() @ weight.T + bias
    margins, distances = [], []
    for z, y in zip(logits, split.labels.tolist(), strict=True):
        gaps = [(z[y] - z[c], np.linalg.norm(weight[y] - weight[c])) for c in range(4) if c != y]
        margins.append(min(gap for gap, _ in gaps))
        # The distance from the hyperplane on which two logits are equal.
        distances.append(min(gap / slope for gap, slope in gaps))
    found = near(model, split)
    assert found["jacobian_norm"] == pytest.approx(np.linalg.norm(weight))
    assert found["logit_margin"] == pytest.approx(np.median(margins))
    assert found["boundary_distance"] == pytest.approx(np.median(distances))
    assert min(distances) < 0 < max(distances)


def test_a_step_of_the_distance_reaches_the_boundary_of_a_linear_network():
    model, split = linear(classes=2)
    model.weight.data[1], model.bias.data[1] = 0, 0
    split = replace(split, labels=model(split.inputs).argmax(1))
    distances = input_gradients(
        *(model, Objective(split), None), generator=generator(0), batch_size=7
    ).distances
    weight, sign = model.weight.detach()[0], 1 - 2.0 * split.labels[:, None]
    moved = split.inputs - sign * distances[:, None] * weight / weight.norm()
    assert (distances > 0).all()
    assert model(moved)[:, 0].abs().max() < 1e-12


class Quadratic(nn.Module):
    """Logits ½ xᵀ A_c x."""

    def __init__(self, matrices: torch.Tensor):
        super().__init__()
        self.matrices = nn.Parameter(matrices)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bi,cij,bj->bc", inputs, self.matrices, inputs) / 2


def test_the_jacobian_of_a_quadratic_network_is_linear_in_the_inputs():
    draws = torch.Generator().manual_seed(1)
    half = torch.randn(3, 5, 5, dtype=torch.float64, generator=draws)
    matrices, split = half + half.transpose(1, 2), points(21, 5, 3)
    norms, distances = [], []
    for x, y in zip(split.inputs, split.labels.tolist(), strict=True):
        rows = [(a @ x).numpy() for a in matrices]
        logits = [float(x @ a @ x) / 2 for a in matrices]
        norms.append(np.linalg.norm(rows))
        gaps = ((logits[y] - logits[c], rows[y] - rows[c]) for c in range(3) if c != y)
        distances.append(min(gap / np.linalg.norm(slope) for gap, slope in gaps))
    found = near(Quadratic(matrices), split)
    assert found["jacobian_norm"] == pytest.approx(np.mean(norms))
    assert found["boundary_distance"] == pytest.approx(np.median(distances))


def test_a_linear_loss_of_a_linear_network_changes_by_noise_as_its_slope_says():
    model, split = linear(n=400)
    loss = find_loss(lambda outputs, labels: outputs.sum(1))
    slope = model.weight.detach().sum(0).norm().item()
    sizes = (0.01, 0.1, 1.0)
    found = noise_sensitivities(
        model, Objective(split, loss), sizes, 20, generator=generator(3), batch_size=64
    )
    for size, column in zip(sizes, found, strict=True):
        # The mean size of a normal number is √(2/π) of its deviation; 8000 draws are within 4 %.
        expected = size * slope * math.sqrt(2 / math.pi)
        assert column.mean().item() == pytest.approx(expected, rel=0.04)
    # The same draws for every size.
    torch.testing.assert_close(found[1], 10 * found[0])


def test_attacks_on_a_linear_network_end_at_its_boundary():
    model, split = linear(classes=2)
    weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
    gaps = split.inputs.numpy() @ (weight[0] - weight[1]) + bias[0] - bias[1]
    signs = 1 - 2 * split.labels.numpy()
    distances = np.maximum(signs * gaps, 0) / np.linalg.norm(weight[0] - weight[1])
    assert (distances == 0).sum() < len(distances) / 2 < (distances >= 0).sum()
    found = near(model, split, attack_samples=1000)
    assert found["boundary_distance_attack"] == pytest.approx(np.median(distances), rel=0.02)


@pytest.mark.parametrize("samples", [4, 10])
def test_attacked_samples_are_spread_over_those_that_count_in_data_of_any_form(
    samples, monkeypatch
):
    model, split = linear()
    labels = split.labels.clone()
    labels[::3] = IGNORED
    rows = (labels != IGNORED).nonzero()[:, 0]
    chosen = rows[[len(rows) * k // samples for k in range(samples)]]
    expected = smallest_radii(model, split.inputs[chosen], labels[chosen])
    marked = replace(split, labels=labels)
    parts = list(zip(split.inputs.split(7), labels.split(7), strict=True))
    monkeypatch.setattr("minimascope.sharpness.samples.LARGEST_IN_MEMORY", 0)
    streamed = samples_of(parts, None, CPU)
    assert isinstance(streamed, Stream)
    for data in (marked, streamed):
        found = attacked_distances(model, Objective(data), samples, batch_size=4)
        torch.testing.assert_close(found, expected)
    assert expected.max() > 0


def test_attacked_pictures_stay_pictures():
    model, split = network("vit"), images("vit", 6)
    expected = smallest_radii(model, split.inputs, split.labels)
    found = attacked_distances(model, Objective(split), 6, 100)
    torch.testing.assert_close(found, expected.double())


# --- loops over single samples --------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["resnet18", "vit"])
def test_numbers_of_pictures_are_those_of_a_loop_and_in_fractions_of_their_range(architecture):
    model, split = network(architecture), images(architecture, 9)
    # A network of fractions takes them as they are.
    expected = per_sample(lambda x: model.network((x - model.mean) / model.std), split, 255)
    found = near(model, split)
    assert {name: found[name] for name in NAMES} == pytest.approx(expected)


def test_numbers_with_attention_are_those_of_a_loop():
    model, split = attentive()
    found = near(model, split)
    assert {name: found[name] for name in NAMES} == pytest.approx(per_sample(model, split))


def test_sensitivity_is_that_of_a_loop_and_grows_with_the_noise():
    model, split = network("resnet18"), images("resnet18", 5)
    objective = Objective(split)
    found = noise_sensitivities(
        model, objective, (0.02, 0.3), 3, generator=generator(5), batch_size=2
    )
    # Another implementation with draws of its own agrees within the scatter of both.
    draws, changes = torch.Generator().manual_seed(9), []
    inputs = split.inputs.double() / 255
    with torch.no_grad():
        centre = nn.functional.cross_entropy(model(inputs), split.labels, reduction="none")
        for _ in range(100):
            moved = inputs + 0.3 * torch.randn(inputs.shape, generator=draws)
            loss = nn.functional.cross_entropy(model(moved), split.labels, reduction="none")
            changes.append((loss - centre).abs())
    changes = torch.stack(changes)
    error = changes.std(0).mul(1 / math.sqrt(3)).mean().item()
    assert abs(found[1].mean() - changes.mean()).item() < 3 * error
    assert found[0].mean() < found[1].mean() / 5


# --- estimates ------------------------------------------------------------------------------------


def test_projections_estimate_the_norm_without_bias():
    model, split = linear(n=3000, classes=8)
    expected = model.weight.norm().item()
    for count in (2, 3, 5):
        found = input_gradients(
            *(model, Objective(split), count), generator=generator(count), batch_size=512
        ).norms
        # All Jacobians are alike: what differs is the draws.
        error = found.std().item() / math.sqrt(len(found))
        assert 0 < error < 0.02 * expected
        assert abs(found.mean().item() - expected) < 4 * error + 0.004 * expected


def test_as_many_projections_as_classes_are_exact():
    model, split = linear()
    exact, found = near(model, split), near(model, split, projections=4)
    assert found == exact
    few = near(model, split, projections=3)
    assert few["jacobian_norm"] != exact["jacobian_norm"]
    # There are three other classes, and all are looked at.
    assert few["boundary_distance"] == pytest.approx(exact["boundary_distance"])


# --- parts of the data ----------------------------------------------------------------------------


def test_a_study_has_both_parts_of_the_data_on_both_views():
    model, whole = network("resnet18"), images("resnet18", 20)
    dataset = Dataset(
        whole.rows(torch.arange(12)), whole.rows(torch.arange(12, 20)), ("a", "b", "c", "d")
    )
    found = {}
    for view in ("clean", "augmented"):
        spec = FamilySpec("input", F64, view, {"crop_padding": 2}, 0.0, 0.0)
        measured, _ = measure_family(model, dataset, 0, CPU, spec)
        found[view] = values(measured)
        ns = {one.measure.startswith("test_"): one.n for one in measured.measurements}
        assert ns == {False: 12, True: 8}
        assert "left_out" not in measured.details
    test = near(model, dataset.test)
    for name in NAMES:
        assert found["clean"][f"test_{name}"] == pytest.approx(test[name])
        assert found["clean"][f"test_{name}"] != found["augmented"][f"test_{name}"]
        assert found["clean"][name] != found["augmented"][name]


def test_labels_that_do_not_count_are_left_out():
    model, split = linear()
    ignored = replace(split, labels=split.labels.index_fill(0, torch.arange(10), -100))
    found, rest = near(model, ignored), near(model, split.rows(torch.arange(10, 30)))
    assert {name: found[name] for name in NAMES} == {name: rest[name] for name in NAMES}


def test_the_error_of_a_median_is_that_of_repeated_samples():
    model = nn.Linear(1, 2, bias=False).double()
    model.weight.data = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    medians, errors = [], []
    for seed in range(200):
        split = points(100, 1, 1, seed)
        measured = measure_input(Subject(model, Objective(split)), generator(0), draws=1)
        (one,) = (m for m in measured.measurements if m.measure == "logit_margin")
        medians.append(one.value)
        errors.append(one.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(medians), rel=0.2)


def test_a_constant_network_has_no_slope_and_no_boundary():
    model, split = linear()
    model.weight.data.zero_()
    measured = measure_input(Subject(model, Objective(split)), generator(0), **F64)
    found = values(measured)
    assert found["jacobian_norm"] == found["noise_sensitivity_large"] == 0
    assert "boundary_distance" not in found
    assert "no difference of logits" in measured.details["left_out"]["boundary_distance"]


def test_a_loss_without_classes_has_slopes_and_no_margins():
    model, split = linear()
    found = measure(model, split.inputs, split.inputs[:, :4], "input", loss="mse")
    assert found["jacobian_norm"].value == pytest.approx(model.weight.norm().item())
    assert "logit_margin" not in found
    with refused("logit_margin: the loss mse is not that of a softmax over classes; leave it out"):
        measure(model, split.inputs, split.inputs[:, :4], "logit_margin", loss="mse")


# --- refusals -------------------------------------------------------------------------------------


class Rounded(nn.Linear):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs.round())


class Chosen(nn.Embedding):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs.argmax(1))


class Named(nn.Linear):
    def forward(self, *, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return super().forward(one + other)


@pytest.mark.parametrize("model", [Rounded(6, 4), Chosen(6, 4)])
def test_a_network_without_gradients_to_its_inputs_is_refused(model):
    split = points(12, 6, 4)
    with refused(f"input: the outputs of {type(model).__name__} have no gradient", "leave input"):
        measure(model, 3 * split.inputs.float(), split.labels, "jacobian_norm")


def test_inputs_that_cannot_be_moved_are_refused():
    split, tokens = points(12, 6, 4), torch.arange(12)[:, None] % 5
    words = nn.Sequential(nn.Embedding(5, 4), nn.Flatten())
    with refused("input: the inputs are torch.int64, which cannot be moved a little"):
        measure(words, tokens, split.labels, "jacobian_norm")
    # A network of unknown units takes no bytes.
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))

    class Bytes(nn.Sequential):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs.float())

    with refused("input: the inputs are torch.uint8", "pictures as fractions of 255"):
        measure(Bytes(*flat), images("resnet18", 12).inputs, split.labels, "jacobian_norm")
    both = {"one": split.inputs.float(), "other": split.inputs.float()}
    with refused("input: Named takes several inputs by name (one, other)"):
        measure(Named(6, 4), both, split.labels, "jacobian_norm")


class Behind(nn.Linear):
    """A linear network behind a function of its inputs."""

    def __init__(self, function):
        super().__init__(6, 4)
        self.function = function

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(self.function(inputs))


class OwnType(Behind):
    """A network that runs in float32 alone."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs @ torch.eye(6))


CUT = {
    "a branch under no_grad": lambda x: x + torch.no_grad()(torch.tanh)(x),
    "a part that is detached": lambda x: torch.cat([x[:, :3].detach(), x[:, 3:]], 1),
    "rounding that passes slopes on": lambda x: x + (x.round() - x).detach(),
}


@pytest.mark.parametrize("kind", CUT)
def test_slopes_that_are_not_those_of_the_outputs_are_refused(kind):
    split = points(12, 6, 4)
    inputs = 3 * split.inputs.float()
    with refused("input: gradients of Behind with respect to its inputs are not the changes"):
        measure(Behind(CUT[kind]), inputs, split.labels, "jacobian_norm")
    assert measure(Behind(CUT[kind]), inputs, split.labels, "train_loss")


def test_slopes_are_compared_in_float32_where_a_network_has_no_other_type():
    split = points(12, 6, 4)
    given = split.inputs.float(), split.labels, "jacobian_norm"
    with refused("are not the changes of its outputs"):
        measure(OwnType(CUT["a part that is detached"]), *given)
    model = OwnType(torch.tanh)
    assert measure(model, *given)["jacobian_norm"].value > 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.float().softmax(1).to(x),
        lambda x: x.relu(),
        lambda x: x.clamp(-1, 1).abs(),
    ],
)
def test_rounding_and_kinks_of_usual_networks_are_no_wrong_slopes(function):
    """Many networks of attention compute a softmax in float32, and rectifiers have kinks at 0."""
    split = points(12, 6, 4)
    inputs = split.inputs.float()
    inputs[:4] = 0
    inputs[4:6] = inputs[4:6].round()
    assert measure(Behind(function), inputs, split.labels, "jacobian_norm")


def test_a_checkpoint_without_gradients_of_its_inputs_is_refused():
    split = points(12, 6, 4)
    model = Behind(lambda x: checkpoint(torch.tanh, x, use_reentrant=True))
    with refused("gradients of Behind with respect to its inputs cannot be formed", "leave input"):
        measure(model, split.inputs.float(), split.labels, "jacobian_norm")


def test_inputs_that_are_all_one_number_have_all_but_an_attack():
    model = nn.Linear(6, 4)
    inputs = torch.ones(12, 6)
    labels = model(inputs).argmax(1)
    expected = pytest.approx(model.weight.norm().item())
    assert measure(model, inputs, labels, "jacobian_norm")["jacobian_norm"].value == expected
    found = measure(model, inputs, labels, "input")
    assert found["jacobian_norm"].value == expected
    assert "boundary_distance_attack" not in found
    with refused("boundary_distance_attack: no attack fools", "are all one number"):
        measure(model, inputs, labels, "boundary_distance_attack")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_inputs_that_are_not_finite_are_told_as_such(value):
    split = points(12, 6, 4)
    inputs = split.inputs.float()
    inputs[-1, -1] = value
    model = Behind(lambda x: x.nan_to_num(0, 0))
    for name in ("jacobian_norm", "boundary_distance_attack"):
        with refused("input: the inputs hold NaN or infinite values"):
            measure(model, inputs, split.labels, name)


def test_predictions_of_pixels_are_refused():
    pictures, labels = torch.rand(6, 1, 8, 8), torch.zeros(6, 8, 8).long()
    with refused("input: Conv2d returns outputs [6, 3, 8, 8]", "one prediction for each input"):
        measure(nn.Conv2d(1, 3, 3, padding=1), pictures, labels, "jacobian_norm")


def test_a_single_class_and_unknown_settings_are_refused():
    split = points(12, 6, 1)
    with refused("the network has a single logit"):
        measure(nn.Linear(6, 1), split.inputs.float(), split.labels, "input")
    arguments = nn.Linear(6, 4), split.inputs.float(), split.labels, "input"
    for settings, message in (
        ({"sizes": [1]}, "settings.input.sizes: unknown key"),
        ({"noise": [0.1, 0.2]}, "settings.input.noise"),
        ({"noise": [0.1, 0.2, 0]}, "settings.input.noise"),
        ({"projections": 1}, "settings.input.projections: must be at least 2"),
    ):
        with refused(message):
            measure(*arguments, settings={"input": settings})


def test_test_data_are_measured_alone_outside_of_studies():
    model, split = linear()
    with refused("test_jacobian_norm: only a study has test data beside the training data"):
        measure(model, split.inputs, split.labels, "test_jacobian_norm")
