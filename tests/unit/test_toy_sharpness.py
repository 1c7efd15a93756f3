"""Sharpness of many toy networks at once against plain loops and a closed form."""

import copy
import math
import statistics

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from minimascope.seeding import generator
from minimascope.toy import networks
from minimascope.toy.fits import FitSpec, fit
from minimascope.toy.measure import losses_of, measure, sam_sharpness
from minimascope.toy.networks import initial_parameters, perceptron
from minimascope.toy.problems import Problem, samples

PROBLEM = Problem("himmelblau", 0)
RADII = (0.0005, 0.05, 0.5)
MEASURING = {"points": 40, "test_points": 25, "radii": RADII, "perturbations": 8}


def network(parameters: Tensor) -> nn.Sequential:
    model = perceptron(6).double()
    vector_to_parameters(parameters.double(), model.parameters())
    return model


def several() -> Tensor:
    return torch.stack([initial_parameters(6, seed).double() for seed in (0, 1, 2)])


def plain_loss(model: nn.Module, inputs: Tensor, labels: Tensor, batch_size: int = 0) -> Tensor:
    return nn.functional.mse_loss(model(inputs.double())[:, 0], labels).detach()


def test_it_is_a_plain_loop_over_moved_copies():
    points, values = samples(PROBLEM, "train", 40)
    parameters = several()
    ours = sam_sharpness(
        parameters, points, values, RADII, 5, draws=generator(1), dtype=torch.float64
    )
    draws, size = generator(1), parameters.shape[1]
    directions = [torch.empty(size).normal_(generator=draws).double() for _ in range(5)]
    for index, vector in enumerate(parameters):
        centre = plain_loss(network(vector), points, values)
        for estimate, radius in zip(ours[index], RADII, strict=True):
            moved = [vector + radius / math.sqrt(size) * direction for direction in directions]
            losses = [plain_loss(network(copy.deepcopy(one)), points, values) for one in moved]
            changes = [(loss - centre).item() / radius for loss in losses]
            absolute = list(map(abs, changes))
            assert estimate.mean == pytest.approx(statistics.fmean(absolute), rel=1e-6)
            assert estimate.signed_mean == pytest.approx(statistics.fmean(changes), rel=1e-5)
            error = statistics.stdev(absolute) / math.sqrt(5)
            assert estimate.standard_error == pytest.approx(error, rel=1e-5)
            assert estimate.samples == 5


def test_small_radius_gives_the_closed_form_of_the_gradient():
    """For ρ → 0, S = E|⟨g, δ⟩|/ρ = ‖g‖ √(2/(πP)) for the gradient g of the loss."""
    points, values = samples(PROBLEM, "train", 40)
    model = network(several()[0])
    nn.functional.mse_loss(model(points)[:, 0], values).backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
    expected = gradient.norm().item() * math.sqrt(2 / (math.pi * len(gradient)))
    ((estimate,),) = sam_sharpness(
        several()[:1], points, values, [1e-6], 2000, draws=generator(2), dtype=torch.float64
    )
    assert abs(estimate.mean - expected) < 4 * estimate.standard_error
    assert estimate.standard_error < 0.03 * expected


def test_parts_of_any_size_give_the_same_losses(monkeypatch):
    points, values = samples(PROBLEM, "train", 40)
    expected = [plain_loss(network(vector), points, values).item() for vector in several()]
    for size in (1, 80, 10**6):
        monkeypatch.setitem(networks.AT_ONCE, "cpu", size)
        assert losses_of(several(), points, values).tolist() == pytest.approx(expected, rel=1e-12)


def test_rounding_is_told_in_float32_alone():
    points, values = samples(PROBLEM, "train", 40)
    single, double = (
        sam_sharpness(several()[:1], points, values, [0.005], 5, draws=generator(3), dtype=dtype)[
            0
        ][0]
        for dtype in (torch.float32, torch.float64)
    )
    assert double.rounding == 0
    assert 0 < single.rounding < 1
    assert single.mean == pytest.approx(double.mean, abs=3 * single.rounding + 1e-3 * double.mean)


def rows_of(dtype: str = "float32") -> tuple[list[dict], FitSpec]:
    spec = FitSpec(points=40, width=6, lr=0.02, epochs=(1, 300), losses=(9000.0, 1e-9))
    fits = fit([PROBLEM], spec, torch.device("cpu"))
    copies, epochs = fits.copies[:, 0], fits.epochs[:, 0]
    return list(measure(PROBLEM, copies, epochs, spec.kept, **MEASURING, dtype=dtype)), spec


def test_every_network_has_a_row_for_each_radius_and_what_was_not_reached_has_one():
    rows, spec = rows_of()
    counts = [sum((row["at"], row["value"]) == kept for row in rows) for kept in spec.kept]
    assert counts == [3, 3, 3, 1]
    missing = rows[-1]
    assert (missing["epoch"], missing["train_loss"], missing.get("radius")) == (None, None, None)
    for row in rows[:-1]:
        assert row["gap"] == row["test_loss"] - row["train_loss"]
        assert row["standard_error"] > 0
        assert row["seconds"] > 0
        assert (row["samples"], row["points"]) == (8, 40)
        assert row["noise_floor"] is not None
    assert rows[6]["train_loss"] <= 9000 < rows[0]["train_loss"]
    assert 1 < rows[6]["epoch"] <= 300


def test_losses_of_the_rows_are_those_of_the_networks_on_both_samples():
    fits = fit([PROBLEM], rows_of()[1], torch.device("cpu"))
    row = rows_of("float64")[0][3]
    model = network(fits.copies[1, 0])
    for split, count in (("train", 40), ("test", 25)):
        loss = plain_loss(model, *samples(PROBLEM, split, count)).item()
        assert row[f"{split}_loss"] == pytest.approx(loss, rel=1e-12)
    assert row["noise_floor"] is None
