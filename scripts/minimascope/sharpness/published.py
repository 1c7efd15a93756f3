"""Measures as the papers' code computed them, artefacts included, to compare with their numbers.

The artefacts are described with the published studies (Mason-Williams et al. 2025 and 2026,
arXiv:2510.12451). Nothing here should be used for new results.
"""

import math

import torch
from torch import nn

from ..jobs.progress import progress
from ..network_copy import copied
from .flat import FlatTensors
from .objective import Objective
from .subject import Subject, augmented

BATCH_SIZE = 256
# Fisher–Rao norms were printed with L + 1 = 6 for every network in 2025.
PUBLISHED_LAYERS = 5


def layer_before(model: nn.Module, head: nn.Linear | None) -> nn.Module | None:
    """Return the last layer before the head whose output rows are the head's features.

    That is: whose weight has as many rows as the head has inputs (a normalisation layer, or a
    linear or convolutional one). None where there is none, or no head.
    """
    if head is None:
        return None
    found = None
    for module in model.modules():
        if module is head:
            break
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and len(weight) == head.in_features:
            found = module
    return found


@torch.no_grad()
def rescaled_copy(
    model: nn.Module, head: nn.Linear, deviations: torch.Tensor
) -> tuple[nn.Module, nn.Linear]:
    """Return the network that the published relative flatness was measured on, and its head.

    The affine parameters of the layer before the head are divided by the standard deviations
    [d] of the features, and the head's weights multiplied by them. Where that layer's output is
    scaled on its way to the head by nothing but rectifiers (VGG, ViT), the function stays the
    same; in ResNet-18 the shortcut is added to it in between, and the function changes. Features
    that do not vary are switched off.
    """
    (name,) = (name for name, module in model.named_modules() if module is head)
    model = copied(model)
    head = model.get_submodule(name)
    layer = layer_before(model, head)
    factors = torch.where(deviations > 0, 1 / deviations, 0).to(head.weight.dtype)
    layer.weight.mul_(factors.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    if layer.bias is not None:
        layer.bias.mul_(factors)
    head.weight.mul_(deviations.to(head.weight.dtype))
    return model, head


@torch.no_grad()
def published_sam_sharpness(
    subject: Subject, radius: float, samples: int, *, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the published procedure gives with and without perturbations, [samples] each.

    |L_k(θ + δ_k) − L_0(θ)| / ρ, and the same with δ_k = 0, its noise floor. L_k is a mean over
    the means of mini-batches, of data that are shuffled and augmented again for every k, and δ_k
    moves BatchNorm's running statistics too.

    Args:
        subject: with the augmentation that the network was trained with.
        radius: ρ.
        samples: K.
        generator: of all draws, on the model's device.
    """
    model = copied(subject.model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    means, variances = _running_statistics(model)
    state = FlatTensors([*parameters, *means, *variances])
    scale = radius / math.sqrt(sum(p.numel() for p in parameters))
    origin = state.vector.clone()
    noise = torch.empty_like(origin)
    objective = subject.originals or subject.objective

    def shuffled_mean(losses: torch.Tensor) -> torch.Tensor:
        rows = torch.randperm(len(losses), generator=generator, device=losses.device)
        mean = torch.stack([part.mean() for part in losses[rows].split(BATCH_SIZE)]).mean()
        return mean * (len(losses) / objective.count)

    def shown() -> Objective:
        if subject.augmentation:
            return augmented(objective, subject.augmentation, generator)
        return objective

    view = shown()
    plain = view.sample_losses(model)
    centre = shuffled_mean(plain)
    values = centre.new_empty(2, samples)
    for k in progress(range(samples), "published procedure", "sample"):
        if subject.augmentation:
            view = shown()
            plain = view.sample_losses(model)
        noise.normal_(0, scale, generator=generator)
        torch.add(origin, noise, out=state.vector)
        for variance in variances:
            # A channel that is always off would get a negative variance, and the loss be NaN.
            variance.clamp_(min=0)
        perturbed = view.sample_losses(model)
        state.vector.copy_(origin)
        values[0, k], values[1, k] = shuffled_mean(perturbed), shuffled_mean(plain)
    perturbed, null = (values - centre).abs() / radius
    return perturbed, null


def _running_statistics(model: nn.Module) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    modules = [m for m in model.modules() if getattr(m, "running_var", None) is not None]
    return [m.running_mean for m in modules], [m.running_var for m in modules]
