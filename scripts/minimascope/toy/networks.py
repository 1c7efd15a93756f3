"""Many small networks computed as one: their parameters are the rows of one matrix.

Each is the perceptron 2–w–w–1 with ReLU. A row holds its parameters in the order of
`torch.nn.utils.parameters_to_vector`, so that the networks can be any that torch has drawn.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from ..streams import derive_seed

# Networks × points that are computed at once. The activations of a layer of 64 then take a megabyte
# on a CPU and stay in its caches (docs/benchmarks.md); on a GPU they take a gigabyte.
AT_ONCE = {"cpu": 2**12, "cuda": 2**22}

# Weights [networks, outputs, inputs] and biases [networks, 1, outputs].
Layer = tuple[Tensor, Tensor]


def networks_at_once(points: int, device: torch.device) -> int:
    """Return how many networks are best computed at once on a number of points, at least one."""
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


def layers(parameters: Tensor) -> list[Layer]:
    """Return the three layers of networks [networks, P] as views of their parameters."""
    width = width_of(parameters)
    shapes = ((width, 2), (width, width), (1, width))
    sizes = [size for rows, columns in shapes for size in (rows * columns, rows)]
    parts = parameters.split(sizes, 1)
    return [
        (weight.view(-1, *shape), bias[:, None])
        for weight, bias, shape in zip(parts[::2], parts[1::2], shapes, strict=True)
    ]


def activation_memory(parameters: Tensor, points: int) -> Tensor:
    """Return memory for the activations of as many points as are computed at once.

    Reuse it: freed memory goes back to the system, which clears it before it is used again.

    Args:
        parameters: [networks, P], whose device and floating type the memory has.
        points: number of points of each network.

    Returns:
        uninitialised [3, networks, points at once, width].
    """
    at_once = max(1, AT_ONCE[parameters.device.type] // len(parameters))
    return parameters.new_empty(3, len(parameters), min(points, at_once), width_of(parameters))


@torch.no_grad()
def outputs(parameters: Tensor, points: Tensor, memory: Tensor) -> Tensor:
    """Return the outputs [networks, n] of networks at points.

    Args:
        parameters: [networks, P].
        points: [networks, n, 2], of the same floating type.
        memory: from `activation_memory`, for as many networks or more; written over.
    """
    all_layers = layers(parameters)
    found = parameters.new_empty(*points.shape[:2], 1)
    for hidden_1, hidden_2, _, part, out in _in_parts(memory, points, found):
        _forward(all_layers, part, hidden_1, hidden_2, out)
    return found[..., 0]


class Backpropagation:
    """Losses of networks under training and their gradients, step after step.

    By hand: automatic differentiation keeps the activations of all points, which do not fit into
    the caches of a CPU, and takes twice as long there (docs/benchmarks.md). What all steps share is
    made once, which saves a tenth of the time of a step on 500 points.

    Args:
        parameters: [networks, P], to be changed in place only.
        points: [networks, n, 2], of the same floating type.
        values: [networks, n], likewise.

    Attributes:
        gradients: [networks, P], of the mean squared errors, as of the last step.
    """

    def __init__(self, parameters: Tensor, points: Tensor, values: Tensor):
        self.gradients = torch.zeros_like(parameters)
        self._layers, self._of_layers = layers(parameters.detach()), layers(self.gradients)
        self._errors = torch.empty_like(values)[..., None]
        memory = activation_memory(parameters, points.shape[1])
        self._parts = list(_in_parts(memory, points, values[..., None], self._errors))

    @torch.no_grad()
    def step(self) -> Tensor:
        """Compute the gradients; return the mean squared error of each network, [networks]."""
        _, (weight_2, _), (weight_3, _) = self._layers
        (d_weight_1, d_bias_1), (d_weight_2, d_bias_2), (d_weight_3, d_bias_3) = self._of_layers
        self.gradients.zero_()
        for hidden_1, hidden_2, delta, points, values, errors in self._parts:
            _forward(self._layers, points, hidden_1, hidden_2, errors)
            errors.sub_(values)
            d_weight_3.baddbmm_(errors.mT, hidden_2)
            # The derivative of ReLU is the sign of its output.
            torch.mul(errors, weight_3, out=delta).mul_(hidden_2.sign_())
            d_weight_2.baddbmm_(delta.mT, hidden_1)
            d_bias_2.add_(delta.sum(1, keepdim=True))
            delta = torch.bmm(delta, weight_2, out=hidden_2).mul_(hidden_1.sign_())
            # The same as delta.mT @ points, which takes seven times as long on a CPU.
            d_weight_1.add_(torch.bmm(points.mT, delta).mT)
            d_bias_1.add_(delta.sum(1, keepdim=True))
        d_bias_3.copy_(self._errors.sum(1, keepdim=True))
        self.gradients.mul_(2 / self._errors.shape[1])
        return self._errors[..., 0].square().mean(1)


def _forward(
    all_layers: list[Layer], points: Tensor, hidden_1: Tensor, hidden_2: Tensor, out: Tensor
) -> None:
    """Write the activations of the hidden layers and the outputs of networks at points."""
    (weight_1, bias_1), (weight_2, bias_2), (weight_3, bias_3) = all_layers
    torch.baddbmm(bias_1, points, weight_1.mT, out=hidden_1).relu_()
    torch.baddbmm(bias_2, hidden_1, weight_2.mT, out=hidden_2).relu_()
    torch.baddbmm(bias_3, hidden_2, weight_3.mT, out=out)


def _in_parts(memory: Tensor, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield three memories [networks, part of n, width], and parts of tensors [networks, n, …]."""
    for parts in zip(*(tensor.split(memory.shape[2], 1) for tensor in tensors), strict=True):
        networks, points = parts[0].shape[:2]
        yield *memory[:, :networks, :points], *parts
