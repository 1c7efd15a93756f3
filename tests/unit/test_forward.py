"""Closed forms against automatic differentiation, plain loops and 60-digit arithmetic."""

import copy

import mpmath
import numpy as np
import pytest
import torch
from sharpness_cases import flatness_by_autodiff, gradient, images, network, plain_loss
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness import forward, perturbation
from minimascope.sharpness.cross_entropy import CROSS_ENTROPY
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject

F64 = torch.float64


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=F64, generator=generator(seed, "test"))


def labels_for(n: int, classes: int) -> torch.Tensor:
    return torch.randint(0, classes, (n,), generator=generator(1, "labels"))


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("normalise", [False, True])
def test_relative_flatness_is_the_double_sum_over_hessian_blocks(scale, normalise):
    features, weight, bias = draws(7, 5), scale * draws(4, 5, seed=1), draws(4, seed=2)
    value = forward.relative_flatness(features, weight, bias, normalise)
    if normalise:
        deviations = torch.tensor(np.std(features.numpy(), axis=0))
        features, weight = features / deviations, weight * deviations
    expected = flatness_by_autodiff(features, weight, bias, labels_for(7, 4))
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


@pytest.mark.parametrize("first", [0, 2], ids=["hidden layers", "last layers"])
def test_rescaling_relu_layers_changes_sam_sharpness_only(first):
    torch.manual_seed(0)
    layers = nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)
    model, split = nn.Sequential(*layers).double(), Split(draws(50, 6), labels_for(50, 3))
    rescaled, alpha = copy.deepcopy(model), 5.0
    with torch.no_grad():
        rescaled[first].weight *= alpha
        rescaled[first].bias *= alpha
        rescaled[first + 2].weight /= alpha
    torch.testing.assert_close(rescaled(split.inputs), model(split.inputs))
    before, after = (values(Subject(each, Objective(split))) for each in (model, rescaled))
    for name in ("fisher_rao_norm", "relative_flatness"):
        assert after[name] == pytest.approx(before[name], rel=1e-10)
    sharpness = [
        perturbation.sam_sharpness(each, Objective(split), radius=0.5, generator=generator(0)).mean
        for each in (model, rescaled)
    ]
    assert abs(sharpness[1] / sharpness[0] - 1) > 0.05


def values(subject: Subject) -> dict[str, float]:
    return {m.measure: m.value for m in forward.measure(subject, generator(0)).measurements}


@pytest.mark.parametrize(("architecture", "layers"), [("resnet18", 21), ("vit", 26), ("vgg19", 18)])
def test_measure_counts_layers_and_all_parameters(architecture, layers):
    model, split = network(architecture), images(architecture, 10)
    found = values(Subject(model, Objective(split)))
    with torch.no_grad():
        expected = forward.fisher_rao_norm(model(split.inputs), split.labels, layers)
    assert found["fisher_rao_norm"] == pytest.approx(expected, rel=1e-12)
    # In 2025 five layers were counted in every network.
    assert found["fisher_rao_norm_l5"] == pytest.approx(6 / (layers + 1) * expected, rel=1e-12)
    norm = sum(float((p.detach().numpy() ** 2).sum()) for p in model.parameters())
    assert found["squared_weight_norm"] == pytest.approx(norm, rel=1e-12)


@pytest.mark.parametrize("architecture", ["resnet18", "vgg19", "vit"])
def test_the_gradient_norm_is_that_of_the_loss_of_the_whole_data_at_once(architecture):
    model, split = network(architecture), images(architecture, 23)
    expected = gradient(model, split).norm().item()
    for batch_size in (23, 5):
        measured = forward.measure(
            Subject(model, Objective(split)), generator(0), batch_size=batch_size
        )
        [found] = [m for m in measured.measurements if m.measure == "train_gradient_norm"]
        assert found.value == pytest.approx(expected, rel=1e-10)
        assert (found.unit, found.n) == ("nats per unit of parameter", 23)
    assert all(p.grad is None for p in model.parameters())


def test_the_gradient_norm_is_the_steepest_slope_found_by_moving_each_parameter():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    split, step, slopes = Split(draws(11, 4), labels_for(11, 3)), 1e-5, []
    for parameter in model.parameters():
        flat = parameter.data.view(-1)
        for i in range(len(flat)):
            origin, ends = flat[i].item(), []
            for moved in (origin + step, origin - step):
                flat[i] = moved
                ends.append(plain_loss(model, split))
            flat[i] = origin
            slopes.append((ends[0] - ends[1]) / (2 * step))
    expected = sum(slope**2 for slope in slopes) ** 0.5
    assert values(Subject(model, Objective(split)))["train_gradient_norm"] == pytest.approx(
        expected, rel=1e-8
    )


def test_the_gradient_changes_no_other_value_and_frozen_parameters_have_none():
    model, split = network("vit").float(), images("vit", 20)
    without = forward.measure(Subject(model, Objective(split)), generator(0), gradient=False)
    found = values(Subject(model, Objective(split)))
    norm = found.pop("train_gradient_norm")
    assert found == {m.measure: m.value for m in without.measurements}
    for parameter in list(model.parameters())[:-2]:
        parameter.requires_grad_(False)
    assert 0 < values(Subject(model, Objective(split)))["train_gradient_norm"] < norm


@pytest.mark.parametrize("counts", [[5, 5], [1, 2, 7], [8]])
def test_the_entropy_of_labels_is_the_loss_of_the_best_constant_guess(counts):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    logits = torch.tensor(counts, dtype=F64).log().expand(len(labels), -1)
    expected = nn.functional.cross_entropy(logits, labels).item()
    found = CROSS_ENTROPY.of_guessing(labels.bincount())
    assert found == ("train_label_entropy", pytest.approx(expected, abs=1e-12))


def test_no_samples_and_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(InputError, match="no labels"):
        forward.fisher_rao_norm(torch.zeros(0, 3), torch.zeros(0).long(), 3)
    for features in (torch.zeros(0, 4), torch.zeros(2, 5)):
        with pytest.raises(InputError, match="n at least 1"):
            forward.relative_flatness(features, torch.zeros(3, 4), torch.zeros(3))


def test_one_sample_has_no_relative_flatness():
    with pytest.raises(InputError, match="features of one sample have no standard deviation"):
        forward.relative_flatness(torch.ones(1, 4), torch.zeros(3, 4), torch.zeros(3))
    weight = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    plain = forward.relative_flatness(torch.ones(1, 2), weight, torch.zeros(2), normalise=False)
    p = 1 / (1 + np.exp(1))
    assert plain == pytest.approx(2 * p * (1 - p) * 5)
