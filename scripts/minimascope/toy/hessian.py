"""The Hessian of the training loss of toy networks, in their parameters."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from ..sharpness.eigenvalues import extreme_eigenvalues
from ..sharpness.operator import LossHessian
from .networks import layers, perceptron, width_of

# Largest residual of an eigenvalue, relative to it.
TOLERANCE = 1e-3


@torch.no_grad()
def hessian_trace(parameters: Tensor, points: Tensor) -> float:
    """Return the trace of the Hessian of a network's mean squared error, exact but for rounding.

    With outputs f and errors e it is the trace of 2/n Σ (∇f ∇fᵀ + e ∇²f). Along a single parameter
    f is linear, but for kinks, so that the diagonal of ∇²f is 0 and the trace is 2/n Σ ‖∇f‖²: that
    of the Gauss–Newton matrix, whatever the labels. A layer's part of ‖∇f‖² is ‖δ‖² (‖a‖² + 1) with
    its inputs a and the derivative δ of f along what it adds up, the 1 being its biases.

    Args:
        parameters: [P].
        points: [n, 2], of the same floating type.
    """
    of_layers = layers(parameters[None])
    (weight_1, bias_1), (weight_2, bias_2), (weight_3, _) = ((w[0], b[0]) for w, b in of_layers)
    hidden_1 = (points @ weight_1.T + bias_1).relu()
    hidden_2 = (hidden_1 @ weight_2.T + bias_2).relu()
    delta_2 = weight_3 * hidden_2.sign()
    delta_1 = (delta_2 @ weight_2) * hidden_1.sign()
    parts = (
        (points, delta_1.square().sum(1)),
        (hidden_1, delta_2.square().sum(1)),
        (hidden_2, 1.0),
    )
    of_points = sum(squares * (inputs.square().sum(1) + 1) for inputs, squares in parts)
    return 2 * of_points.mean().item()


def top_eigenvalue(
    parameters: Tensor, points: Tensor, values: Tensor, draws: torch.Generator
) -> tuple[float, float]:
    """Return the largest eigenvalue of the Hessian of a network's mean squared error.

    Args:
        parameters: [P], in float64.
        points: [n, 2], in float64.
        values: [n], in float64.
        draws: of the starting vectors, on the parameters' device.

    Returns:
        The eigenvalue and its residual ‖Hv − λv‖; see `eigenvalues.extreme_eigenvalues`.
    """
    network = perceptron(width_of(parameters)).to(parameters)
    vector_to_parameters(parameters, network.parameters())
    operator = LossHessian(
        list(network.parameters()),
        lambda total: total([points]),
        lambda batch: F.mse_loss(network(batch)[:, 0], values),
    )
    found = extreme_eigenvalues(operator, 1, draws, TOLERANCE)
    return found.values[0], found.residuals[0]
