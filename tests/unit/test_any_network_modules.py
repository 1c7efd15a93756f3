"""Networks of any kind give the numbers of plain ones, wherever called, and stay as they were."""

import copy
import random
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

from minimascope import measure
from minimascope.errors import InputError

N = 24
NAMES = [
    *("train_loss", "fisher_rao_norm", "sam_sharpness", "adaptive_sharpness_worst"),
    *("hessian_trace", "gauss_newton_trace", "asc_sharpness", "train_gradient_norm"),
]
FEW = {
    "perturbation": {"samples": 4, "adaptive": {"samples": 4, "steps": 3}},
    "hessian": {"trace_products": 9},
    "landscape": {"points": 3},
}


def data() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(N, 4), torch.arange(N) % 3


def perceptron() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def values(model: nn.Module, *given: Any, **chosen: Any) -> dict[str, float]:
    found = measure(model, *(given or data()), NAMES, settings=FEW, **chosen)
    return {name: m.value for name, m in found.items()}


# --- wrappers -------------------------------------------------------------------------------------


def compiled(model: nn.Module) -> nn.Module:
    # No compiler is needed to see what is inside.
    return torch.compile(model, backend="eager")


def compiled_inside(model: nn.Module) -> nn.Module:
    model[0] = compiled(model[0])
    return model


def compiled_in_place(model: nn.Module) -> nn.Module:
    model.compile(backend="eager")
    return model


def pruned(model: nn.Module) -> nn.Module:
    """Return a network whose weight is the product of a mask of ones and a parameter."""
    prune.identity(model[0], "weight")
    model(data()[0])
    return model


