"""The path norm."""

import math

import torch
from torch import nn

from ..networks.normalised import NormalisedInput
from .layers import is_batchnorm, scale_and_shift, set_scale_and_shift
from .network_copy import copied
from .objective import Objective


@torch.no_grad()
def log_path_norm(model: nn.Module, objective: Objective) -> float | None:
    """Return ln Σ_c f_{w²}(1)_c, f_{w²} being the network with squared parameters (44).

    For rectifiers that is the sum over all paths of the products of their squared weights
    (Neyshabur et al. 2015, arXiv:1503.00036), biases as weights of a unit that is always 1. The
    ones are the inputs behind the normalisation of the data.

    Args:
        model: see `layers.folded`.
        objective: for the shape of an input.

    Returns:
        None where the network with squared parameters is not affine in inputs that are not
        negative, as with attention or with a normalisation of each sample, or takes no numbers.
    """
    inner = model.network if isinstance(model, NormalisedInput) else model
    inputs, _ = objective.samples.first()
    if not isinstance(inputs, torch.Tensor) or inputs.ndim < 2:
        return None
    if not (inputs.is_floating_point() or inner is not model):
        return None
    paths = squared(inner).double()
    ones = torch.ones(inputs.shape, dtype=torch.float64, device=inputs.device)
    zero, one, two = (objective.read(paths(factor * ones)).sum().item() for factor in (0, 1, 2))
    affine = math.isclose(two - one, one - zero, rel_tol=1e-9) and one > zero
    return math.log(one) if affine and math.isfinite(two) else None


def squared(model: nn.Module) -> nn.Module:
    """Return a copy with the square of every parameter; a BatchNorm counts as scale and shift.

    Args:
        model: in evaluation mode; see `layers.folded`.
    """
    model = copied(model)
    with torch.no_grad():
        for module in model.modules():
            if is_batchnorm(module):
                set_scale_and_shift(module, *(each.square() for each in scale_and_shift(module)))
        for parameter in model.parameters():
            parameter.square_()
    return model
