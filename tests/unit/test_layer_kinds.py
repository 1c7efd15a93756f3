"""Norms of networks with all kinds of layers and of BatchNorms, pruned ones and frozen ones."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from refusals import refused
from sharpness_cases import points, randomise
from torch import nn
from torch.nn.utils import parametrizations, prune

from minimascope.sharpness import measure

PRODUCT = "log_product_of_spectral_norms"
SPLIT = points(40, 4, 3)
TOKENS = torch.randn(40, 5, 4, generator=torch.Generator().manual_seed(0)).double()
PICTURES = torch.rand(40, 2, 6, 6, generator=torch.Generator().manual_seed(0)).double()
SETTINGS = {"norms": {"samples": 2, "steps": 4, "dtype": "float64"}}


def taken(model: nn.Module, inputs: torch.Tensor, initial: nn.Module | None = None):
    """Return all norms, with the network's own predictions as labels."""
    with torch.no_grad():
        labels = model(inputs).argmax(1)
    found = measure(model, inputs, labels, "norms", settings=SETTINGS, initial=initial)
    return {name: each.value for name, each in found.items()}


def perceptron(norm: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(1)
    norms = [] if norm is None else [norm]
    return nn.Sequential(nn.Linear(4, 6), *norms, nn.ReLU(), nn.Linear(6, 3)).double().eval()


def convolution(norm: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    layers = [nn.Conv2d(2, 3, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)]
    return nn.Sequential(*layers).double().eval()


def normed() -> nn.Module:
    """Return a convolution with a BatchNorm that has non-trivial statistics."""
    return randomise(convolution(nn.BatchNorm2d(3)), PICTURES)


def product_of(*weights: torch.Tensor) -> float:
    return sum(2 * math.log(torch.linalg.matrix_norm(w.detach().flatten(1), 2)) for w in weights)


# --- BatchNorms -----------------------------------------------------------------------------------


class Activated(nn.BatchNorm2d):
    """A BatchNorm that is its activation, too, as timm's BatchNormAct2d."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return F.relu(super().forward(inputs), inplace=True)


class Frozen(nn.Module):
    """A BatchNorm of buffers, as torchvision's FrozenBatchNorm2d."""

    def __init__(self, norm: nn.BatchNorm2d):
        super().__init__()
        self.eps = norm.eps
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, getattr(norm, name).detach().clone())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return inputs * scale[:, None, None] + shift[:, None, None]


@pytest.mark.parametrize(
    "kind",
    [
        nn.SyncBatchNorm(3),
        Activated(3),
        nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        None,
    ],
)
def test_everything_with_fixed_statistics_behind_a_layer_is_a_part_of_it(kind):
    model = normed()
    other = copy.deepcopy(model)
    other[1] = copy.deepcopy(kind).double().eval() if kind is not None else Frozen(model[1])
    other[1].load_state_dict(model[1].state_dict(), strict=False)
    expected = taken(model, PICTURES)
    assert {"log_path_norm", "pac_bayes_orig"} <= expected.keys()
    assert taken(other, PICTURES) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["timm", "torchvision"])
def test_normalisations_of_libraries_are_parts_of_layers(name):
    model = normed()
    other = copy.deepcopy(model)
    if name == "timm":
        other[1] = pytest.importorskip("timm.layers").BatchNormAct2d(3)
    else:
        other[1] = pytest.importorskip("torchvision.ops").FrozenBatchNorm2d(3)
    other[1].load_state_dict(model[1].state_dict(), strict=False)
    other = other.double().eval()
    assert taken(other, PICTURES) == pytest.approx(taken(model, PICTURES))


def test_the_path_norm_squares_frozen_scales_that_are_behind_no_layer():
    model = randomise(convolution(nn.BatchNorm2d(3)), PICTURES)
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), *model).double()
    model = randomise(model, PICTURES)
    model[0].weight.data.neg_()
    other = copy.deepcopy(model)
    other[0] = Frozen(model[0])
    expected = taken(model, PICTURES)["log_path_norm"]
    assert taken(other, PICTURES)["log_path_norm"] == pytest.approx(expected)


class Repeated(nn.Module):
    """A layer that is called twice, with a BatchNorm of its own or with two."""

    def __init__(self, count: int):
        super().__init__()
        torch.manual_seed(2)
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
        self.norms = nn.ModuleList(nn.BatchNorm1d(4) for _ in range(count))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for norm in (self.norms[0], self.norms[-1]):
            inputs = norm(self.layer(inputs)).relu()
        return self.head(inputs)


