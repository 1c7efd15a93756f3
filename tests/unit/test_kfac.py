"""Steps of K-FAC against dense solves and SGD, and what they must leave alone."""

import math

import pytest
import torch
import torch.nn.functional as F
from study_cases import completed, component
from test_kfac_factors import F64, classifier, convolutional, normal
from test_training import image_data, resnet
from torch import Tensor, nn

from minimascope import optim
from minimascope.errors import InputError
from minimascope.optim.kfac_factors import damped, estimate, input_squares
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train

KFAC = component("optimizer", "kfac")


def step_of(
    optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor, draws: torch.Generator
) -> float:
    optimizer.observe(inputs, draws)
    optimizer.zero_grad()
    loss = F.cross_entropy(optimizer.model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def dense_step(model: nn.Module, inputs: Tensor, labels: Tensor, damping: float, decay: float):
    """The directions of all layers' weights and biases by solves with dense matrices."""
    layers = [module for module in model.modules() if hasattr(module, "weight")]
    factors = estimate(model, layers, inputs, generator("fisher"))
    gradients = torch.autograd.grad(
        F.cross_entropy(model(inputs), labels), list(model.parameters())
    )
    penalised = [g + decay * p.detach() for g, p in zip(gradients, model.parameters(), strict=True)]
    rest, result = iter(penalised), []
    for layer in layers:
        weight, bias = next(rest), None if layer.bias is None else next(rest)
        joint = (
            weight.flatten(1) if bias is None else torch.cat([weight.flatten(1), bias[:, None]], 1)
        )
        parts = damped(factors[layer], damping)
        dense = torch.kron(parts.outputs, parts.inputs)
        solution = torch.linalg.solve(dense, joint.flatten()).view_as(joint)
        result.append(solution[:, : weight[0].numel()].reshape(weight.shape))
        if bias is not None:
            result.append(solution[:, -1])
    return result, penalised


@pytest.mark.parametrize("kl_clip", [None, 1e-4, 1e9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_a_step_solves_with_the_damped_kronecker_matrix(kl_clip, weight_decay):
    model, inputs, labels = convolutional(), normal(6, 2, 6, 7), torch.arange(6) % 3
    before = [p.detach().clone() for p in model.parameters()]
    damping = 0.02 + weight_decay
    directions, gradients = dense_step(model, inputs, labels, damping, weight_decay)
    length = sum((d * g).sum() for d, g in zip(directions, gradients, strict=True))
    scale = min(1.0, math.sqrt(kl_clip / (0.1**2 * length))) if kl_clip else 1.0
    assert (scale < 1) == (kl_clip == 1e-4)
    settings = {"damping": 0.02, "weight_decay": weight_decay, "kl_clip": kl_clip}
    step_of(KFAC(model, lr=0.1, **settings), inputs, labels, generator("fisher"))
    for p, start, direction in zip(model.parameters(), before, directions, strict=True):
        torch.testing.assert_close(p.detach(), start - 0.1 * scale * direction)


def joint(weight: Tensor, bias: Tensor) -> Tensor:
    return torch.cat([weight, bias[:, None]], 1).detach()


def test_factors_are_averaged_and_inverses_kept_until_they_are_due():
    layer, labels = nn.Linear(3, 2).double(), torch.tensor([0, 1, 1, 0])
    settings = {"factor_decay": 0.6, "factor_every": 1, "inverse_every": 2}
    optimizer = KFAC(layer, lr=0.1, momentum=0.5, kl_clip=None, **settings)
    squares, draws = [], generator("fisher")
    velocity, inverses = torch.zeros(2, 4, dtype=F64), []
    for step in range(4):
        inputs = normal(4, 3, name=f"step {step}")
        squares.append(input_squares(layer, inputs) / 4)
        gradient = torch.autograd.grad(
            F.cross_entropy(layer(inputs), labels), [layer.weight, layer.bias]
        )
        before = joint(layer.weight, layer.bias)
        step_of(optimizer, inputs, labels, draws)
        state = optimizer.state[layer.weight]
        inverses.append((state["inverse_outputs"].clone(), state["inverse_inputs"].clone()))
        outputs_inverse, inputs_inverse = inverses[step - step % 2]
        velocity = 0.5 * velocity + outputs_inverse @ joint(*gradient) @ inputs_inverse
        torch.testing.assert_close(joint(layer.weight, layer.bias), before - 0.1 * velocity)
    assert torch.equal(inverses[0][0], inverses[1][0])
    assert not torch.equal(inverses[1][0], inverses[2][0])
    # Past estimates weigh 0, 1/2, and then no more than 0.6.
    average = 0.6 * (0.6 * (squares[0] + squares[1]) / 2 + 0.4 * squares[2]) + 0.4 * squares[3]
    torch.testing.assert_close(state["factor_inputs"], average)


def test_curvature_is_estimated_when_it_is_due_only(monkeypatch):
    model, seen = classifier(nn.Linear(3, 2)), []
    optimizer = KFAC(model, lr=0.1, factor_every=2, inverse_every=3)
    monkeypatch.setattr(optimizer, "_average", lambda *_: seen.append("factors"))
    monkeypatch.setattr(optimizer, "_invert", lambda: seen.append("inverses"))
    monkeypatch.setattr(optimizer, "_precondition", lambda: seen.append("step"))
    for _ in range(5):
        step_of(optimizer, normal(4, 3), torch.arange(4) % 2, generator("fisher"))
    first, *rest = " ".join(seen).split(" step")
    assert first == "factors inverses"
    assert [part.strip() for part in rest] == ["", "factors", "inverses", "factors", ""]


def ill_conditioned() -> tuple[Tensor, Tensor]:
    """Inputs of very different scales that decide on the label equally."""
    inputs = normal(300, 6)
    scales = torch.logspace(0, -2.5, 6, dtype=F64)
    return inputs * scales, (inputs @ normal(6, 3, name="truth")).argmax(1)


def steps_to(loss: float, model: nn.Module, spec: dict[str, object], most: int) -> int:
    inputs, labels = ill_conditioned()
    optimizer, draws = optim.build(model, completed("optimizer", **spec)), generator("fisher")
    for step in range(most):
        if hasattr(optimizer, "observe"):
            optimizer.observe(inputs, draws)
        optimizer.zero_grad()
        value = F.cross_entropy(model(inputs), labels)
        if value < loss:
            return step
        value.backward()
        optimizer.step()
    return most


def test_the_natural_gradient_needs_fewer_steps_on_an_ill_conditioned_problem():
    def network() -> nn.Module:
        return classifier(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))

    momentum = {"momentum": 0.9, "name": "sgd"}
    plain = min(steps_to(0.3, network(), momentum | {"lr": lr}, 300) for lr in (0.01, 0.1, 1, 10))
    settings = {"name": "kfac", "lr": 0.1, "damping": 1e-4, "factor_every": 1, "inverse_every": 1}
    natural = steps_to(0.3, network(), settings | {"kl_clip": 0.01}, 300)
    assert natural < plain / 3


def test_steps_do_not_depend_on_the_coordinates_of_the_inputs():
    inputs, labels = normal(300, 6), torch.arange(300) % 3
    matrix = torch.linalg.qr(normal(6, 6))[0] @ torch.diag(torch.logspace(0.5, -0.5, 6, dtype=F64))
    shift = normal(6)
    plain, moved = nn.Linear(6, 3).double(), nn.Linear(6, 3).double()
    with torch.no_grad():
        moved.weight.copy_(torch.linalg.solve(matrix.T, plain.weight.T).T)
        moved.bias.copy_(plain.bias - moved.weight @ shift)
    for model, given in ((plain, inputs), (moved, inputs @ matrix.T + shift)):
        optimizer = KFAC(model, lr=0.1, damping=1e-20, kl_clip=None)
        for _ in range(3):
            step_of(optimizer, given, labels, generator("fisher"))
    # Logits are defined up to a number for each sample, in which the curvature is singular.
    logits = [plain(inputs), moved(inputs @ matrix.T + shift)]
    differences = [(rows - rows.mean(1, keepdim=True)).detach() for rows in logits]
    torch.testing.assert_close(*differences, rtol=1e-6, atol=1e-6)


class Mixed(nn.Module):
    """Layers with factors, and BatchNorm, LayerNorm, attention and a token without."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.token = nn.Parameter(torch.ones(1, 1, 6))
        self.encoder = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.double()

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.norm(self.convolution(inputs)).flatten(2).mT
        tokens = torch.cat([self.token.expand(len(inputs), -1, -1), tokens], 1)
        return self.head(self.encoder(tokens)[:, 0])


def test_observing_leaves_the_model_and_its_gradients_alone():
    model = classifier(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    inputs = normal(8, 3)
    F.cross_entropy(model(inputs), torch.arange(8) % 2).backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters()]
    state = torch.get_rng_state()
    KFAC(model, lr=0.1).observe(inputs, generator("fisher"))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert model[1].track_running_stats
    assert not any(module._forward_hooks for module in model.modules())


def test_other_parameters_follow_sgd_exactly():
    model, reference = Mixed(), Mixed()
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    ours = KFAC(model, **settings, inverse_every=2)
    theirs = torch.optim.SGD(reference.parameters(), **settings, foreach=True)
    for step in range(3):
        ours.observe(normal(8, 1, 4, 4), generator("fisher", step))
        for p, q in zip(model.parameters(), reference.parameters(), strict=True):
            q.grad = normal(*q.shape, name=f"gradient {step}")
            p.grad = q.grad.clone()
        ours.step()
        theirs.step()
    pairs = zip(model.named_parameters(), reference.parameters(), strict=True)
    others = {name for (name, p), q in pairs if torch.equal(p, q)}
    factored = [
        f"{layer}.{kind}"
        for layer in ("convolution", "encoder.linear1", "encoder.linear2", "head")
        for kind in ("weight", "bias")
    ]
    # Attention multiplies by its weights without calling the layers that hold them.
    assert others == {name for name, _ in model.named_parameters()} - set(factored)
    assert "encoder.self_attn.out_proj.weight" in others


def test_divergence_names_damping_and_learning_rate():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    optimizer = KFAC(model, lr=0.1, inverse_every=1)
    with torch.no_grad():
        model[1].weight.fill_(math.nan)
    with pytest.raises(InputError) as error:
        optimizer.observe(torch.ones(4, 64), generator("fisher"))
    assert str(error.value) == (
        "training diverged: after 0 steps the curvature of a layer is not finite or not positive;"
        " raise training.optimizer.damping or lower training.optimizer.lr"
    )
    spec = completed("optimizer", name="kfac", lr=1e30, kl_clip=None, momentum=0.0)
    with pytest.raises(InputError, match=r"raise training\.optimizer\.damping or lower [^\n]*\.lr"):
        train(resnet(), image_data(), TrainingSpec(4, 8, spec), 0)


def test_a_step_without_curvature_is_refused():
    model = classifier(nn.Linear(3, 2))
    F.cross_entropy(model(normal(4, 3)), torch.arange(4) % 2).backward()
    with pytest.raises(RuntimeError, match="observe"):
        KFAC(model, lr=0.1).step()


@pytest.mark.parametrize(("sam_rho", "precision"), [(None, "fp32"), (0.02, "bf16")])
def test_images_are_learnt_with_dropout(sam_rho, precision):
    settings = completed("optimizer", name="kfac", lr=0.02, damping=0.01, inverse_every=5)
    spec = TrainingSpec(
        10, 8, settings, sam_rho=sam_rho, dropout=0.1, precision=precision, test_every=10
    )
    history = train(resnet(0.1), image_data(), spec, 0)
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
