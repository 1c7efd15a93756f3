"""Norms, margins and PAC-Bayes bounds, by hand, by sums over paths and in closed form."""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from refusals import refused
from sharpness_cases import attentive, images, network, points, randomise
from study_cases import study
from torch import nn

from minimascope.data.prepared import Split
from minimascope.measurement import Measured
from minimascope.seeding import generator
from minimascope.sharpness import measure
from minimascope.sharpness.layers import folded, matrices
from minimascope.sharpness.norms import measure as measure_norms
from minimascope.sharpness.norms import of_matrices
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.pac_bayes import bearable_noise
from minimascope.sharpness.paths import log_path_norm
from minimascope.sharpness.subject import Subject

F64 = {"dtype": "float64"}
ARCHITECTURES = ("resnet18", "vgg19", "cnn10")


def values(measured: Measured) -> dict[str, float]:
    return {one.measure: one.value for one in measured.measurements}


def taken(model: nn.Module, split: Split, initial: nn.Module | None = None, **settings) -> Measured:
    subject = Subject(model.eval(), Objective(split))
    return measure_norms(subject, generator(0), initial=initial, **F64 | settings)


def shapes_of(model: nn.Module, split: Split) -> list[tuple[int, ...]]:
    return sorted(tuple(each.shape) for each in matrices(model, Objective(split)).values())


