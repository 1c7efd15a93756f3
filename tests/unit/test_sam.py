"""Steps of SAM and its variants worked out by hand, and what they must leave alone."""

import copy
import math

import pytest
import torch
from torch import nn

from minimascope import optim
from minimascope.optim.sam import SAM, mean_sam_gradient, sam_gradient

F64 = torch.float64


class Point(nn.Module):
    """Parameters (x, y) of the quadratic loss x² + 4y²: gradient (2x, 8y)."""

    def __init__(self, x: float, y: float):
        super().__init__()
        self.position = nn.Parameter(torch.tensor([x, y], dtype=F64))
        self.unused = nn.Parameter(torch.ones((), dtype=F64))

    def loss(self) -> torch.Tensor:
        x, y = self.position
        return x**2 + 4 * y**2


def test_the_gradient_of_a_quadratic_is_that_at_the_ascended_point():
    # At (3, 1) the gradient is (6, 8), of length 10: with ρ = 0.5 the ascended point is
    # (3 + 0.3, 1 + 0.4), where the gradient is (6.6, 11.2). The loss at (3, 1) is 13.
    point = Point(3, 1)
    value = sam_gradient(point, point.loss, SAM(0.5))
    assert value.item() == 13
    assert point.position.tolist() == [3, 1]
    assert point.position.grad.tolist() == pytest.approx([6.6, 11.2], rel=1e-14)
    assert point.unused.grad is None


def test_two_steps_with_momentum_and_weight_decay_follow_the_hand_calculation():
    point = Point(3, 1)
    spec = {"name": "sgd", "lr": 0.1, "momentum": 0.5, "weight_decay": 0.01}
    optimizer = optim.build(point, spec)
    # Step 1: gradient (6.6, 11.2) + 0.01 · (3, 1) = (6.63, 11.21), the velocity.
    sam_gradient(point, point.loss, SAM(0.5))
    optimizer.step()
    assert point.position.tolist() == pytest.approx([3 - 0.663, 1 - 1.121], rel=1e-14)
    # Step 2, from (2.337, -0.121): gradient (4.674, -0.968), length 4.773184995786255.
    sam_gradient(point, point.loss, SAM(0.5))
    optimizer.step()
    length = (4.674**2 + 0.968**2) ** 0.5
    ascended = (2.337 + 0.5 * 4.674 / length, -0.121 - 0.5 * 0.968 / length)
    velocity = (
        0.5 * 6.63 + 2 * ascended[0] + 0.01 * 2.337,
        0.5 * 11.21 + 8 * ascended[1] - 0.01 * 0.121,
    )
    expected = [2.337 - 0.1 * velocity[0], -0.121 - 0.1 * velocity[1]]
    assert point.position.tolist() == pytest.approx(expected, rel=1e-13)


def test_a_zero_gradient_gives_a_zero_step():
    point = Point(0, 0)
    sam_gradient(point, point.loss, SAM(0.5))
    assert point.position.grad.tolist() == [0, 0]
    assert point.position.tolist() == [0, 0]


def test_parameters_come_back_bit_for_bit():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    before = [p.detach().clone() for p in model.parameters()]
    inputs, labels = torch.randn(40, 20), torch.randint(0, 5, (40,))
    sam_gradient(model, lambda: nn.functional.cross_entropy(model(inputs), labels), SAM(0.1))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_batchnorm_statistics_are_updated_once_by_the_unperturbed_pass():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).train()
    inputs, labels = torch.randn(16, 4), torch.randint(0, 3, (16,))
    with torch.no_grad():
        expected = 0.9 * model[1].running_mean + 0.1 * model[0](inputs).mean(0)
    sam_gradient(model, lambda: nn.functional.cross_entropy(model(inputs), labels), SAM(0.5))
    torch.testing.assert_close(model[1].running_mean, expected)
    assert model[1].num_batches_tracked == 1
    assert model[1].track_running_stats


def test_an_adaptive_step_goes_further_where_parameters_are_larger():
    # At (3, 1) with η = 1, T = (4, 2) and g = (6, 8): Tg = (24, 16), of length 8 √13, and
    # T²g = (96, 32). With ρ = √13 / 4 the step is T²g / 32 = (3, 1), to (6, 2), where the gradient
    # is (12, 16).
    point = Point(3, 1)
    sam_gradient(point, point.loss, SAM(13**0.5 / 4, adaptive=1))
    assert point.position.tolist() == [3, 1]
    assert point.position.grad.tolist() == pytest.approx([12, 16], rel=1e-14)


class Line(nn.Module):
    """A weight w and a bias b with the loss w² + 4b²."""

    def __init__(self, weight: float, bias: float):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=F64))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=F64))

    def loss(self) -> torch.Tensor:
        return self.weight**2 + 4 * self.bias**2


