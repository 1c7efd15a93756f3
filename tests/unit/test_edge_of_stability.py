"""Thresholds of stability against steps on quadratics, and curvature against dense matrices."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sharpness_cases import images, network
from study_cases import completed
from torch import nn
from training_cases import F64

from minimascope.data import digits
from minimascope.data.prepared import Dataset, Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.optim import build, preconditioner
from minimascope.optim.stability import Update, small_batch_threshold, stability_threshold
from minimascope.seeding import generator
from minimascope.sharpness.edge_of_stability import (
    WIDTH,
    batch_sharpness,
    critical_rate,
    measure,
)
from minimascope.sharpness.family import FamilySpec
from minimascope.sharpness.losses import find_loss
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.operator import Preconditioned
from minimascope.sharpness.subject import Subject
from minimascope.sharpness.trajectory import Snapshot, Trajectory
from minimascope.training import TrainingSpec, train

RATE = 0.1


def optimizer(name: str, **settings) -> dict:
    return completed("optimizer", name=name, lr=RATE, **settings)


def grows(steps, threshold: float, factor: float) -> bool:
    """Whether steps on x²λ/2 move away from 0, λ being a factor times a threshold."""
    parameter = nn.Parameter(torch.ones(1, dtype=F64))
    found = steps([parameter])
    for _ in range(4000):
        parameter.grad = factor * threshold * parameter.detach()
        found.step()
    return abs(parameter.item()) > 1


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (optimizer("sgd"), lambda p: torch.optim.SGD(p, RATE)),
        (optimizer("sgd", momentum=0.9), lambda p: torch.optim.SGD(p, RATE, 0.9)),
        (
            optimizer("sgd", momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, RATE, 0.9, nesterov=True),
        ),
        # Momentum as Adam has it, with gradients that are divided by 1.
        (optimizer("adam"), lambda p: torch.optim.SGD(p, 0.1 * RATE, 0.9)),
        (optimizer("rmsprop"), lambda p: torch.optim.SGD(p, RATE)),
    ],
)
def test_steps_just_below_the_threshold_converge_and_just_above_diverge(settings, steps):
    threshold = stability_threshold(Update(RATE, settings), 1.0)
    assert not grows(steps, threshold, 0.99)
    assert grows(steps, threshold, 1.01)


def test_weight_decay_is_a_part_of_the_ratio_where_it_is_one_of_the_gradient():
    assert Update(RATE, optimizer("sgd", weight_decay=0.1)).coupled_decay == 0.1
    assert Update(RATE, optimizer("adamw", weight_decay=0.1)).coupled_decay == 0.0


@pytest.mark.parametrize("distance", [0.01, 0.3, 4.0])
@pytest.mark.parametrize("decay", [0.0, 1.0, 15.0])
def test_at_the_edge_of_sam_steps_go_back_and_forth(distance, decay):
    """x → x − η(λ(x + ρ sign x) + decay x) = −x on x²λ/2, so that ‖g‖ = λ|x| stays as it is."""
    rho = 0.05
    curvature = (2 / RATE - decay) * distance / (distance + rho)
    update = Update(RATE, optimizer("sgd", weight_decay=decay), sam={"rho": rho})
    found = stability_threshold(update, curvature * distance)
    assert found == pytest.approx(curvature + decay, rel=1e-12)


def test_decay_that_alone_is_unstable_leaves_the_threshold_of_gradient_descent():
    update = Update(RATE, optimizer("sgd", weight_decay=30.0), sam={"rho": 0.05})
    assert stability_threshold(update, 1.0) == 2 / RATE


@pytest.mark.parametrize(
    ("settings", "sam"),
    [
        (optimizer("kfac"), None),
        (optimizer("sgd", momentum=0.9), {"rho": 0.1}),
        (optimizer("adam"), {"rho": 0.1}),
        (optimizer("sgd"), {"rho": 0.1, "adaptive": 0.01}),
        (optimizer("sgd"), {"rho": 0.1, "group_size": 5}),
    ],
)
def test_where_no_threshold_is_known_there_is_none(settings, sam):
    assert stability_threshold(Update(RATE, settings, sam=sam), 1.0) is None


def along_the_way(size: int | None, settings: dict, sam: dict | None = None, **spec) -> dict:
    """What is measured of a snapshot of a training on 40 samples, in batches of a size."""
    model, objective, _ = linear()
    data = Dataset(objective.samples, objective.samples, ("a", "b", "c"))
    own = FamilySpec("edge_of_stability", {"batches": 0}, "clean", None, 0.0, 0.0, **spec)
    snapshot = Snapshot(model, {"moment": "epoch1"}, Update(RATE, settings, size, sam))
    found = Trajectory(data, 0, torch.device("cpu")).measured(snapshot, own)
    return {one["measure"]: one["value"] for one in found["measures"]}


def test_sam_ascends_along_the_gradients_of_batches_so_its_edge_is_that_of_full_ones():
    found = {
        size: along_the_way(size, optimizer("sgd"), {"rho": 0.05}) for size in (None, 40, 100, 39)
    }
    assert found[None]["edge_ratio"] == found[40]["edge_ratio"] == found[100]["edge_ratio"]
    assert "stability_threshold" not in found[39]


@pytest.mark.parametrize("spec", [{}, {"samples": 20}])
def test_batches_of_all_samples_are_no_small_ones(spec):
    settings = optimizer("sgd", momentum=0.9)
    some, whole = (set(along_the_way(size, settings, **spec)) for size in (39, 40))
    assert some - whole == {"small_batch_threshold"}


def test_the_threshold_of_small_batches_is_that_of_momentum():
    with_momentum = optimizer("sgd", momentum=0.9)
    assert small_batch_threshold(Update(RATE, with_momentum, 10)) == pytest.approx(2.0)
    assert small_batch_threshold(Update(RATE, with_momentum)) is None
    assert small_batch_threshold(Update(RATE, optimizer("sgd"), 10)) is None


def linear(samples: int = 40, seed: int = 0) -> tuple[nn.Module, Objective, torch.Tensor]:
    """A linear network without bias on squared errors, whose Hessian is I ⊗ XᵀX/n."""
    draws = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, 5, generator=draws, dtype=F64) * torch.tensor([3, 1, 1, 1, 0.1])
    split = Split(inputs.to(F64), torch.arange(samples) % 3)
    model = nn.Linear(5, 3, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.randn(3, 5, generator=draws, dtype=F64))
    hessian = torch.kron(torch.eye(3, dtype=F64), inputs.to(F64).T @ inputs.to(F64) / samples)
    return model, Objective(split, find_loss("squared_error")), hessian


def gradient_of(model: nn.Module, objective: Objective) -> torch.Tensor:
    return objective.mean_and_gradient(model)[1][0].flatten()


def loss_of(model: nn.Module, objective: Objective) -> float:
    return objective.mean(model).item()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_the_critical_step_of_a_quadratic_is_known(scale):
    model, objective, hessian = linear()
    gradient = gradient_of(model, objective)
    curvature = (gradient @ hessian @ gradient / gradient.square().sum()).item()
    before = model.weight.clone()
    found = critical_rate(model, objective, scale * gradient, loss_of(model, objective))
    # Along −c s the loss is that at 0 again at c = 2 gᵀs/(sᵀHs).
    assert found.rate * scale == pytest.approx(2 / curvature, rel=WIDTH)
    assert torch.equal(model.weight, before)
    assert found.passes < 10 or scale != 1


def test_there_is_no_critical_step_at_a_minimum_nor_where_the_loss_falls_for_ever():
    model, objective, _ = linear()
    nowhere = torch.zeros(15, dtype=F64)
    assert critical_rate(model, objective, nowhere, loss_of(model, objective)) is None

    class Falls(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = nn.Parameter(torch.zeros(1, dtype=F64))

        def forward(self, inputs):
            return torch.cat([-self.level.expand(len(inputs), 1), inputs[:, :1] * 0], dim=1)

    data = Objective(Split(torch.ones(4, 1, dtype=F64), torch.zeros(4, dtype=torch.int64)))
    down = -torch.ones(1, dtype=F64)
    assert critical_rate(Falls(), data, down, loss_of(Falls(), data)) is None


def test_of_several_steps_that_raise_the_loss_the_smallest_counts():
    class Wave(nn.Module):
        """Squared error sin²(θ) / 2 + …, which rises first at θ beyond π/4 from −π/4."""

        def __init__(self):
            super().__init__()
            self.place = nn.Parameter(torch.tensor([-math.pi / 4], dtype=F64))

        def forward(self, inputs):
            return torch.cat([inputs[:, :1] * 0 + 1, self.place.sin().expand(len(inputs), 1)], 1)

    split = Split(torch.ones(4, 1, dtype=F64), torch.zeros(4, dtype=torch.int64))
    objective = Objective(split, find_loss("squared_error"))
    up = torch.tensor([-1.0], dtype=F64)
    found = critical_rate(Wave(), objective, up, loss_of(Wave(), objective))
    assert found.rate == pytest.approx(math.pi / 2, rel=0.01)


def test_batch_sharpness_is_curvature_along_the_batches_own_gradients():
    model, objective, hessian = linear()
    found = batch_sharpness(model, objective, 10, 4, generator(0, "batches"))
    order = torch.randperm(40, generator=generator(0, "batches"))
    curvatures = []
    for rows in order.split(10):
        own = objective.of(objective.samples.rows(rows))
        inputs = own.samples.inputs
        gradient = gradient_of(model, own)
        matrix = torch.kron(torch.eye(3, dtype=F64), inputs.T @ inputs / 10)
        curvatures.append((gradient @ matrix @ gradient / gradient.square().sum()).item())
    assert found.value == pytest.approx(np.mean(curvatures), rel=1e-12)
    assert found.standard_error == pytest.approx(np.std(curvatures, ddof=1) / 2, rel=1e-12)
    assert found.standard_error > 0

    whole = batch_sharpness(model, objective, 40, 4, generator(0, "batches"))
    gradient = gradient_of(model, objective)
    exact = (gradient @ hessian @ gradient / gradient.square().sum()).item()
    assert whole.value == pytest.approx(exact, rel=1e-12)
    assert whole.standard_error is None


@pytest.mark.parametrize("architecture", ["resnet18", "vit"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_batch_sharpness_is_the_slope_of_the_gradient_along_itself(architecture, loss):
    """With BatchNorm, attention and LayerNorm, by central differences of plain gradients."""
    model, split = network(architecture), images(architecture, 12)
    objective = Objective(split, find_loss(loss))
    found = batch_sharpness(model, objective, 12, 1, generator(0, "batches"))
    parameters = [p for p in model.parameters() if p.requires_grad]
    _, gradient = objective.mean_and_gradient(model)
    norm = torch.cat([part.flatten() for part in gradient]).norm()
    slopes, step = [], 1e-6
    for side in (step, -2 * step):
        with torch.no_grad():
            for parameter, part in zip(parameters, gradient, strict=True):
                parameter += side * part / norm
        _, there = objective.mean_and_gradient(model)
        pairs = zip(there, gradient, strict=True)
        slopes.append(sum((one * part).sum() for one, part in pairs) / norm)
    expected = (slopes[0] - slopes[1]).item() / (2 * step)
    assert found.value == pytest.approx(expected, rel=1e-5)


def test_a_batch_takes_one_pass_through_the_network():
    model, objective, _ = linear()
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    batch_sharpness(model, objective, 10, 4, generator(0, "batches"))
    assert len(passes) == 4


def test_a_learning_rate_of_zero_bears_any_curvature():
    model, objective, _ = linear()
    update = Update(0.0, optimizer("sgd"), 10)
    found = measure(Subject(model, objective), generator(0, "edge"), update=update, previous={})
    names = {one.measure for one in found.measurements}
    assert {"critical_sharpness", "batch_sharpness"} < names
    assert names.isdisjoint({"stability_threshold", "edge_ratio"})
    assert "learning rate of 0" in found.details["left_out"]["stability_threshold"]


def test_batches_without_a_gradient_have_no_curvature():
    model, objective, _ = linear()
    flat = Objective(
        replace(objective.samples, inputs=0 * objective.samples.inputs), objective.loss
    )
    assert batch_sharpness(model, flat, 10, 4, generator(0, "batches")) is None


def test_batches_are_drawn_anew_where_an_epoch_has_too_few():
    model, objective, _ = linear()
    found = batch_sharpness(model, objective, 10, 400, generator(0, "batches"))
    few = batch_sharpness(model, objective, 10, 40, generator(1, "batches"))
    assert found.standard_error < few.standard_error
    assert abs(found.value - few.value) < 4 * few.standard_error


def test_preconditioned_products_are_those_of_the_dense_matrix():
    model, objective, hessian = linear()
    divisors = torch.linspace(0.1, 2, 15, dtype=F64)
    adam = Update(RATE, optimizer("adam"), divisors={"weight": divisors.view(3, 5)})
    found = measure(
        Subject(model, objective), generator(0, "edge"), update=adam, previous={}, dtype="float64"
    )
    values = {one.measure: one.value for one in found.measurements}
    scaled = hessian / (divisors.sqrt()[:, None] * divisors.sqrt())
    exact = np.linalg.eigvalsh(scaled.numpy())[-1]
    assert values["preconditioned_top_eigenvalue"] == pytest.approx(exact, rel=1e-3)
    plain = np.linalg.eigvalsh(hessian.numpy())[-1]
    assert values["hessian_top_eigenvalue"] == pytest.approx(plain, rel=1e-3)
    assert values["edge_ratio"] == pytest.approx(exact / 380, rel=1e-3)
    operator = Preconditioned(_Dense(hessian), divisors)
    matrix = operator @ torch.eye(15, dtype=F64)
    assert torch.allclose(matrix, scaled)
    step = gradient_of(model, objective) / divisors
    curvature = (step @ hessian @ step / (step @ gradient_of(model, objective))).item()
    assert values["critical_sharpness"] == pytest.approx(curvature, rel=0.02)


def test_of_parameters_without_a_gradient_nothing_was_divided():
    model, objective, hessian = linear()
    model.weight.grad = gradient_of(model, objective).view(3, 5)
    model.unused = nn.Parameter(torch.ones(2, dtype=F64))
    found = build(model, optimizer("adam"))
    found.step()
    update = Update(RATE, optimizer("adam"), divisors=preconditioner(model, found))
    assert [*update.divisors] == ["weight"]
    values = _values(model, objective, update)
    scales = update.divisors["weight"].flatten().sqrt()
    exact = np.linalg.eigvalsh((hessian / (scales[:, None] * scales)).numpy())[-1]
    assert values["preconditioned_top_eigenvalue"] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("settings", [{}, {"amsgrad": True}, {"weight_decay": 0.5}])
def test_an_optimiser_of_the_users_own_is_not_taken_for_one_of_ours(settings):
    """It may do anything else: move some parameters, decay by itself, have rates by group."""
    model, objective, _ = linear()
    extra = nn.Parameter(torch.ones(1, dtype=F64))
    own = torch.optim.AdamW([model.weight, extra], RATE, **settings)
    model.weight.grad = gradient_of(model, objective).view(3, 5)
    extra.grad = torch.ones_like(extra)
    own.step()
    update = Update(RATE, {"name": "my_parts:adamw"}, divisors=preconditioner(model, own))
    plain = Update(RATE, {"name": "my_parts:adamw"})
    assert _values(model, objective, update) == _values(model, objective, plain)


def _values(model: nn.Module, objective: Objective, update: Update) -> dict[str, float]:
    subject = Subject(model, objective)
    found = measure(subject, generator(0, "edge"), update=update, previous={}, dtype="float64")
    return {one.measure: one.value for one in found.measurements}


class _Dense:
    products, dtype, device = 0, F64, torch.device("cpu")

    def __init__(self, matrix):
        self.matrix, self.shape = matrix, matrix.shape

    def __matmul__(self, other):
        return self.matrix @ other


def test_before_the_first_step_of_adam_neither_ratio_nor_critical_rate_is_known():
    model, objective, _ = linear()
    found = measure(
        *(Subject(model, objective), generator(0, "edge")),
        update=Update(RATE, optimizer("adam")),
        previous={},
    )
    names = {one.measure for one in found.measurements}
    assert "stability_threshold" in names
    assert "edge_ratio" not in names
    assert "critical_sharpness" not in names
    for name in ("edge_ratio", "critical_sharpness"):
        assert found.details["left_out"][name].startswith("before the first step")


def test_a_search_that_begins_at_the_vector_before_takes_fewer_products():
    model, objective, update = *_perceptron(), Update(RATE, optimizer("sgd"))
    found = []
    previous = {}
    for _ in range(2):
        measured = measure(
            Subject(model, objective), generator(0, "edge"), update=update, previous=previous
        )
        found.append(measured.details["hessian_top_eigenvalue_products"])
        previous = measured.arrays
    assert found[1] < found[0]


def _perceptron() -> tuple[NormalisedInput, Objective]:
    data = digits.load("", train_size=500, split_seed=0, image_size=8).train
    options = {"hidden_layers": 2, "activation": "tanh"}
    spec = NetworkSpec("mlp", 1, (8, 8), 10, width=0.6, options=options)
    model = NormalisedInput(initialise(spec, 0), [0.3], [0.35])
    return model, Objective(data, find_loss("squared_error"))


@pytest.mark.parametrize("rho", [None, 0.05])
def test_full_batch_training_hovers_at_the_edge_of_stability(rho):
    """Cohen et al. 2021, Figure 1, and Long & Bartlett 2023 with SAM, by the whole pipeline."""
    model, objective = _perceptron()
    data = digits.load("", train_size=500, split_seed=0, image_size=8)
    sam = None if rho is None else {"rho": rho}
    spec = TrainingSpec.from_config(
        {
            "epochs": 2000,
            "batch_size": "full",
            "loss": "squared_error",
            "test_every": 2000,
            "optimizer": completed("optimizer", name="sgd", lr=0.2),
            "sam": sam,
        }
    )
    train(model, data, spec, 0)
    update = Update(0.2, spec.optimizer, sam=sam)
    measured = measure(
        Subject(model.eval(), objective), generator(0, "edge"), update=update, previous={}
    )
    values = {one.measure: one.value for one in measured.measurements}
    assert values["stability_threshold"] == pytest.approx(10) if rho is None else True
    assert values["edge_ratio"] == pytest.approx(1, abs=0.06)
    assert values["critical_sharpness"] == pytest.approx(values["stability_threshold"], rel=0.06)
