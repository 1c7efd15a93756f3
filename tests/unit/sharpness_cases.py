"""Small networks with non-trivial statistics, and oracles that share nothing with the library."""

import copy
import math
from collections.abc import Callable, Sequence

import torch
from study_cases import options
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.registry import SHARPNESS
from minimascope.seeding import generator
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.operator import LossHessian
from minimascope.sharpness.subject import Subject

# Settings with which a family computes all its measures in a moment.
FEW = {
    "forward": {},
    "perturbation": {
        "samples": 3,
        "adaptive": {"samples": 4, "steps": 2, "group_size": 5, "quotient": True},
    },
    "hessian": {
        "smallest_eigenvalues": 1,
        "trace_products": 9,
        "density_probes": 1,
        "density_steps": 5,
    },
    "landscape": {"points": 3, "line_points": 3, "direction_seeds": [42, 43]},
    "input": {"draws": 2},
    "norms": {"samples": 2, "steps": 3},
}


def few_for(*measures: str) -> dict[str, dict]:
    """The settings of `FEW` of the families that measures are of; others would be refused."""
    return {
        family: settings
        for family, settings in FEW.items()
        if family in measures or not set(SHARPNESS[family].gives).isdisjoint(measures)
    }


SIZES = {
    "resnet18": (8, 8),
    "vgg19": (32, 32),
    "vit": (8, 8),
    "vit_standard": (8, 8),
    "cnn10": (16, 24),
}


def randomise(model: nn.Module, inputs: torch.Tensor, seed: int = 0) -> nn.Module:
    """Give BatchNorm the statistics of some data, and every normalisation a random scale and shift.

    Both are then far from the zeros and ones of initialisation, and no signal dies on its way.
    """
    draws = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
            module.weight.data.copy_(0.7 + 0.6 * torch.rand(len(module.weight), generator=draws))
            module.bias.data.copy_(0.4 * torch.rand(len(module.bias), generator=draws))
    with torch.no_grad():
        for _ in range(60):
            model.train()(inputs)
    return model.eval()


def network(architecture: str, width: float = 1 / 64, seed: int = 0) -> NormalisedInput:
    """Return a randomised float64 network with four classes, in evaluation mode."""
    spec = NetworkSpec(
        architecture, 1, SIZES[architecture], 4, width=width, options=options(architecture)
    )
    model = NormalisedInput(initialise(spec, seed), [0.5], [0.25])
    return randomise(model, images(architecture, 64, seed).inputs, seed).double()


def images(architecture: str, n: int, seed: int = 0) -> Split:
    """Return uint8 images of the size that the network takes, with labels of four classes."""
    draws = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 1, *SIZES[architecture]), dtype=torch.uint8, generator=draws)
    return Split(pixels, torch.randint(0, 4, (n,), generator=draws))


def points(n: int, features: int, classes: int, seed: int = 0) -> Split:
    """Return normal float64 features with labels."""
    draws = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, features, dtype=torch.float64, generator=draws)
    return Split(inputs, torch.randint(0, classes, (n,), generator=draws))


class Attentive(nn.Module):
    """LayerNorm, attention in both of torch's forms, and BatchNorm: [n, 12] to three logits."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.query = nn.Linear(4, 4)
        self.batchnorm = nn.BatchNorm1d(12)
        self.head = nn.Linear(12, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        tokens = self.norm(inputs.unflatten(1, (3, 4)))
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        query = self.query(tokens)
        tokens = nn.functional.scaled_dot_product_attention(query, tokens, tokens)
        return self.head(torch.tanh(self.batchnorm(tokens.flatten(1))))


def attentive() -> tuple[nn.Module, Split]:
    """Return that network, randomised in float64, with its data."""
    torch.manual_seed(1)
    model, split = Attentive().double(), points(30, 12, 3)
    return randomise(model, split.inputs), split


def subject_of(model: nn.Module, split: Split) -> Subject:
    """Return a network with its cross-entropy on data."""
    return Subject(model, Objective(split))


def plain_loss(model: nn.Module, split: Split) -> float:
    """Return the mean of the samples' losses, added up exactly."""
    with torch.no_grad():
        logs = model(split.inputs).log_softmax(1)
    return -math.fsum(logs[range(len(split)), split.labels].tolist()) / len(split)