def test_an_adaptive_step_moves_a_bias_as_sam_does():
    # g = (6, 8) and T = (3, 1): Tg = (18, 8), T²g = (54, 8); with ρ = |Tg| the step is (54, 8).
    line = Line(3, 1)
    sam_gradient(line, line.loss, SAM(math.hypot(18, 8), adaptive=0))
    assert line.weight.grad.item() == pytest.approx(2 * (3 + 54), rel=1e-14)
    assert line.bias.grad.item() == pytest.approx(8 * (1 + 8), rel=1e-14)


def test_an_adaptive_step_at_parameters_of_size_one_is_that_of_sam():
    adaptive, plain = Point(-1, 1), Point(-1, 1)
    sam_gradient(adaptive, adaptive.loss, SAM(0.5, adaptive=0))
    sam_gradient(plain, plain.loss, SAM(0.5))
    assert adaptive.position.grad.tolist() == plain.position.grad.tolist()


def test_the_gap_is_narrowed_against_the_orthogonal_part_of_the_first_gradient():
    # At (3, 1) SAM's gradient is s = (6.6, 11.2) with ρ = 0.5, and g = (6, 8): g·s = 129.2 and
    # s·s = 169. The part of g across s is g - 129.2 / 169 s; half of it is taken from s.
    point = Point(3, 1)
    sam_gradient(point, point.loss, SAM(0.5, gap_weight=0.5))
    along = 129.2 / 169
    across = 6 - along * 6.6, 8 - along * 11.2
    assert across[0] * 6.6 + across[1] * 11.2 == pytest.approx(0, abs=1e-12)
    expected = [6.6 - 0.5 * across[0], 11.2 - 0.5 * across[1]]
    assert point.position.grad.tolist() == pytest.approx(expected, rel=1e-13)


def test_without_a_weight_of_the_gap_the_gradient_is_that_of_sam():
    weighted, plain = Point(3, 1), Point(3, 1)
    sam_gradient(weighted, weighted.loss, SAM(0.5, gap_weight=0))
    sam_gradient(plain, plain.loss, SAM(0.5))
    assert weighted.position.grad.tolist() == plain.position.grad.tolist()


@pytest.mark.parametrize("sam", [SAM(0.5, adaptive=0.01), SAM(0.5, gap_weight=0.2)])
def test_variants_take_a_zero_gradient_for_a_zero_step(sam):
    point = Point(0, 0)
    sam_gradient(point, point.loss, sam)
    assert point.position.grad.tolist() == [0, 0]


def test_each_group_ascends_by_itself():
    # Losses x² + 4y² of 3 samples and 2x² of 1, at (3, 1): gradients (6, 8) and (12, 0). With
    # ρ = 0.5 they ascend to (3.3, 1.4) and (3.5, 1), where the gradients are (6.6, 11.2) and
    # (14, 0); their mean is (3 · 6.6 + 14, 3 · 11.2) / 4. The losses are 13 and 18.
    point = Point(3, 1)
    losses = [point.loss, lambda: 2 * point.position[0] ** 2]
    value = mean_sam_gradient(point, losses, [0.75, 0.25], SAM(0.5, group_size=3))
    assert value.item() == 14.25
    assert point.position.grad.tolist() == pytest.approx([8.45, 8.4], rel=1e-14)
    assert point.position.tolist() == [3, 1]
    assert point.unused.grad is None


def normalising() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).double().train()
    return model, torch.randn(16, 4, dtype=F64), torch.randint(0, 3, (16,))


def grouped(model, inputs, labels, sam: SAM) -> None:
    def loss(rows: slice) -> torch.Tensor:
        return nn.functional.cross_entropy(model(inputs[rows]), labels[rows])

    groups = sam.groups(16)
    losses = [lambda rows=rows: loss(rows) for rows in groups]
    mean_sam_gradient(model, losses, [(g.stop - g.start) / 16 for g in groups], sam)


def test_groups_update_batchnorm_once_by_the_mean_of_their_statistics():
    model, inputs, labels = normalising()
    with torch.no_grad():
        hidden = model[0](inputs)
        # Of groups of 6, 6 and 4.
        parts = [(6 / 16, hidden[:6]), (6 / 16, hidden[6:12]), (4 / 16, hidden[12:])]
        mean = sum(share * part.mean(0) for share, part in parts)
        variance = sum(share * part.var(0) for share, part in parts)
    grouped(model, inputs, labels, SAM(0.5, group_size=6))
    torch.testing.assert_close(model[1].running_mean, 0.1 * mean, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(model[1].running_var, 0.9 + 0.1 * variance, rtol=1e-12, atol=1e-14)
    assert model[1].num_batches_tracked == 1
    assert model[1].track_running_stats


@pytest.mark.parametrize("size", [16, 40])
def test_a_group_as_large_as_the_batch_is_sam(size):
    model, inputs, labels = normalising()
    other = copy.deepcopy(model)
    grouped(model, inputs, labels, SAM(0.5, group_size=size))
    sam_gradient(other, lambda: nn.functional.cross_entropy(other(inputs), labels), SAM(0.5))
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one.grad, two.grad)
