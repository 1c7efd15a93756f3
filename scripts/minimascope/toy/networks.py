"""Many small networks computed as one: their parameters are the rows of one matrix.

Each is the perceptron 2–w–w–1 with ReLU. A row holds its parameters in the order of
`torch.nn.utils.parameters_to_vector`, so that the networks can be any that torch has drawn.
"""

from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from ..streams import derive_seed

# Networks × points that are computed at once. On a CPU the activations of a layer then stay in its
# caches (docs/benchmarks.md); on a GPU they take a gigabyte.
AT_ONCE = {"cpu": 2**12, "cuda": 2**22}


def networks_at_once(points: int, device: torch.device) -> int:
    """Return how many networks are best computed at once on so many points, at least one."""
    return max(1, AT_ONCE[device.type] // points)


def perceptron(width: int) -> nn.Sequential:
    """Return one network 2–width–width–1 with ReLU and torch's default initialisation."""
    return nn.Sequential(
        nn.Linear(2, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 1),
    )


def initial_parameters(width: int, seed: int) -> Tensor:
    """Return the parameters [P] that the networks of a seed start from, whatever they learn."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(derive_seed(seed, "toy initial weights"))
        return parameters_to_vector(perceptron(width).parameters()).detach()


def width_of(parameters: Tensor) -> int:
    """Return the width of networks by their number of parameters, w² + 5w + 1."""
    return round((-5 + (21 + 4 * parameters.shape[-1]) ** 0.5) / 2)


def outputs(parameters: Tensor, points: Tensor) -> Tensor:
    """Return the outputs [networks, n] of networks at points.

    Args:
        parameters: [networks, P].
        points: [networks, n, 2], of the same floating type.
    """
    m, width = len(parameters), width_of(parameters)
    sizes = (2 * width, width, width * width, width, width, 1)
    ends = list(accumulate(sizes))
    parts = [parameters[:, end - size : end] for size, end in zip(sizes, ends, strict=True)]
    hidden = points
    for weight, bias, inputs in zip(parts[::2], parts[1::2], (2, width, width), strict=True):
        if hidden is not points:
            hidden = hidden.relu()
        weight = weight.reshape(m, -1, inputs).transpose(1, 2)
        hidden = torch.baddbmm(bias[:, None], hidden, weight)
    return hidden[..., 0]


def mean_squared_errors(parameters: Tensor, points: Tensor, values: Tensor) -> Tensor:
    """Return the mean squared error of each network, [networks].

    Args:
        parameters: [networks, P].
        points: [networks, n, 2].
        values: [networks, n].
    """
    return (outputs(parameters, points) - values).square().mean(1)