def gradient(model: nn.Module, split: Split) -> torch.Tensor:
    """Return the gradient of the mean loss as one vector, parameter after parameter."""
    loss = nn.functional.cross_entropy(model(split.inputs), split.labels)
    parts = torch.autograd.grad(loss, list(model.parameters()))
    return torch.cat([part.reshape(-1) for part in parts])


def flatness_by_autodiff(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, labels: torch.Tensor
) -> float:
    """Return Σ ⟨w_s, w_s'⟩ Tr(∂²L/∂w_s∂w_s') of the mean loss, entry by entry as it is defined."""

    def loss(values: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(features @ values.T + bias, labels)

    hessian = torch.autograd.functional.hessian(loss, weight)
    classes = range(len(weight))
    return sum(
        ((weight[s] @ weight[t]) * hessian[s, :, t, :].trace()).item()
        for s in classes
        for t in classes
    )


def dense_hessian(model: nn.Module, split: Split, names: Sequence[str]) -> torch.Tensor:
    """Return the Hessian with respect to the named parameters, by torch's own function."""
    logits, vector = as_function(model, split, names)

    def loss(vector: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits(vector), split.labels)

    with sdpa_kernel(SDPBackend.MATH):
        return torch.autograd.functional.hessian(loss, vector)


def dense_gauss_newton(model: nn.Module, split: Split, names: Sequence[str]) -> torch.Tensor:
    """Return 1/n Σ Jᵀ (diag(p) − p pᵀ) J from each sample's Jacobian, by torch's own function."""
    logits, vector = as_function(model, split, names)
    total = vector.new_zeros(len(vector), len(vector))
    jacobians = torch.autograd.functional.jacobian(logits, vector)
    for jacobian, p in zip(jacobians, logits(vector).softmax(1), strict=True):
        total += jacobian.T @ (p.diag() - torch.outer(p, p)) @ jacobian / len(split)
    return total


def as_function(
    model: nn.Module, split: Split, names: Sequence[str]
) -> tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]:
    """Return logits as a function of the named parameters as one vector, and that vector."""
    model = copy.deepcopy(model)
    values = [dict(model.named_parameters())[name].detach() for name in names]
    sizes = [value.numel() for value in values]

    def logits(vector: torch.Tensor) -> torch.Tensor:
        parts = zip(names, vector.split(sizes), values, strict=True)
        replaced = {name: part.view(value.shape) for name, part, value in parts}
        return functional_call(model, replaced, (split.inputs,))

    return logits, torch.cat([value.reshape(-1) for value in values])


def drawn_like(
    tensors: Sequence[torch.Tensor], scale: float, draws: torch.Generator
) -> list[torch.Tensor]:
    """Return normal numbers for each tensor, from one draw that is laid out as documented.

    The place of each tensor is rounded up to a multiple of 16 elements; what is drawn for the
    gaps is thrown away.
    """
    starts, length = [], 0
    for tensor in tensors:
        starts.append(length)
        length += 16 * math.ceil(tensor.numel() / 16)
    vector = torch.empty(length, dtype=tensors[0].dtype).normal_(0, scale, generator=draws)
    return [
        vector[start : start + tensor.numel()].reshape(tensor.shape)
        for start, tensor in zip(starts, tensors, strict=True)
    ]


def quadratic(matrix: torch.Tensor) -> LossHessian:
    """Return the Hessian of θᵀAθ/2, which is A."""
    theta = nn.Parameter(torch.ones(len(matrix), dtype=matrix.dtype))
    return LossHessian([theta], lambda total: total([None]), lambda _: theta @ matrix @ theta / 2)


def symmetric(eigenvalues: torch.Tensor) -> torch.Tensor:
    size = len(eigenvalues)
    draws = generator(0, "basis")
    basis, _ = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=draws))
    return basis @ torch.diag(eigenvalues.double()) @ basis.T


# Eigenvalues of operators.
SPECTRA = {
    "outliers and a bulk": torch.cat([torch.linspace(10, 50, 5), torch.linspace(-0.5, 0.5, 395)]),
    "flat": torch.linspace(-1, 5, 100),
    "power law": 1 / torch.arange(1, 201),
}