WRAPPERS = {
    "DataParallel": nn.DataParallel,
    "compiled": compiled,
    "compiled DataParallel": lambda model: compiled(nn.DataParallel(model)),
    "a compiled layer": compiled_inside,
    "compiled in place": compiled_in_place,
    "pruned": pruned,
    "in training mode": lambda model: model.train(),
    "after a gradient": lambda model: (model(data()[0]).sum().backward(), model)[1],
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_network_inside_a_wrapper_is_measured(wrapper):
    found, expected = values(WRAPPERS[wrapper](perceptron())), values(perceptron())
    if wrapper == "pruned":
        # Its weights are registered in another order, so that other draws move them.
        names = ("train_loss", "fisher_rao_norm", "train_gradient_norm", "adaptive_sharpness_worst")
        found, expected = ({name: each[name] for name in names} for each in (found, expected))
    assert found == pytest.approx(expected, rel=1e-6)


def test_distributed_wrappers_are_opened_without_a_group_of_processes():
    class Distributed(nn.parallel.DistributedDataParallel):
        def __init__(self, module: nn.Module):
            nn.Module.__init__(self)
            self.module = module

    assert values(Distributed(perceptron())) == values(perceptron())


# --- kinds of networks ----------------------------------------------------------------------------


def dense_trace(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the trace of the Hessian by central differences of the gradient, in float64."""
    model, inputs = model.double(), inputs.double()
    parameters = [p for p in model.parameters() if p.requires_grad]

    def gradient() -> list[torch.Tensor]:
        return list(torch.autograd.grad(F.cross_entropy(model(inputs), labels), parameters))

    total, step = 0.0, 1e-5
    for index, parameter in enumerate(parameters):
        flat = parameter.data.view(-1)
        for i in range(len(flat)):
            origin, ends = flat[i].item(), []
            for place in (origin + step, origin - step):
                flat[i] = place
                ends.append(gradient()[index].view(-1)[i].item())
            flat[i] = origin
            total += (ends[0] - ends[1]) / (2 * step)
    return total


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]):
        super().__init__()
        torch.manual_seed(1)
        self.body, self.head = kind(4, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs[:, None].expand(-1, 3, -1))[0][:, -1])


class Adapter(nn.Module):
    """A frozen layer with a trained product of low rank beside it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.base = nn.Linear(4, 3).requires_grad_(False)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 3, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.base(inputs) + self.up(self.down(inputs))


class Tied(nn.Module):
    """A network that uses one matrix twice."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(inputs).tanh())


class Bag(nn.Module):
    def __init__(self, mode: str):
        super().__init__()
        torch.manual_seed(1)
        self.bag, self.head = nn.EmbeddingBag(7, 3, mode=mode, padding_idx=2), nn.Linear(3, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = (inputs.abs() * 3).long() % 7
        return self.head(self.bag(tokens).tanh())


class BagOfText(Bag):
    """The same with tokens one after another, and where each text starts."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = (inputs.abs() * 3).long() % 7
        starts = torch.arange(0, tokens.numel(), 4)
        return self.head(self.bag(tokens.flatten(), starts).tanh())


class Weighted(Bag):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = (inputs.abs() * 3).long() % 7
        shares = torch.linspace(0.5, 1.5, 4, dtype=self.bag.weight.dtype).expand(tokens.shape)
        return self.head(self.bag(tokens, per_sample_weights=shares).tanh())


def normalised(old: bool) -> nn.Module:
    model = perceptron()
    with pytest.warns(FutureWarning) if old else nullcontext():
        wrap = nn.utils.weight_norm if old else parametrizations.weight_norm
        for layer in (model[0], model[2]):
            wrap(layer)
    return model


KINDS = {
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "adapter": Adapter,
    "tied": Tied,
    "bag of means": lambda: Bag("mean"),
    "bag of sums": lambda: Bag("sum"),
    "bag of text": lambda: BagOfText("mean"),
    "weighted bag": lambda: Weighted("sum"),
    "weight normalisation": lambda: normalised(old=False),
    "old weight normalisation": lambda: normalised(old=True),
    "hard sigmoid": lambda: nn.Sequential(nn.Linear(4, 6), nn.Hardsigmoid(), nn.Linear(6, 3)),
    "attention": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 2)),
        nn.TransformerEncoderLayer(2, 1, 3, batch_first=True),
        nn.Flatten(),
        nn.Linear(4, 3),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_hessian_is_that_of_finite_differences(kind):
    models = []
    for _ in range(2):
        torch.manual_seed(2)
        models.append(KINDS[kind]().eval())
    (model, other), (inputs, labels) = models, data()
    exact = {"trace_products": 600, "dtype": "float64", "density_probes": 0}
    found = measure(model, inputs, labels, "hessian_trace", settings={"hessian": exact})
    expected = dense_trace(other, inputs, labels)
    assert found["hessian_trace"].value == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_lazy_layers_get_their_parameters_in_the_copy():
    model = nn.Sequential(nn.LazyLinear(6), nn.Tanh(), nn.LazyLinear(3))
    found = measure(model, *data(), "train_loss")
    assert 0.5 < found["train_loss"].value < 3
    assert isinstance(model[0].weight, nn.parameter.UninitializedParameter)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_float32(dtype):
    model = perceptron().to(dtype)
    assert values(model) == values(copy.deepcopy(model).float())
    assert next(model.parameters()).dtype == dtype


class OwnType(nn.Module):
    """A network with a tensor of float32 inside, whatever its own type is."""

    def __init__(self):
        super().__init__()
        self.model = perceptron()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.model(inputs @ torch.eye(4, dtype=torch.float32))


def test_a_network_that_runs_in_one_type_has_an_empty_noise_floor():
    found = measure(OwnType(), *data(), NAMES, settings=FEW)
    expected = measure(perceptron(), *data(), NAMES, settings=FEW)
    for name, one in found.items():
        assert one.value == pytest.approx(expected[name].value, rel=1e-5), name
    assert found["sam_sharpness"].noise_floor is None
    assert expected["sam_sharpness"].noise_floor > 0
    settings = {"hessian": {"dtype": "float64"}}
    with pytest.raises(InputError, match=r"^dtype: OwnType does not run in float64"):
        measure(OwnType(), *data(), "hessian_trace", settings=settings)


def test_a_network_that_cannot_be_copied_is_refused_in_one_line():
    model = perceptron()
    model.generator = (i for i in range(3))
    with pytest.raises(InputError, match=r"^Sequential cannot be copied \([^\n]*state_dict[^\n]*$"):
        values(model)


# --- where it is called from, and what it leaves --------------------------------------------------


@pytest.mark.parametrize(
    "inside",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.set_grad_enabled(False),
    ],
)
def test_the_modes_of_the_caller_change_nothing(inside):
    with inside():
        found = values(perceptron())
        made_inside = values(perceptron(), *(tensor * 1 for tensor in data()))
    assert found == made_inside == values(perceptron())


def test_everything_is_left_as_it_was():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))
    model[0].weight.requires_grad_(False)
    model(data()[0]).sum().backward()
    model[1].eval()
    model[3].register_forward_hook(lambda *_: None)
    inputs, labels = data()

    def state() -> list[Any]:
        return [
            copy.deepcopy(model.state_dict()),
            [None if p.grad is None else p.grad.clone() for p in model.parameters()],
            [p.requires_grad for p in model.parameters()],
            [module.training for module in model.modules()],
            [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
            (inputs.clone(), labels.clone(), torch.get_rng_state()),
            (random.getstate(), np.random.get_state()[1].tolist()),  # noqa: NPY002
        ]

    before, kind = state(), torch.get_default_dtype()
    loader = torch.utils.data.DataLoader(list(zip(inputs, labels, strict=True)), shuffle=True)
    names = ["forward", "perturbation", "hessian", "landscape"]
    for given in ((inputs, labels), (loader,)):
        measure(model, *given, measures=names, settings=FEW)
    torch.testing.assert_close(state(), before, rtol=0, atol=0)
    assert torch.get_default_dtype() == kind
    assert torch.is_grad_enabled()


def test_a_hook_sees_the_copy_and_the_original_is_never_run():
    model, seen = perceptron(), []
    model.register_forward_pre_hook(lambda module, _: seen.append(module is model))
    values(model)
    assert seen
    assert not any(seen)
