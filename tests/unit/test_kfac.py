"""K-FAC: factors against curvlinops, steps against dense solves and SGD, what it leaves alone."""

import math

import pytest
import torch
import torch.nn.functional as F
from curvlinops import KFACLinearOperator
from study_cases import completed, component
from torch import Tensor, nn
from torch.optim import Optimizer
from training_cases import image_data, resnet

from minimascope.errors import InputError
from minimascope.optim import kfac_factors
from minimascope.optim.kfac_factors import (
    Factors,
    damped,
    estimate,
    factored_layers,
    input_squares,
    sample_labels,
)
from minimascope.seeding import generator
from minimascope.training import TrainingSpec, train

F64 = torch.float64

KFAC = component("optimizer", "kfac")


def normal(*shape: int, name: str = "") -> Tensor:
    return torch.randn(*shape, generator=generator("kfac", name, *shape), dtype=F64)


def classifier(*layers: nn.Module) -> nn.Sequential:
    """Put layers together in float64, their weights drawn anew."""
    model = nn.Sequential(*layers).double()
    with torch.no_grad():
        for index, parameter in enumerate(model.parameters()):
            parameter.copy_(normal(*parameter.shape, name=f"weights {index}") / 2)
    return model


def convolutional() -> nn.Sequential:
    return classifier(
        nn.Conv2d(2, 3, (3, 2), stride=2, padding=1, dilation=(1, 2)),
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 4, 2, bias=False),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(24, 3),
    )


def test_labels_are_drawn_from_the_predicted_distribution():
    logits = torch.tensor([[0.0, 1.0, -2.0], [50.0, 0.0, 0.0]], dtype=F64)
    n = 40_000
    labels = sample_labels(logits.repeat_interleave(n, 0), generator("labels")).view(2, n)
    expected = logits.softmax(1)
    shares = F.one_hot(labels, 3).double().mean(1)
    errors = (expected * (1 - expected) / n).sqrt()
    assert ((shares - expected).abs() <= 4 * errors + 1e-12).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("largest_patches", [2**22, 1])
def test_products_with_a_vector_agree_with_curvlinops(monkeypatch, largest_patches):
    monkeypatch.setattr(kfac_factors, "LARGEST_PATCHES", largest_patches)
    model, inputs = convolutional(), normal(5, 2, 6, 7)
    layers = factored_layers(model)
    factors = estimate(model, layers, inputs, generator("fisher"))
    labels = sample_labels(model(inputs), generator("fisher"))
    # curvlinops sees the outputs after an activation in place.
    model[1] = nn.ReLU()
    parameters = list(model.parameters())
    operator = KFACLinearOperator(
        *(model, nn.CrossEntropyLoss(), parameters, [(inputs, labels)]),
        fisher_type="empirical",
        separate_weight_and_bias=False,
    )
    vector = [normal(*p.shape, name=f"vector {i}") for i, p in enumerate(parameters)]
    expected, rest = iter(operator @ vector), iter(vector)
    for layer in layers:
        has_bias = layer.bias is not None
        matrix = joint(next(rest), next(rest) if has_bias else None)
        product = factors[layer].outputs @ matrix @ factors[layer].inputs
        found = joint(next(expected), next(expected) if has_bias else None)
        torch.testing.assert_close(product, found)