def by_hand() -> tuple[nn.Module, Split]:
    """Two inputs, two hidden units, two logits; right by margins 1, 2, … 11."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    model = model.double()
    model[0].weight.data = torch.tensor([[3.0, 0.0], [0.0, 4.0]]).double()
    model[2].weight.data = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).double()
    inputs = torch.stack([torch.arange(1, 12) / 3, torch.zeros(11)], 1).double()
    return model, Split(inputs, torch.zeros(11).long())


# --- worked out -----------------------------------------------------------------------------------


def test_norms_of_a_small_network_are_those_worked_out_by_hand():
    model, split = by_hand()
    start, _ = by_hand()
    start[0].weight.data = torch.tensor([[3.0, 1.0], [2.0, 4.0]]).double()
    found = values(taken(model, split, start, pac_bayes=False))
    # Largest singular values 4 and 2, squared Frobenius norms 25 and 5, margin 2 (of 1, 2, … 11).
    margin, product = 2.0, 16 * 4
    expected = {
        "log_product_of_spectral_norms": math.log(product),
        "log_product_of_spectral_norms_over_margin": math.log(product / margin**2),
        "log_sum_of_spectral_norms": math.log(2 * math.sqrt(product)),
        "log_spectral_bound": math.log(product * (25 / 16 + 5 / 4) / margin**2),
        "frobenius_over_spectral": 25 / 16 + 5 / 4,
        "log_product_of_frobenius_norms": math.log(25 * 5),
        # The change is [[0, −1], [−2, 0]].
        "frobenius_distance": 5,
        "spectral_distance": 4,
        # Two paths: 3 · 1 and 4 · 2.
        "log_path_norm": math.log(9 + 64),
        "log_path_norm_over_margin": math.log((9 + 64) / margin**2),
        "inverse_margin": 1 / margin**2,
    }
    assert found == pytest.approx(expected)


def test_a_kernel_is_the_matrix_of_its_outputs():
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, (2, 3), groups=1).double()
    inputs = Split(torch.rand(1, 3, 4, 4).double(), torch.zeros(1).long())
    (matrix,) = matrices(nn.Sequential(convolution, nn.ReLU()), Objective(inputs)).values()
    assert matrix.shape == (5, 18)
    # By powers of the Gram matrix of its filters.
    kernel = convolution.weight.detach()
    gram = torch.einsum("aihw,bihw->ab", kernel, kernel)
    vector = torch.ones(5, dtype=torch.float64)
    for _ in range(2000):
        vector = gram @ vector / (gram @ vector).norm()
    found = of_matrices([matrix])
    assert found["log_product_of_spectral_norms"] == pytest.approx(math.log(vector @ gram @ vector))
    assert found["log_product_of_frobenius_norms"] == pytest.approx(math.log(gram.trace()))


def test_all_layers_with_weights_count_once_and_normalisations_do_not():
    # In- and out-projection of the attention, query and head.
    assert shapes_of(*attentive()) == [(3, 12), (4, 4), (4, 4), (12, 4)]
    tokens = Split(torch.zeros(1, 3).long(), torch.zeros(1).long())
    assert shapes_of(nn.Sequential(nn.Embedding(5, 2), nn.GRU(2, 3)), tokens) == [(9, 2), (9, 3)]
    shared = nn.Linear(2, 2).double()
    assert shapes_of(nn.Sequential(shared, nn.ReLU(), shared), points(1, 2, 2)) == [(2, 2)]


# --- BatchNorm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batchnorms_behind_layers_become_parts_of_them(architecture):
    model, split = network(architecture), images(architecture, 6)
    found = folded(model, Objective(split))
    torch.testing.assert_close(found(split.inputs), model(split.inputs))
    norms = [name for name, m in found.named_modules() if isinstance(m, nn.BatchNorm2d)]
    # That of the inputs is behind no layer.
    assert len(norms) == (architecture == "cnn10")
    assert len(matrices(found, Objective(split))) == len(matrices(model, Objective(split)))


def test_bounds_count_the_shift_of_a_batchnorm_behind_a_layer_without_bias():
    model, split = by_hand()
    norm = nn.BatchNorm1d(2, eps=0).double()
    norm.weight.data, norm.bias.data = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).double()
    model = nn.Sequential(model[0], norm, *model[1:])
    found = values(taken(model, split))
    sigma = found["pac_bayes_flatness"] ** -0.5
    # Weights 6, 4, 1 and 2, shifts 1 and 3.
    squares = 36 + 16 + 1 + 4 + 1 + 9
    expected = squares / (4 * sigma**2) + math.log(11 / sigma) + 10
    assert found["pac_bayes_orig"] == pytest.approx(expected)


@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 1)])
def test_a_layer_with_its_batchnorm_moves_if_either_does(frozen):
    split = points(12, 3, 4)
    model = randomise(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double(), split.inputs)
    for place in frozen:
        model[place].requires_grad_(False)
    moves = {p.requires_grad for p in folded(model, Objective(split)).parameters()}
    assert moves == {len(frozen) < 2}


def test_a_batchnorm_without_factors_is_a_part_of_its_layer():
    torch.manual_seed(0)
    split = points(12, 3, 4)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False)).double()
    model(split.inputs)
    model.eval()
    found = folded(model, Objective(split))
    torch.testing.assert_close(found(split.inputs), model(split.inputs))
    assert isinstance(found[1], nn.Identity)


def test_a_batchnorm_over_tokens_is_no_part_of_a_layer():
    # It takes the second axis for channels, a layer the last.
    split = points(40, 16, 3)
    model = nn.Sequential(nn.Unflatten(1, (4, 4)), nn.Linear(4, 4), nn.BatchNorm1d(4))
    model = randomise(nn.Sequential(*model, nn.Flatten(), nn.Linear(16, 3)).double(), split.inputs)
    found = folded(model, Objective(split))
    torch.testing.assert_close(found(split.inputs), model(split.inputs))
    assert isinstance(found[2], nn.BatchNorm1d)


def test_norms_do_not_depend_on_what_batchnorm_takes_out_again():
    model, split = network("resnet18"), images("resnet18", 6)
    before = values(taken(model, split, pac_bayes=False))
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    with torch.no_grad():
        # The variance counts with ε, which is small beside it.
        first.weight *= 7
        norm.running_mean *= 7
        norm.running_var.copy_(49 * (norm.running_var + norm.eps) - norm.eps)
    assert values(taken(model, split, pac_bayes=False)) == pytest.approx(before)


def test_a_layer_whose_outputs_have_another_use_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.norm = nn.Linear(6, 4), nn.BatchNorm1d(4)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            found = self.layer(inputs)
            return self.norm(found) + found

    split = points(12, 6, 4)
    model = randomise(Twice().double(), split.inputs)
    with refused("norms: Twice uses what a layer returns beside the BatchNorm behind it"):
        folded(model, Objective(split))


# --- paths ----------------------------------------------------------------------------------------


def unrolled(layer: nn.Module, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The squares of a layer as a dense matrix, found with unit inputs, and of its bias."""
    size = math.prod(shape)
    with torch.no_grad():
        zero = layer(torch.zeros(1, *shape).double()).flatten()
        units = layer(torch.eye(size).double().reshape(size, *shape)).flatten(1) - zero
    return np.square(units.numpy().T), np.square(zero.numpy())


