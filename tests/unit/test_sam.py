"""A SAM step worked out by hand, and what it must leave alone."""

import pytest
import torch
from torch import nn

from minimascope import optim
from minimascope.optim.sam import sam_gradient

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
    value = sam_gradient(point, point.loss, rho=0.5)
    assert value.item() == 13
    assert point.position.tolist() == [3, 1]
    assert point.position.grad.tolist() == pytest.approx([6.6, 11.2], rel=1e-14)
    assert point.unused.grad is None


def test_two_steps_with_momentum_and_weight_decay_follow_the_hand_calculation():
    point = Point(3, 1)
    spec = {"name": "sgd", "lr": 0.1, "momentum": 0.5, "weight_decay": 0.01}
    optimizer = optim.build(point, spec)
    # Step 1: gradient (6.6, 11.2) + 0.01 · (3, 1) = (6.63, 11.21), the velocity.
    sam_gradient(point, point.loss, rho=0.5)
    optimizer.step()
    assert point.position.tolist() == pytest.approx([3 - 0.663, 1 - 1.121], rel=1e-14)
    # Step 2, from (2.337, -0.121): gradient (4.674, -0.968), length 4.773184995786255.
    sam_gradient(point, point.loss, rho=0.5)
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
    sam_gradient(point, point.loss, rho=0.5)
    assert point.position.grad.tolist() == [0, 0]
    assert point.position.tolist() == [0, 0]


def test_parameters_come_back_bit_for_bit():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    before = [p.detach().clone() for p in model.parameters()]
    inputs, labels = torch.randn(40, 20), torch.randint(0, 5, (40,))
    sam_gradient(model, lambda: nn.functional.cross_entropy(model(inputs), labels), rho=0.1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_batchnorm_statistics_are_updated_once_by_the_unperturbed_pass():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)).train()
    inputs, labels = torch.randn(16, 4), torch.randint(0, 3, (16,))
    with torch.no_grad():
        expected = 0.9 * model[1].running_mean + 0.1 * model[0](inputs).mean(0)
    sam_gradient(model, lambda: nn.functional.cross_entropy(model(inputs), labels), rho=0.5)
    torch.testing.assert_close(model[1].running_mean, expected)
    assert model[1].num_batches_tracked == 1
    assert model[1].track_running_stats
