"""BatchNorm's statistics between networks: estimated anew at each point, or mixed."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from minimascope.batchnorm import reestimate
from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.registry import INTERPOLATED, REESTIMATED
from minimascope.seeding import generator
from minimascope.sharpness.bezier import bezier
from minimascope.sharpness.interpolation import barrier, line, paths, plane, reestimation
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.symmetries import permuted

BOTH = (REESTIMATED, INTERPOLATED)


def blobs(count: int = 60) -> Split:
    """Two classes that a weight along the first axis tells apart, one after the other."""
    draws = torch.Generator().manual_seed(0)
    labels = (torch.arange(count) >= count // 2).long()
    inputs = torch.randn(count, 3, generator=draws).double()
    inputs[:, 0] += 6.0 * labels
    return Split(inputs, labels)


def perceptron(seed: int, *more: nn.Module) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = nn.Linear(3, 4), nn.BatchNorm1d(4), *more, nn.ReLU(), nn.Linear(4, 2)
    return nn.Sequential(*layers).double().eval()


@cache
def pictures() -> Objective:
    draws = torch.Generator().manual_seed(0)
    return Objective(Split(torch.randn(40, 1, 8, 8, generator=draws), torch.arange(40) % 4))


@cache
def resnet(seed: int) -> nn.Module:
    """A network that knows these pictures by heart."""
    model = initialise(NetworkSpec("resnet18", 1, (8, 8), 4, 0.0625), seed).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(30):
        optimizer.zero_grad()
        pictures().share(model, pictures().samples.first(40)).backward()
        optimizer.step()
    # Its running averages are not there yet after so few steps.
    reestimation(model.eval(), pictures())(model)
    return model


def test_a_point_of_a_line_has_the_statistics_of_its_own_activations():
    """Worked out by hand at x = 0.5: mean and variance of the hidden layer over all samples."""
    split, start, end = blobs(), perceptron(0), perceptron(1)
    found = line(start, end, Objective(split), 3, 0.0)
    middle = {
        name: (tensor + end.state_dict()[name]) / 2 for name, tensor in start.state_dict().items()
    }
    hidden = split.inputs @ middle["0.weight"].T + middle["0.bias"]
    centred = hidden - hidden.mean(0)
    # As torch keeps it, the variance has n - 1 below.
    variance = (centred**2).sum(0) / (len(split) - 1)
    normalised = centred / (variance + 1e-5).sqrt() * middle["1.weight"] + middle["1.bias"]
    logits = normalised.relu() @ middle["3.weight"].T + middle["3.bias"]
    expected = (logits.logsumexp(1) - logits[range(len(split)), split.labels]).mean().item()
    assert found["x"].tolist() == [0, 0.5, 1]
    assert found["losses"][1] == pytest.approx(expected, rel=1e-12)


def test_both_ends_have_statistics_of_the_data_too():
    """Otherwise their losses would be those of other statistics than the points between them."""
    objective, start, end = Objective(blobs()), perceptron(0), perceptron(1)
    found = line(start, end, objective, 3, 0.0)
    for loss, model in ((found["losses"][0], start), (found["losses"][-1], end)):
        renewed = copy.deepcopy(model)
        reestimation(renewed, objective)(renewed)
        assert loss == pytest.approx(objective.mean(renewed).item(), rel=1e-12)
        assert loss != pytest.approx(objective.mean(model).item(), rel=1e-3)


def test_a_barrier_that_only_mixed_statistics_make_is_gone_with_those_of_each_point():
    """Weights before BatchNorm ten times as large: the same function, and so is all between.

    The mixture of variances is larger than the variance of the mixture, so activations shrink.
    """
    objective, start = Objective(blobs()), perceptron(0)
    torch.manual_seed(2)
    reestimation(start, objective)(start)
    optimizer = torch.optim.Adam(start[3].parameters(), 0.1)
    for _ in range(100):
        optimizer.zero_grad()
        objective.share(start, (objective.samples.inputs, objective.samples.labels)).backward()
        optimizer.step()
    end = copy.deepcopy(start)
    with torch.no_grad():
        for tensor in (*end[0].parameters(), end[1].running_mean):
            tensor *= 10
        end[1].running_var *= 100
    heights = {kind: barrier(line(start, end, objective, 11, 0.0, kind)) for kind in BOTH}
    assert heights[REESTIMATED] == pytest.approx(0, abs=1e-5)
    assert heights[INTERPOLATED] > 0.02


@pytest.mark.parametrize("batchnorm", BOTH)
def test_a_permuted_copy_with_batchnorm_is_matched_without_a_barrier(batchnorm):
    objective, start = pictures(), resnet(0)
    wanted = {"points": 5, "margin": 0, "matched": True, "bezier": None, "batchnorm": batchnorm}
    found = paths(start, permuted(start, generator(1)), objective, wanted, generator(0))
    assert barrier(found["straight"]) > 0.01
    assert barrier(found["matched"]) == pytest.approx(0, abs=1e-5)


def test_a_curve_between_networks_with_batchnorm_is_lower_than_the_line():
    objective, start, end = pictures(), resnet(0), resnet(1)
    wanted = {"points": 9, "margin": 0, "matched": False, "batchnorm": REESTIMATED}
    wanted["bezier"] = {"steps": 60, "lr": 0.05, "batch_size": 20}
    found = paths(start, end, objective, wanted, generator(0))
    assert barrier(found["straight"]) > 0.3
    assert barrier(found["bezier"]) < 0.5 * barrier(found["straight"])
    for place in (0, -1):
        assert found["bezier"]["losses"][place] == pytest.approx(
            found["straight"]["losses"][place], rel=1e-4
        )
    # The networks themselves are as they were.
    assert not any(module.training for model in (start, end) for module in model.modules())


@pytest.mark.parametrize("batchnorm", BOTH)
def test_a_curve_of_vanishing_rate_has_the_statistics_of_the_line(batchnorm):
    objective, start, end = pictures(), resnet(0), resnet(1)
    straight = line(start, end, objective, 5, 0.0, batchnorm)
    arrive = reestimation(start, objective) if batchnorm == REESTIMATED else None
    still = {"steps": 1, "lr": 1e-12, "batch_size": 20}
    curve = bezier(start, end, objective, straight["x"], generator(0), arrive, **still)
    np.testing.assert_allclose(curve["losses"], straight["losses"], rtol=1e-5)


def test_the_corners_of_a_plane_are_those_of_lines_with_the_same_statistics():
    objective, models = Objective(blobs()), [perceptron(seed) for seed in range(3)]
    for batchnorm in BOTH:
        found = plane(models, objective, 3, 0.0, batchnorm)["model_losses"]
        ends = line(*models[:2], objective, 3, 0.0, batchnorm)["losses"]
        assert found[:2] == pytest.approx(ends[[0, -1]], rel=1e-9)


def test_without_batchnorm_there_is_no_further_pass():
    objective, calls = Objective(blobs()), []
    models = [nn.Linear(3, 2).double() for _ in range(2)]
    models[0].register_forward_hook(lambda *_: calls.append(1))
    losses = [line(*models, objective, 5, 0.0, kind)["losses"] for kind in BOTH]
    assert (losses[0] == losses[1]).all()
    assert reestimation(models[0], objective) is None
    assert len(calls) == 10
    # Nor of data that no network takes.
    reestimate(models[0], [None])


def test_statistics_of_many_samples_do_not_depend_on_their_order():
    """Classes lie one after the other, so batches in that order would have half the variance."""
    split, model = blobs(3000), perceptron(0)
    reestimation(model, Objective(split))(model)
    hidden = model[0](split.inputs)
    torch.testing.assert_close(model[1].running_mean, hidden.mean(0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(model[1].running_var, hidden.var(0), rtol=0.02, atol=0)
    assert model[1].momentum == 0.1


def test_dropout_stays_off_while_statistics_are_estimated():
    model = perceptron(0, nn.Dropout(0.5), nn.BatchNorm1d(4))
    found = []
    for _ in range(2):
        reestimation(model, Objective(blobs()))(model)
        found.append(model[3].running_var.clone())
    assert torch.equal(*found)
    assert not any(module.training for module in model.modules())