def test_the_path_norm_is_the_sum_over_all_paths():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    first, second = (model[i].weight.detach().numpy() for i in (0, 2))
    total = 0.0
    for unit, logit in itertools.product(range(4), range(2)):
        last = second[logit, unit] ** 2
        total += sum(first[unit, i] ** 2 * last for i in range(3))
        # A path can start at the bias.
        total += model[0].bias[unit].item() ** 2 * last
    total += sum(value**2 for value in model[2].bias.tolist())
    assert log_path_norm(model, Objective(points(5, 3, 2))) == pytest.approx(math.log(total))


def test_the_path_norm_of_a_residual_block_counts_paths_through_its_shortcut():
    model, split = network("resnet18"), images("resnet18", 3)
    plain = folded(model, Objective(split)).network
    found = log_path_norm(folded(model, Objective(split)), Objective(split))
    # Block by block with dense matrices of squares, and ones to begin with.
    flow, shape = np.ones(64), (1, 8, 8)
    body = list(plain.body)

    def through(layer: nn.Module, flow: np.ndarray, shape: tuple[int, ...]):
        matrix, shift = unrolled(layer, shape)
        return matrix @ flow + shift, tuple(layer(torch.zeros(1, *shape).double()).shape[1:])

    for part in body:
        if isinstance(part, nn.Conv2d):
            flow, shape = through(part, flow, shape)
        elif hasattr(part, "residual"):
            start, begun = (flow, shape), (flow, shape)
            for layer in part.residual:
                if isinstance(layer, nn.Conv2d):
                    start = through(layer, *start)
            for layer in part.shortcut:
                if isinstance(layer, nn.Conv2d):
                    begun = through(layer, *begun)
            flow, shape = start[0] + begun[0], start[1]
        elif isinstance(part, nn.AdaptiveAvgPool2d):
            flow, shape = flow.reshape(shape[0], -1).mean(1), (shape[0],)
    flow, _ = through(plain.head, flow, shape)
    assert found == pytest.approx(math.log(flow.sum()))


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize(
    "normed",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
)
def test_norms_are_of_the_weights_that_a_normalisation_of_weights_makes(normed):
    torch.manual_seed(0)
    split = points(12, 3, 4)
    layers = [normed(nn.Linear(3, 4).double()), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4)]
    model = randomise(nn.Sequential(*layers).double(), split.inputs).eval()
    # The older ones compute their weights in a pass.
    model(split.inputs)
    plain = nn.Sequential(nn.Linear(3, 4).double(), *layers[1:])
    plain[0].weight, plain[0].bias = (
        nn.Parameter(each.detach().clone()) for each in (model[0].weight, model[0].bias)
    )
    before = model(split.inputs)
    assert values(taken(model, split)) == pytest.approx(values(taken(plain, split)))
    torch.testing.assert_close(model(split.inputs), before)


def test_a_batchnorm_before_a_layer_is_a_layer_of_paths_itself():
    torch.manual_seed(0)
    split = points(40, 3, 2)
    model = nn.Sequential(nn.BatchNorm1d(3, eps=0.5), nn.ReLU(), nn.Linear(3, 2))
    model = randomise(model.double(), split.inputs)
    (scales, shift), (matrix, bias) = unrolled(model[0], (3,)), unrolled(model[2], (3,))
    expected = (matrix @ (scales @ np.ones(3) + shift) + bias).sum()
    found = log_path_norm(folded(model, Objective(split)), Objective(split))
    assert found == pytest.approx(math.log(expected))


