"""Adam tuned by Adam against autodiff through the update, finite differences and torch's Adam."""

import math

import pytest
import torch
import torch.nn.functional as F
from study_cases import completed, component
from torch import Tensor, nn
from training_cases import feature_data, image_data, perceptron, resnet

from minimascope.errors import InputError
from minimascope.optim.gdtuo import adam_update, hyper_parameters
from minimascope.schedule import Schedule
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train

F64 = torch.float64
GDTUO = component("optimizer", "gdtuo")


def normal(*shape: int, name: str = "") -> Tensor:
    return torch.randn(*shape, generator=generator("gdtuo", name, *shape), dtype=F64)


class Network(nn.Module):
    """A perceptron with two units that are always dead, and a parameter that is never used."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(2, dtype=F64))
        self.first = nn.Linear(3, 6).double()
        self.last = nn.Linear(6, 2).double()
        with torch.no_grad():
            self.first.weight.copy_(normal(6, 3) / 2)
            self.last.weight.copy_(normal(2, 6) / 2)
            self.first.bias.copy_(torch.tensor([0.1, -0.1, 0.2, -0.2, -50, -50]))
            self.last.bias.zero_()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.first(inputs).relu())


def batch(step: int) -> tuple[Tensor, Tensor]:
    inputs = normal(16, 3, name=f"batch {step}")
    return inputs, (inputs[:, 0] > 0.2 * inputs[:, 1]).long()


def loss_of(model: nn.Module, step: int) -> Tensor:
    inputs, labels = batch(step)
    return F.cross_entropy(model(inputs), labels)


def run(optimizer: torch.optim.Optimizer, model: nn.Module, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()


def test_the_jacobian_of_an_update_agrees_with_finite_differences():
    # Of one step from given means: the past of the means does not depend on this step's betas.
    p, step, eps, delta = 7, 4, 1e-3, 1e-6
    gradient, mean, square = normal(p), normal(p, name="mean"), normal(p, name="square") ** 2
    gradient[0] = mean[0] = square[0] = 0

    def change(lr: float, x1: float, x2: float) -> Tensor:
        beta1, beta2 = ((math.tanh(x) + 1) / 2 for x in (x1, x2))
        new_mean = (beta1 * mean + (1 - beta1) * gradient) / (1 - beta1**step)
        new_square = (beta2 * square + (1 - beta2) * gradient**2) / (1 - beta2**step)
        return -lr * new_mean / (new_square.sqrt() + eps)

    hyper = [0.02, math.atanh(2 * 0.9 - 1), math.atanh(2 * 0.98 - 1)]
    update = adam_update(gradient, mean, square, torch.tensor(hyper, dtype=F64), step, eps)
    torch.testing.assert_close(update.change, change(*hyper))
    for index in range(3):
        up, down = (
            [h + sign * delta * (i == index) for i, h in enumerate(hyper)] for sign in (1, -1)
        )
        slope = (change(*up) - change(*down)) / (2 * delta)
        torch.testing.assert_close(update.jacobian[index], slope, rtol=1e-6, atol=1e-10)
    assert update.jacobian[:, 1:].abs().min() > 0


def differentiated_training(model: nn.Module, steps: int, hyper_lr: float) -> Tensor:
    """Train as the paper does: by autodiff through the last update, with torch's Adam outside."""
    parameters = [p for p in model.parameters() if p is not model.unused]
    hyper = nn.Parameter(torch.tensor([0.01, math.atanh(0.6), math.atanh(0.8)], dtype=F64))
    outer = torch.optim.Adam([hyper], lr=hyper_lr)
    means = [torch.zeros_like(p) for p in parameters]
    squares = [torch.zeros_like(p) for p in parameters]
    names = [name for name, _ in model.named_parameters() if name != "unused"]
    weights = [p.detach() for p in parameters]
    for step in range(steps):
        inputs, labels = batch(step)
        leaves = [w if w.requires_grad else w.requires_grad_() for w in weights]
        logits = torch.func.functional_call(model, dict(zip(names, leaves, strict=True)), (inputs,))
        loss = F.cross_entropy(logits, labels)
        gradients = torch.autograd.grad(loss, leaves, retain_graph=True)
        if step:
            hyper.grad = torch.autograd.grad(loss, hyper)[0]
            outer.step()
        beta1, beta2 = ((hyper[1:].tanh() + 1) / 2).unbind()
        weights = []
        for index, (leaf, g) in enumerate(zip(leaves, gradients, strict=True)):
            mean = beta1 * means[index] + (1 - beta1) * g
            square = beta2 * squares[index] + (1 - beta2) * g**2
            # A tiny number, because the root has no slope at zero.
            root = (square / (1 - beta2 ** (step + 1)) + 1e-60).sqrt()
            direction = mean / (1 - beta1 ** (step + 1)) / (root + 1e-8)
            weights.append(leaf.detach() - hyper[0] * direction)
            means[index], squares[index] = mean.detach(), square.detach()
    return torch.cat([hyper.detach(), *(w.detach().flatten() for w in weights)])


