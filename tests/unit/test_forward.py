"""Closed forms against automatic differentiation, plain loops and 60-digit arithmetic."""

import copy

import mpmath
import numpy as np
import pytest
import torch
from study_cases import options
from torch import nn

from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.seeding import generator
from minimascope.sharpness import forward, perturbation
from minimascope.sharpness.subject import Subject

F64 = torch.float64


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=F64, generator=generator(seed, "test"))


def labels_for(n: int, classes: int) -> torch.Tensor:
    return torch.randint(0, classes, (n,), generator=generator(1, "labels"))


def relative_flatness_by_autodiff(features, weight, bias, labels) -> float:
    """Σ ⟨w_s, w_s'⟩ Tr(∂²L/∂w_s∂w_s'), the double sum of the definition, entry by entry."""

    def loss(w):
        return nn.functional.cross_entropy(features @ w.T + bias, labels)

    classes, size = weight.shape
    hessian = torch.autograd.functional.hessian(loss, weight)
    total = 0.0
    for s in range(classes):
        for t in range(classes):
            trace = sum(hessian[s, k, t, k].item() for k in range(size))
            total += float(weight[s] @ weight[t]) * trace
    return total


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("normalise", [False, True])
def test_relative_flatness_is_the_double_sum_over_hessian_blocks(scale, normalise):
    features, weight, bias = draws(7, 5), scale * draws(4, 5, seed=1), draws(4, seed=2)
    value = forward.relative_flatness(features, weight, bias, normalise)
    if normalise:
        deviations = torch.tensor(np.std(features.numpy(), axis=0))
        features, weight = features / deviations, weight * deviations
    expected = relative_flatness_by_autodiff(features, weight, bias, labels_for(7, 4))
    assert value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("constant", [0.0, 1.5, 0.1, 1e5 / 3])
def test_relative_flatness_leaves_out_constant_features(constant):
    features, weight, bias = draws(997, 5), draws(4, 5, seed=1), draws(4, seed=2)
    features[:, 2] = constant
    weight[:, 2] *= 1e-5
    moved = bias + constant * weight[:, 2]
    kept = [0, 1, 3, 4]
    value = forward.relative_flatness(features, weight, bias)
    assert value == pytest.approx(
        forward.relative_flatness(features[:, kept], weight[:, kept], moved), rel=1e-11
    )


def mp_softmax(row):
    exponentials = [mpmath.exp(z) for z in row]
    return [e / mpmath.fsum(exponentials) for e in exponentials]


@pytest.mark.parametrize("scale", [1, 30])
def test_both_measures_keep_their_digits_where_softmax_saturates(scale):
    features, weight, bias = draws(6, 5), scale * draws(4, 5, seed=1), draws(4, seed=2)
    logits, labels = features @ weight.T + bias, (features @ weight.T + bias).argmax(1)
    with mpmath.workdps(60):
        rows = [[mpmath.mpf(z) for z in row] for row in logits.tolist()]
        margins, variances = [], []
        for row, label, phi in zip(rows, labels.tolist(), features.tolist(), strict=True):
            p = mp_softmax(row)
            margins.append(mpmath.fsum(a * b for a, b in zip(p, row, strict=True)) - row[label])
            w = [[mpmath.mpf(x) for x in line] for line in weight.tolist()]
            mean = [mpmath.fsum(p[c] * w[c][k] for c in range(4)) for k in range(5)]
            spread = mpmath.fsum(
                p[c] * mpmath.fsum((w[c][k] - mean[k]) ** 2 for k in range(5)) for c in range(4)
            )
            variances.append(spread * mpmath.fsum(mpmath.mpf(x) ** 2 for x in phi))
        norm = 4 * mpmath.sqrt(mpmath.fsum(m**2 for m in margins) / 6)
        flatness = mpmath.fsum(variances) / 6
    # The oracle's logits are those of float64, so what remains is the accuracy of the formula;
    # the logits of relative_flatness are its own, good to 1e-16 of their size.
    assert forward.fisher_rao_norm(logits, labels, 3) == pytest.approx(float(norm), rel=1e-12)
    value = forward.relative_flatness(features, weight, bias, normalise=False)
    assert value == pytest.approx(float(flatness), rel=1e-11)


def test_fisher_rao_norm_is_the_derivative_of_the_loss_along_the_logits():
    logits, labels, layers = draws(9, 5), labels_for(9, 5), 7
    squares = []
    for row, label in zip(logits, labels, strict=True):
        t = torch.ones((), dtype=F64, requires_grad=True)
        loss = nn.functional.cross_entropy(t * row[None], label[None])
        (slope,) = torch.autograd.grad(loss, t)
        squares.append(slope.item() ** 2)
    expected = (layers + 1) * (sum(squares) / len(squares)) ** 0.5
    assert forward.fisher_rao_norm(logits, labels, layers) == pytest.approx(expected, rel=1e-10)


def relu_network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)
    ).double()


@pytest.mark.parametrize("first", [0, 2], ids=["hidden layers", "last layers"])
def test_rescaling_relu_layers_changes_sam_sharpness_only(first):
    network = relu_network()
    rescaled, alpha = copy.deepcopy(network), 5.0
    with torch.no_grad():
        rescaled[first].weight *= alpha
        rescaled[first].bias *= alpha
        rescaled[first + 2].weight /= alpha
    split = Split(draws(50, 6), labels_for(50, 3))
    torch.testing.assert_close(rescaled(split.inputs), network(split.inputs))

    before, after = (
        {
            m.measure: m.value
            for m in forward.measure(Subject(model, split), generator(0)).measurements
        }
        for model in (network, rescaled)
    )
    for name in ("fisher_rao_norm", "relative_flatness"):
        assert after[name] == pytest.approx(before[name], rel=1e-10)
    sharpness = [
        perturbation.sam_sharpness(
            model, split.inputs, split.labels, radius=0.5, generator=generator(0)
        ).mean
        for model in (network, rescaled)
    ]
    assert abs(sharpness[1] / sharpness[0] - 1) > 0.05


@pytest.mark.parametrize(("architecture", "size"), [("resnet18", 8), ("vit", 8), ("vgg19", 32)])
def test_measure_gives_the_same_for_any_batch_size_and_leaves_the_model_alone(architecture, size):
    own = options(architecture)
    spec = NetworkSpec(architecture, 1, (size, size), 4, width=0.0625, options=own)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).eval()
    images = torch.randint(0, 256, (10, 1, size, size), dtype=torch.uint8)
    split = Split(images, labels_for(10, 4))
    state, subject = copy.deepcopy(model.state_dict()), Subject(model, split)
    whole, parts = (
        {m.measure: m for m in forward.measure(subject, generator(0), batch_size=b).measurements}
        for b in (1024, 3)
    )
    for name, measurement in whole.items():
        assert parts[name].value == pytest.approx(measurement.value, rel=1e-5, abs=1e-12)
        assert measurement.n == 10
    layers = {"resnet18": 21, "vit": 26, "vgg19": 18}[architecture]
    with torch.no_grad():
        logits = model(images)
    expected = forward.fisher_rao_norm(logits, split.labels, layers)
    assert whole["fisher_rao_norm"].value == pytest.approx(expected, rel=1e-6)
    norm = sum(float((p.detach().numpy().astype(float) ** 2).sum()) for p in model.parameters())
    assert whole["squared_weight_norm"].value == pytest.approx(norm, rel=1e-12)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