def joint(weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return weight and bias of a layer, or their gradients, as one matrix."""
    parts = [weight.flatten(1)] if bias is None else [weight.flatten(1), bias[:, None]]
    return torch.cat(parts, 1).detach()


def test_damping_is_shared_by_the_mean_eigenvalues():
    inputs, outputs = normal(6, 4), normal(6, 3)
    factors = Factors(inputs.T @ inputs, outputs.T @ outputs / 100)
    means = [torch.linalg.eigvalsh(factor).mean() for factor in factors]
    balance = (means[0] / means[1]).sqrt()
    result = damped(factors, 0.09)
    torch.testing.assert_close(result.inputs, factors.inputs + 0.3 * balance * torch.eye(4))
    torch.testing.assert_close(result.outputs, factors.outputs + 0.3 / balance * torch.eye(3))
    dead = damped(Factors(factors.inputs, torch.zeros(3, 3, dtype=F64)), 0.09)
    torch.testing.assert_close(dead.outputs, 0.3 * torch.eye(3, dtype=F64))


def test_layers_without_factors_are_left_out_and_shared_weights_taken_once():
    model = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(4, 4, 3, padding=1),
        *(nn.Linear(4, 4) for _ in range(3)),
    )
    model[4].bias.requires_grad_(False)
    model[6].weight = model[5].weight
    assert factored_layers(model) == [model[3], model[6]]


def test_a_layer_that_is_called_twice_has_the_factors_of_all_calls():
    layer, inputs = nn.Linear(3, 3, bias=False).double(), normal(5, 3)

    class Twice(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return layer(layer(inputs).tanh())

    factors = estimate(Twice(), [layer], inputs, generator("fisher"))[layer]
    hidden = layer(inputs).tanh().detach()
    torch.testing.assert_close(factors.inputs, (inputs.T @ inputs + hidden.T @ hidden) / 5)
    labels = sample_labels(layer(hidden), generator("fisher"))
    first = layer(inputs).detach().requires_grad_()
    last = layer(first.tanh())
    loss = F.cross_entropy(last, labels, reduction="sum")
    gradients = torch.cat(torch.autograd.grad(loss, [first, last]))
    torch.testing.assert_close(factors.outputs, gradients.T @ gradients / 10)


def step_of(optimizer: Optimizer, inputs: Tensor, labels: Tensor, draws: torch.Generator) -> float:
    optimizer.observe(inputs, draws)
    optimizer.zero_grad()
    loss = F.cross_entropy(optimizer.model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def dense_step(model: nn.Module, inputs: Tensor, labels: Tensor, damping: float, decay: float):
    """The directions of all layers, and the gradients, by solves with dense matrices."""
    layers = [module for module in model.modules() if hasattr(module, "weight")]
    factors = estimate(model, layers, inputs, generator("fisher"))
    gradients = torch.autograd.grad(
        F.cross_entropy(model(inputs), labels), list(model.parameters())
    )
    penalised = (g + decay * p for g, p in zip(gradients, model.parameters(), strict=True))
    directions, matrices = [], []
    for layer in layers:
        matrices.append(joint(next(penalised), None if layer.bias is None else next(penalised)))
        parts = damped(factors[layer], damping)
        dense = torch.kron(parts.outputs, parts.inputs)
        directions.append(torch.linalg.solve(dense, matrices[-1].flatten()).view_as(matrices[-1]))
    return layers, directions, matrices


@pytest.mark.parametrize("kl_clip", [None, 1e-4, 1e9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_a_step_solves_with_the_damped_kronecker_matrix(kl_clip, weight_decay):
    model, inputs, labels = convolutional(), normal(6, 2, 6, 7), torch.arange(6) % 3
    damping = 0.02 + weight_decay
    layers, directions, gradients = dense_step(model, inputs, labels, damping, weight_decay)
    before = [joint(layer.weight, layer.bias) for layer in layers]
    length = sum((d * g).sum() for d, g in zip(directions, gradients, strict=True))
    scale = min(1.0, math.sqrt(kl_clip / (0.1**2 * length))) if kl_clip else 1.0
    assert (scale < 1) == (kl_clip == 1e-4)
    settings = {"damping": 0.02, "weight_decay": weight_decay, "kl_clip": kl_clip}
    step_of(KFAC(model, lr=0.1, **settings), inputs, labels, generator("fisher"))
    for layer, start, direction in zip(layers, before, directions, strict=True):
        expected = start - 0.1 * scale * direction
        torch.testing.assert_close(joint(layer.weight, layer.bias), expected)


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


def test_curvature_is_estimated_and_inverted_when_it_is_due_only():
    layer, changed = nn.Linear(3, 2).double(), []
    optimizer = KFAC(layer, lr=0.1, factor_every=2, inverse_every=3)
    state, names = optimizer.state[layer.weight], ("factor_inputs", "inverse_inputs")
    for step in range(5):
        before = [state[name].clone() if name in state else torch.zeros(4, 4) for name in names]
        step_of(optimizer, normal(4, 3, name=f"{step}"), torch.arange(4) % 2, generator("fisher"))
        changed.append([not torch.equal(state[n], b) for n, b in zip(names, before, strict=True)])
    assert [factors for factors, _ in changed] == [True, False, True, False, True]
    assert [inverses for _, inverses in changed] == [True, False, False, True, False]


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