def test_training_equals_autodiff_through_the_update_with_an_outer_adam():
    model = Network()
    optimizer = GDTUO(model, lr=0.01, betas=(0.8, 0.9), hyper_lr=0.003)
    expected = differentiated_training(Network(), 12, hyper_lr=0.003)
    run(optimizer, model, range(12))
    weights = [p.detach().flatten() for p in model.parameters() if p is not model.unused]
    ours = torch.cat([optimizer.state[model.unused]["hyper"], *weights])
    torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-10)
    assert (ours[:3] - hyper_parameters(0.01, (0.8, 0.9))).abs().min() > 1e-3
    assert model.unused.tolist() == [1, 1]


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "rtol"), [(F64, 1e-11), (torch.float32, 1e-4)])
def test_without_an_outer_step_it_is_torchs_adam(betas, weight_decay, dtype, rtol):
    torch.manual_seed(0)
    ours, theirs = (nn.Linear(3, 2).to(dtype) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    settings = {"lr": 0.01, "betas": betas, "weight_decay": weight_decay, "eps": 1e-6}
    pair = GDTUO(ours, hyper_lr=0.0, **settings), torch.optim.Adam(theirs.parameters(), **settings)
    for step in range(30):
        inputs, labels = batch(step)
        for model, optimizer in zip((ours, theirs), pair, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs.to(dtype)), labels).backward()
            optimizer.step()
        torch.testing.assert_close(ours.weight, theirs.weight, rtol=rtol, atol=rtol)
        torch.testing.assert_close(ours.bias, theirs.bias, rtol=rtol, atol=rtol)


def test_weight_decay_is_the_gradient_of_a_penalty():
    plain, penalised = Network(), Network()
    with_decay = GDTUO(plain, lr=0.01, hyper_lr=1e-3, weight_decay=0.2)
    by_loss = GDTUO(penalised, lr=0.01, hyper_lr=1e-3)
    for step in range(6):
        run(with_decay, plain, range(step, step + 1))
        by_loss.zero_grad()
        penalty = sum(p.square().sum() for p in penalised.parameters() if p is not penalised.unused)
        (loss_of(penalised, step) + 0.1 * penalty).backward()
        by_loss.step()
    torch.testing.assert_close(plain.last.weight, penalised.last.weight)
    torch.testing.assert_close(with_decay.learning_rate, by_loss.learning_rate)


def test_the_learning_rate_stays_positive_and_recovers():
    parameter = nn.Parameter(torch.zeros((), dtype=F64))
    model = nn.ParameterList([parameter])
    optimizer = GDTUO(model, lr=0.01, hyper_lr=0.02)
    # Gradients that turn round at each step: the step before was always wrong.
    for step in range(10):
        parameter.grad = torch.tensor((-1.0) ** step, dtype=F64)
        optimizer.step()
        assert optimizer.learning_rate >= 1e-5
    assert optimizer.learning_rate == pytest.approx(1e-5)
    for _ in range(30):
        parameter.grad = torch.ones((), dtype=F64)
        optimizer.step()
    assert optimizer.learning_rate > 0.01


def test_betas_keep_their_precision_in_single_precision():
    model = nn.Linear(1, 1)
    state = GDTUO(model, lr=0.1, betas=(0.9, 0.9999)).state[model.weight]
    one_minus_beta = torch.sigmoid(-2 * state["hyper"][2].double())
    assert state["hyper"].dtype == torch.float32
    assert one_minus_beta.item() == pytest.approx(1e-4, rel=1e-6)


def test_the_history_has_the_rate_at_the_start_of_each_epoch_whatever_the_schedule():
    settings = completed("optimizer", name="gdtuo", lr=0.01, hyper_lr=1e-4)
    histories = [
        train(perceptron(), feature_data(), TrainingSpec(epochs, 6, settings, schedule), 0)
        for epochs, schedule in ((2, Schedule()), (3, Schedule("cosine")))
    ]
    rates = [[row["learning_rate"] for row in history] for history in histories]
    assert rates[0] == rates[1][:2]
    assert len(set(rates[1])) == 3
    # At most four outer steps lie between two epochs.
    assert 0 < abs(rates[1][1] - 0.01) < 5e-4


def test_divergence_names_both_learning_rates():
    spec = TrainingSpec(4, 8, completed("optimizer", name="gdtuo", lr=1e30))
    with pytest.raises(InputError) as error:
        train(resnet(), image_data(), spec, 0)
    assert str(error.value).endswith(
        "; lower training.optimizer.hyper_lr or training.optimizer.lr or, with SAM, rho"
    )
    assert "\n" not in str(error.value)
