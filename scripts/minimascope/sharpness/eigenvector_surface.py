"""The loss over the plane of the two leading eigenvectors of its Hessian."""

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from ..measurement import Measured
from .eigenvalues import Eigenvalues, extreme_eigenvalues
from .flat import selected_parameters
from .hessian import loss_hessian
from .objective import BATCH_SIZE, Objective
from .second_derivatives import check_products
from .surface import Direction, loss_surface


def eigenvector_surface(
    model: nn.Module,
    objective: Objective,
    axis: torch.Tensor,
    generator: torch.Generator,
    batch_size: int = BATCH_SIZE,
) -> Measured:
    """Return the loss at θ + x v₁ + y v₂, and what slope and curvature predict of it.

    v₁ and v₂ are unit eigenvectors of the two largest eigenvalues λ₁ and λ₂ of the loss's Hessian
    over all parameters, so that x and y are Euclidean distances. Of either sign, each is taken
    with its component of largest size positive. The prediction is the loss's second-order Taylor
    polynomial L(θ) + g·v₁ x + g·v₂ y + ½ λ₁ x² + ½ λ₂ y², with the gradient g, which is not quite
    0 at the end of a training.

    Args:
        model: in evaluation mode; unchanged by the call.
        objective: the mean loss.
        axis: values of x and of y, [m].
        generator: of the eigenvalue solver's starting vectors, on the model's device.
        batch_size: how many inputs are computed at once.

    Returns:
        Arrays ``eigenvector_coordinates`` [m], and in the loss's unit ``eigenvector_losses`` and
        ``eigenvector_prediction`` [m, m], x first. Details ``eigenvectors``: ``eigenvalues``,
        their ``residuals``, ``slopes`` g·v, each [2], and the number of ``products``.

    Raises:
        InputError: fewer than two eigenvalues converged, the network has one parameter, or torch's
            second derivatives of it are wrong.
    """
    check_products("hessian", model, objective)
    found = extreme_eigenvalues(loss_hessian(model, objective, batch_size=batch_size), 2, generator)
    if len(found.values) < 2:
        raise InputError(
            "eigenvectors: the Hessian's second eigenvalue did not converge; use dtype: float64, or"
            " set it to false"
        )
    vectors = _with_fixed_signs(found)
    pair = [_by_name(model, vector) for vector in vectors.T]
    losses = loss_surface(model, objective, pair, [axis, axis], batch_size)
    centre, gradient = objective.mean_and_gradient(model, batch_size)
    flat = torch.cat([part.reshape(-1) for part in gradient])
    slopes = (flat.double() @ vectors.double()).tolist()
    rises = [
        slope * axis + value * axis**2 / 2
        for slope, value in zip(slopes, found.values, strict=True)
    ]
    prediction = centre.item() + rises[0][:, None] + rises[1]
    arrays = {
        "eigenvector_coordinates": axis,
        "eigenvector_losses": losses,
        "eigenvector_prediction": prediction,
    }
    details = {
        "eigenvalues": found.values,
        "residuals": found.residuals,
        "slopes": slopes,
        "products": found.products,
    }
    return Measured(
        [],
        {"eigenvectors": details},
        {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()},
    )


def _with_fixed_signs(found: Eigenvalues) -> torch.Tensor:
    """Return the eigenvectors [P, k], the component of largest size of each positive."""
    largest = found.vectors.abs().argmax(0, keepdim=True)
    return found.vectors * found.vectors.gather(0, largest).sign()


def _by_name(model: nn.Module, vector: torch.Tensor) -> Direction:
    """Return the parts of a vector of all parameters under their names."""
    parameters = selected_parameters(model)
    parts = vector.split([parameter.numel() for parameter in parameters.values()])
    return {
        name: part.view_as(parameter)
        for (name, parameter), part in zip(parameters.items(), parts, strict=True)
    }