def test_node_wise_rescaling_of_rectifiers_changes_norms_but_not_paths():
    model, split = by_hand()
    before = values(taken(model, split, pac_bayes=False))
    model[0].weight.data[0] *= 10
    model[2].weight.data[:, 0] /= 10
    after = values(taken(model, split, pac_bayes=False))
    for name in ("log_path_norm", "log_path_norm_over_margin", "inverse_margin"):
        assert after[name] == pytest.approx(before[name])
    assert after["log_product_of_spectral_norms"] > before["log_product_of_spectral_norms"] + 1


@pytest.mark.parametrize(
    "layer", [nn.LayerNorm(4), nn.GELU(), nn.Sigmoid(), nn.GroupNorm(2, 4), nn.Softmax(1)]
)
def test_a_network_that_is_no_sum_over_paths_has_no_path_norm(layer):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2)).double()
    split = points(8, 3, 2)
    assert log_path_norm(model, Objective(split)) is None
    measured = taken(model, split, pac_bayes=False)
    assert "log_path_norm" not in values(measured)
    assert "no sum over paths" in measured.details["left_out"]["log_path_norm"]


# --- margins --------------------------------------------------------------------------------------


def test_margins_of_networks_that_are_often_wrong_are_left_out():
    model, split = by_hand()
    wrong = Split(split.inputs, torch.tensor([0] * 9 + [1] * 2))
    measured = taken(model, wrong, pac_bayes=False)
    assert measured.details["margin"] < 0
    left_out = measured.details["left_out"]
    assert {name for name, why in left_out.items() if "predicted wrong" in why} == {
        *("inverse_margin", "log_product_of_spectral_norms_over_margin"),
        *("log_spectral_bound", "log_path_norm_over_margin"),
    }
    assert left_out.keys().isdisjoint(values(measured))


# --- PAC-Bayes ------------------------------------------------------------------------------------


def one_margin() -> tuple[nn.Module, Objective]:
    """Logits 2x and 0 of a single number x = 1, of the first class."""
    model = nn.Linear(1, 2, bias=False).double()
    model.weight.data = torch.tensor([[2.0], [0.0]]).double()
    return model, Objective(Split(torch.ones(1, 1).double(), torch.zeros(1).long()))


# The first logit falls below the second one as often as a normal number is below −2 / (√2 σ), or
# relative to the weights, where the second does not move, below −1 / σ.
@pytest.mark.parametrize(("relative", "factor"), [(False, math.sqrt(2)), (True, 1.0)])
def test_the_noise_that_is_borne_is_that_of_a_normal_tail(relative, factor):
    model, objective = one_margin()
    before = model.weight.detach().clone()
    found = bearable_noise(model, objective, relative, 400, 12, generator=generator(0))
    expected = factor / NormalDist().inv_cdf(0.9)
    assert 0.02 < found.error < 0.2
    assert abs(math.log(found.sigma / expected)) < 3 * found.error
    assert torch.equal(model.weight, before)


def test_the_error_of_the_noise_is_its_scatter_over_seeds():
    model, objective = one_margin()
    found = [
        bearable_noise(model, objective, False, 100, 9, generator=generator(seed))
        for seed in range(12)
    ]
    scatter = np.std([math.log(each.sigma) for each in found], ddof=1)
    assert np.mean([each.error for each in found]) == pytest.approx(scatter, rel=0.6)


