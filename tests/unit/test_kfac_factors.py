"""Kronecker factors against loops, the exact Fisher matrix and curvlinops."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minimascope.optim import kfac_factors
from minimascope.optim.kfac_factors import damped, estimate, factored_layers, sample_labels
from minimascope.seeding import generator

F64 = torch.float64


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


def output_gradients(first: nn.Linear, last: nn.Linear, a: Tensor, label: int) -> list[Tensor]:
    """Gradients of the loss of one sample by the outputs of both layers of a tanh perceptron."""
    hidden = first(a).detach().requires_grad_()
    logits = last(hidden.tanh())
    loss = logits.logsumexp(0) - logits[label]
    return list(torch.autograd.grad(loss, [hidden, logits]))


def test_factors_of_linear_layers_have_the_expectation_of_a_loop_over_samples_and_labels():
    model, inputs = (
        classifier(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3, bias=False)),
        normal(5, 3),
    )
    first, last = model[0], model[2]
    inputs_of = [torch.zeros(4, 4, dtype=F64), torch.zeros(4, 4, dtype=F64)]
    outputs_of = [torch.zeros(4, 4, dtype=F64), torch.zeros(3, 3, dtype=F64)]
    for a in inputs:
        with_one = torch.cat([a, torch.ones(1, dtype=F64)])
        inputs_of[0] += torch.outer(with_one, with_one) / 5
        hidden = first(a).tanh().detach()
        inputs_of[1] += torch.outer(hidden, hidden) / 5
        for label, p in enumerate(model(a).softmax(0).tolist()):
            for total, g in zip(outputs_of, output_gradients(first, last, a, label), strict=True):
                total += p * torch.outer(g, g) / 5

    draws, repeats = generator("many labels"), 400
    estimates = [estimate(model, [first, last], inputs, draws) for _ in range(repeats)]
    for index, layer in enumerate((first, last)):
        torch.testing.assert_close(estimates[0][layer].inputs, inputs_of[index])
        samples = torch.stack([e[layer].outputs for e in estimates])
        errors = samples.std(0) / math.sqrt(repeats)
        assert ((samples.mean(0) - outputs_of[index]).abs() <= 4 * errors).all()
        # The labels matter: no single draw is the expectation.
        assert errors.max() > 0.01 * outputs_of[index].abs().max()


def patch_squares(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """Σ a aᵀ of a convolution, number by number."""
    (kh, kw), (sh, sw) = layer.kernel_size, layer.stride
    (dh, dw), (ph, pw) = layer.dilation, layer.padding
    height, width = inputs.shape[2:]
    rows, columns = layer(inputs).shape[2:]
    constant = [] if layer.bias is None else [1.0]
    total = 0
    for sample, row, column in itertools.product(inputs, range(rows), range(columns)):
        patch = []
        for channel, i, j in itertools.product(range(len(sample)), range(kh), range(kw)):
            y, x = row * sh + i * dh - ph, column * sw + j * dw - pw
            inside = 0 <= y < height and 0 <= x < width
            patch.append(sample[channel, y, x].item() if inside else 0.0)
        a = torch.tensor(patch + constant, dtype=F64)
        total = total + torch.outer(a, a)
    return total


@pytest.mark.parametrize("largest_patches", [2**22, 1])
def test_factors_of_a_convolution_equal_a_loop_over_pixels(monkeypatch, largest_patches):
    monkeypatch.setattr(kfac_factors, "LARGEST_PATCHES", largest_patches)
    model, inputs = convolutional(), normal(3, 2, 6, 7)
    first, second = model[0], model[2]
    factors = estimate(model, [first, second], inputs, generator("fisher"))
    torch.testing.assert_close(factors[first].inputs, patch_squares(first, inputs) / 3)
    middle = model[:2](inputs).detach()
    torch.testing.assert_close(factors[second].inputs, patch_squares(second, middle) / 3)

    labels = sample_labels(model(inputs), generator("fisher"))
    total, places = torch.zeros(3, 3, dtype=F64), 0
    for sample, label in zip(inputs, labels, strict=True):
        maps = first(sample[None]).detach().requires_grad_()
        logits = model[3:](second(maps.relu()))
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, label[None]), maps)
        for row, column in itertools.product(*map(range, gradient.shape[2:])):
            g = gradient[0, :, row, column]
            total += torch.outer(g, g)
            places += 1
    torch.testing.assert_close(factors[first].outputs, total / places)


@pytest.mark.filterwarnings("ignore")
def test_products_with_a_vector_agree_with_curvlinops():
    from curvlinops import KFACLinearOperator

    model, inputs = convolutional(), normal(5, 2, 6, 7)
    # curvlinops sees the outputs after an activation in place.
    model[1] = nn.ReLU()
    layers = factored_layers(model)
    factors = estimate(model, layers, inputs, generator("fisher"))
    labels = sample_labels(model(inputs), generator("fisher"))
    parameters = list(model.parameters())
    operator = KFACLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        parameters,
        [(inputs, labels)],
        fisher_type="empirical",
        separate_weight_and_bias=False,
    )
    vector = [normal(*p.shape, name=f"vector {i}") for i, p in enumerate(parameters)]
    expected = operator @ vector
    ours, rest = [], iter(vector)
    for layer in layers:
        matrix = next(rest).flatten(1)
        if layer.bias is not None:
            matrix = torch.cat([matrix, next(rest)[:, None]], 1)
        product = factors[layer].outputs @ matrix @ factors[layer].inputs
        if layer.bias is not None:
            product, bias = product[:, :-1], product[:, -1]
        ours += [product.reshape(layer.weight.shape)] + ([] if layer.bias is None else [bias])
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_for_one_distinct_input_the_kronecker_product_is_the_exact_fisher_matrix():
    layer, n = nn.Linear(2, 3).double(), 200_000
    sample = normal(1, 2)
    # The Fisher matrix of a linear softmax model is the Hessian of its loss, whatever the label.
    parameters = torch.cat([layer.weight, layer.bias[:, None]], 1).detach()
    with_one = torch.cat([sample, torch.ones(1, 1, dtype=F64)], 1)
    exact = torch.autograd.functional.hessian(
        lambda w: F.cross_entropy(with_one @ w.T, torch.tensor([0])), parameters
    ).reshape(9, 9)
    factors = estimate(layer, [layer], sample.expand(n, 2), generator("fisher"))[layer]
    product = torch.kron(factors.outputs, factors.inputs)
    torch.testing.assert_close(product, exact, rtol=0, atol=0.01 * exact.abs().max().item())


def test_damping_is_shared_by_the_mean_eigenvalues():
    inputs, outputs = normal(6, 4), normal(6, 3)
    factors = kfac_factors.Factors(inputs.T @ inputs, outputs.T @ outputs / 100)
    means = [torch.linalg.eigvalsh(factor).mean() for factor in factors]
    balance = (means[0] / means[1]).sqrt()
    result = damped(factors, 0.09)
    torch.testing.assert_close(result.inputs, factors.inputs + 0.3 * balance * torch.eye(4))
    torch.testing.assert_close(result.outputs, factors.outputs + 0.3 / balance * torch.eye(3))
    dead = damped(kfac_factors.Factors(factors.inputs, torch.zeros(3, 3, dtype=F64)), 0.09)
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
