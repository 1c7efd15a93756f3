"""Finite weights whose passes overflow in float32: one line, or a number in float64."""

import math

import pytest
import torch
from sharpness_cases import points
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness import measure
from minimascope.sharpness.adaptive import Ascent, worst_sharpness
from minimascope.sharpness.estimate import Estimate
from minimascope.sharpness.hessian import loss_hessian
from minimascope.sharpness.interpolation import barrier
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import sam_sharpness


def large(factor: float) -> tuple[nn.Module, Split]:
    """A perceptron whose logits grow with the square of a factor."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= factor
    return model, points(12, 5, 3)


@pytest.mark.parametrize("family", SHARPNESS)
def test_every_family_says_in_one_line_that_the_loss_overflows(family):
    model, split = large(1e20)
    with pytest.raises(InputError) as caught:
        measure(model, split.inputs.float(), split.labels, family)
    assert "the mean loss is nan in float32" in str(caught.value)
    assert "dtype: float64, or model.double()" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_float64_gives_the_numbers():
    model, split = large(1e20)
    names = ["train_loss", "sam_sharpness", "hessian_trace", "asc_sharpness"]
    settings = {family: {"dtype": "float64"} for family in ("perturbation", "hessian", "landscape")}
    found = measure(model.double(), split.inputs, split.labels, names, settings=settings)
    assert all(math.isfinite(each.value) for each in found.values())
    logits = model(split.inputs).detach()
    expected = (logits.amax(1) - logits[range(12), split.labels]).mean().item()
    assert found["train_loss"].value == pytest.approx(expected)


def test_inputs_that_are_not_finite_are_named_as_a_likely_cause():
    model, split = large(1.0)
    split.inputs[3, 2] = math.nan
    with pytest.raises(InputError, match="look for NaN and infinite values in the inputs"):
        measure(model.double(), split.inputs, split.labels, "train_loss")
    with pytest.raises(InputError, match="look for NaN and infinite values in the inputs"):
        sam_sharpness(model.double(), Objective(split), generator=generator(0))


def test_losses_that_overflow_around_a_network_are_refused():
    model, split = large(1.0)
    with pytest.raises(InputError, match=r"radius: the loss is not finite at . of 5 perturb"):
        sam_sharpness(model, Objective(split), 1e25, 5, generator=generator(0))
    with pytest.raises(InputError, match="worst_radius 1e\\+25: the loss is not finite"):
        worst_sharpness(model, Objective(split), Ascent(1e25), generator=generator(0))
    with pytest.raises(InputError, match="not finite at 1 of 3 perturbations"):
        Estimate.of_differences(torch.tensor([1.0, math.inf, 2.0]))
    path = {"x": torch.linspace(0, 1, 3).numpy(), "losses": torch.tensor([1, math.nan, 2]).numpy()}
    with pytest.raises(InputError, match="not finite on the line"):
        barrier(path)


def test_a_product_with_the_hessian_that_overflows_is_refused():
    model, split = large(1.0)
    hessian = loss_hessian(model, Objective(split))
    vector = torch.full((hessian.shape[0],), 3e38)
    with pytest.raises(InputError, match=r"not finite in torch\.float32; use dtype: float64"):
        hessian @ vector