def test_a_layer_that_always_has_the_same_batchnorm_behind_it_is_one_with_it():
    model = randomise(Repeated(1).double(), SPLIT.inputs)
    before = taken(model, SPLIT.inputs)
    with torch.no_grad():
        norm = model.norms[0]
        model.layer.weight *= 7
        model.layer.bias *= 7
        norm.running_mean *= 7
        norm.running_var.copy_(49 * (norm.running_var + norm.eps) - norm.eps)
    assert taken(model, SPLIT.inputs) == pytest.approx(before)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        norm = self.norm
        arguments = norm.running_mean, norm.running_var, norm.weight, norm.bias
        return F.batch_norm(self.layer(inputs), *arguments, False, 0, norm.eps)


class Fused(nn.Linear):
    """A layer that normalises what it returns, as torch's for quantisation."""

    def __init__(self):
        super().__init__(4, 3)
        self.register_buffer("running_mean", torch.zeros(3))
        self.register_buffer("running_var", torch.full([3], 4.0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return F.batch_norm(super().forward(inputs), self.running_mean, self.running_var)


class WithoutEps(nn.Module):
    """A BatchNorm whose ε is not to be known, as in some detectors."""

    def __init__(self):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(6))
        self.register_buffer("running_var", torch.full([6], 4.0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs - self.running_mean) / (self.running_var + 1e-5).sqrt()


@pytest.mark.parametrize(
    ("model", "where"),
    [
        (Functional(), "the network (Functional)"),
        (Fused(), "the network (Fused)"),
        (Repeated(2), "norms.0 (BatchNorm1d)"),
        (perceptron(WithoutEps()), "1 (WithoutEps)"),
    ],
)
def test_a_normalisation_behind_a_layer_that_cannot_be_folded_is_refused_by_name(model, where):
    with refused(f"norms: {where} normalises with fixed statistics what a layer returns"):
        taken(model.double().eval(), SPLIT.inputs)


def test_a_batchnorm_that_computes_something_else_is_refused():
    class Shifted(nn.BatchNorm1d):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs) + self.weight

    with refused("or one of Shifted computes something else"):
        taken(randomise(perceptron(Shifted(6)), SPLIT.inputs), SPLIT.inputs)


# --- layers ---------------------------------------------------------------------------------------


class Cells(nn.Module):
    def __init__(self, kind: type[nn.RNNCellBase]):
        super().__init__()
        self.cell, self.head = kind(4, 6), nn.Linear(6, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        state = None
        for step in inputs.unbind(1):
            state = self.cell(step, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_recurrent_cells_are_layers(kind):
    torch.manual_seed(0)
    model = Cells(kind).double()
    expected = product_of(model.cell.weight_ih, model.cell.weight_hh, model.head.weight)
    assert taken(model, TOKENS)[PRODUCT] == pytest.approx(expected)


class Own(nn.Module):
    """Products with parameters of its own, beside a layer that nothing calls."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = (nn.Parameter(torch.randn(*s)) for s in ((4, 6), (3, 6)))
        self.bias, self.unused = nn.Parameter(torch.randn(6)), nn.Linear(50, 50)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, inputs, self.first).relu() @ self.second.T


def test_matrices_count_if_something_is_multiplied_with_them():
    model = Own().double()
    expected = product_of(model.first, model.second)
    assert taken(model, SPLIT.inputs)[PRODUCT] == pytest.approx(expected)


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, add_bias_kv=True)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found, _ = self.attention(inputs, inputs, inputs, need_weights=False)
        return self.head(found.mean(1))


def test_biases_of_keys_and_values_are_no_matrices():
    torch.manual_seed(0)
    model = Attending().double()
    own = model.attention
    expected = product_of(own.in_proj_weight, own.out_proj.weight, model.head.weight)
    assert taken(model, TOKENS)[PRODUCT] == pytest.approx(expected)


def test_a_grouped_convolution_is_the_matrix_of_its_own_inputs():
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    model = nn.Sequential(*layers).double()
    assert model[0].weight.flatten(1).shape == (4, 9)
    expected = product_of(model[0].weight, model[3].weight)
    assert taken(model, PICTURES)[PRODUCT] == pytest.approx(expected)


class Standardised(nn.Linear):
    """A layer that normalises its weight, as timm's StdConv2d."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return F.linear(inputs, F.normalize(self.weight, dim=1), self.bias)


class Padded(nn.Linear):
    """A subclass that has its weight as it is."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs.clone())


def test_layers_that_compute_their_weights_are_refused_by_name():
    model = perceptron()
    expected = taken(model, SPLIT.inputs)
    model[2].__class__ = Padded
    assert taken(model, SPLIT.inputs) == expected
    model[2].__class__ = Standardised
    with refused("norms: 2 (Standardised) has weights that are no parameters"):
        taken(model, SPLIT.inputs)


def test_products_with_parameters_that_are_no_matrix_are_refused_by_name():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.experts = nn.Parameter(torch.randn(2, 4, 3))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.einsum("bi,eio->bo", inputs, self.experts)

    with refused("norms: the network (Experts) multiplies with experts, which is no matrix"):
        taken(Experts().double(), SPLIT.inputs)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:FutureWarning")
def test_layers_that_torchscript_hides_are_refused_by_name():
    model = nn.Sequential(torch.jit.script(nn.Linear(4, 4)), nn.Linear(4, 3)).double()
    with refused("norms: 0 is compiled by TorchScript, which hides its layers"):
        taken(model, SPLIT.inputs)


# --- pruning --------------------------------------------------------------------------------------


def test_pruned_weights_are_zeros_whatever_they_were():
    model = perceptron()
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    plain = perceptron()
    prune.l1_unstructured(plain[0], "weight", amount=0.5)
    prune.remove(plain[0], "weight")
    with torch.no_grad():
        model[0].weight_orig[model[0].weight_mask == 0] = 100.0
    initial = perceptron()
    initial[0].bias.data += 1
    expected = taken(plain, SPLIT.inputs, initial)
    assert "pac_bayes_init" in expected
    assert taken(model, SPLIT.inputs, initial) == pytest.approx(expected)
    assert prune.is_pruned(model)


def test_a_batchnorm_behind_a_pruned_layer_is_a_part_of_it():
    model, plain = normed(), normed()
    for each in (model, plain):
        prune.l1_unstructured(each[0], "weight", amount=0.4)
    prune.remove(plain[0], "weight")
    assert taken(model, PICTURES) == pytest.approx(taken(plain, PICTURES))


# --- the network that training began with ---------------------------------------------------------


def test_the_initial_weights_are_compared_by_name():
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layer, self.norm, self.head = nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.head(self.norm(self.layer(inputs)))

    model, initial = Normed().double(), Normed().double()
    # This moves the weight behind the bias, which has the same shape.
    prune.identity(model.norm, "weight")
    prune.remove(model.norm, "weight")
    found = taken(model, SPLIT.inputs, initial)
    rest = math.log(len(SPLIT) * math.sqrt(found["pac_bayes_flatness"])) + 10
    assert found["pac_bayes_init"] == pytest.approx(rest)
    other = perceptron()
    parametrizations.weight_norm(other[0])
    assert taken(other, SPLIT.inputs, perceptron())["frobenius_distance"] < 1e-20
    with refused(
        "initial: its weights have other shapes", "(layer.weight: none in place of (5, 4)"
    ):
        taken(model, SPLIT.inputs, perceptron())


def test_bounds_from_the_initial_weights_are_over_those_that_move():
    model, initial = perceptron(), perceptron()
    initial[0].weight.data += 1
    initial[2].bias.data[0] += 2
    model[0].requires_grad_(False)
    found = taken(model, SPLIT.inputs, initial)
    sigma = found["pac_bayes_flatness"] ** -0.5
    expected = 4 / (4 * sigma**2) + math.log(len(SPLIT) / sigma) + 10
    assert found["pac_bayes_init"] == pytest.approx(expected)


def test_an_initial_network_that_is_none_is_one_line():
    model, initial = perceptron(), perceptron()
    arguments = model, SPLIT.inputs, SPLIT.labels, "frobenius_distance"
    with refused("initial: OrderedDict is no torch module"):
        measure(*arguments, initial=initial.state_dict())
    initial[0].weight.data[0, 0] = math.nan
    with refused("initial: 0.weight holds NaN or infinite values"):
        measure(*arguments, initial=initial)