def test_bounds_follow_from_the_noise_and_the_squared_weights():
    model, split = by_hand()
    start, _ = by_hand()
    start[0].weight.data[0, 0] = 1.0
    measured = taken(model, split, start)
    found = {one.measure: one for one in measured.measurements}
    sigma = found["pac_bayes_flatness"].value ** -0.5
    rest = math.log(11 / sigma) + 10
    assert found["pac_bayes_orig"].value == pytest.approx(30 / (4 * sigma**2) + rest)
    assert found["pac_bayes_init"].value == pytest.approx(4 / (4 * sigma**2) + rest)
    assert found["pac_bayes_magnitude_flatness"].value > 0
    # Errors by small steps of σ.
    change = found["pac_bayes_flatness"].standard_error / found["pac_bayes_flatness"].value / 2
    moved = 30 / (4 * sigma**2) - 30 / (4 * (sigma * math.exp(1e-6)) ** 2) + 1e-6
    slope = found["pac_bayes_orig"].standard_error / change
    assert slope == pytest.approx(moved / 1e-6, rel=1e-4)


def test_noise_that_changes_no_prediction_gives_no_bound():
    model = nn.Linear(2, 2).double()
    split = Split(torch.zeros(10, 2).double(), torch.zeros(10).long())
    model.bias.data = torch.tensor([1e9, 0.0]).double()
    measured = taken(model, split, samples=2, steps=2)
    assert "no noise" in measured.details["left_out"]["pac_bayes_orig"]
    assert not any(name.startswith("pac_bayes_orig") for name in values(measured))


# --- what is needed -------------------------------------------------------------------------------


def test_distances_need_the_network_that_training_began_with():
    model, split = by_hand()
    arguments = model, split.inputs, split.labels, "frobenius_distance"
    with refused(
        "frobenius_distance: is a distance from the weights that training began with; give"
    ):
        measure(*arguments)
    with refused("initial: its weights have other shapes than the network's"):
        measure(*arguments, initial=nn.Linear(2, 2).double())
    start, _ = by_hand()
    start[0].weight.data += 1
    found = measure(*arguments, initial=start)["frobenius_distance"]
    assert found.value == pytest.approx(4)
    assert start[0].weight.dtype == torch.float64


def test_a_network_without_layers_is_refused():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(4))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.factor * inputs

    split = points(12, 4, 4)
    with refused("norms: Scale has no linear, convolutional, recurrent or attention layer"):
        measure(Scale(), split.inputs.float(), split.labels, "norms")
    with refused("the network has a single logit"):
        measure(nn.Linear(4, 1), split.inputs.float(), 0 * split.labels, "norms")
    with refused("settings.norms.draws: unknown key"):
        measure(
            *(nn.Linear(4, 4), split.inputs.float(), split.labels, "norms"),
            settings={"norms": {"draws": 3}},
        )


def test_a_layer_of_zeros_has_no_logarithm():
    model, split = by_hand()
    model[2].weight.data.zero_()
    measured = taken(model, split, pac_bayes=False)
    assert all(math.isfinite(value) for value in values(measured).values())
    left_out = measured.details["left_out"]
    assert left_out["log_product_of_spectral_norms"] == "a layer's weights are all zero"


def test_only_trainings_from_the_seeds_weights_have_a_distance_from_them():
    found = study(
        conditions={
            "baseline": {},
            "group": {"norm": "group"},
            "usual": {"norm": "batch"},
            "elsewhere": {"weights": "others.pth"},
        }
    )
    starts = {name: found.starts_from_initial("small", name) for name in found.conditions}
    own = {"group": False, "elsewhere": False}
    assert starts == {"baseline": True, "sam": True, "usual": True, **own}
    assert found.starts_from_initial("small", "initial")


def test_layers_whose_weights_are_no_matrix_of_outputs_by_inputs_are_refused_by_name():
    class Upsampled(nn.Module):
        def __init__(self):
            super().__init__()
            self.larger, self.head = nn.ConvTranspose1d(1, 2, 3), nn.Linear(12, 4)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.head(self.larger(inputs[:, None]).flatten(1))

    split = points(12, 4, 4)
    with refused("norms: larger (ConvTranspose1d) has weights that are no matrix"):
        measure(Upsampled(), split.inputs.float(), split.labels, "norms")
