"""A network as its layers: BatchNorms folded into them, their weights as matrices or squared."""

import copy
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ..batches import Batches
from ..errors import InputError
from ..network_copy import copied
from .objective import Objective
from .probes import ROUNDING, SAMPLES, first_samples

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYERS = (nn.Linear, *CONVOLUTIONS)
BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# Layers whose weights are no matrix [outputs, inputs · size].
WITHOUT_MATRIX = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Bilinear)


def folded(model: nn.Module, objective: Objective) -> nn.Module:
    """Return a copy in which each BatchNorm that directly follows a layer is a part of it.

    With fixed statistics, s (W x + b) + t = (s W) x + (s b + t): the same function. Which BatchNorm
    follows which layer is found by a pass of one sample. A layer or a BatchNorm that is called
    more than once stays as it is, and so does a BatchNorm behind anything else. Weights that are
    computed from others, as in weight normalisation, become parameters themselves.

    Args:
        model: in evaluation mode.
        objective: whose first samples are passed.

    Raises:
        InputError: the copy is another function, since a layer's outputs are used elsewhere, too.
    """
    first, few = model, first_samples(objective, SAMPLES)
    model = copied(model)
    _make_weights_plain(model)
    for layer, norm in _pairs(model, few):
        names = {module: name for name, module in model.named_modules()}
        _replace(model, names[layer], _as_one(layer, norm))
        _replace(model, names[norm], nn.Identity())
    before, after = (_outputs(each, few) for each in (first, model))
    if (before - after).abs().max() > ROUNDING * before.abs().max():
        raise InputError(
            f"norms: {type(first).__name__} uses what a layer returns beside the BatchNorm behind"
            " it, so that the two are no single layer; leave norms out"
        )
    return model


def _make_weights_plain(model: nn.Module) -> None:
    """Give a network as parameters what its layers compute from others, by both ways of torch."""
    removal = {WeightNorm: remove_weight_norm, SpectralNorm: remove_spectral_norm}
    for module in [*model.modules()]:
        if parametrize.is_parametrized(module):
            plain = {
                name: nn.Parameter(
                    getattr(module, name).detach(), any(p.requires_grad for p in of.parameters())
                )
                for name, of in module.parametrizations.items()
            }
            del module.parametrizations
            # torch's own removal takes the weights from the class, which is the original's, too.
            module.__class__ = type(module).__bases__[0]
            for name, weight in plain.items():
                module.register_parameter(name, weight)
        for hook in [*module._forward_pre_hooks.values()]:
            if type(hook) in removal:
                removal[type(hook)](module, hook.name)


@torch.no_grad()
def _outputs(model: nn.Module, objective: Objective) -> torch.Tensor:
    def whole(batches: Batches) -> torch.Tensor:
        return torch.cat([objective.outputs(model, inputs) for inputs, _ in batches])

    return objective.samples.over_batches(whole, SAMPLES)


def matrices(model: nn.Module) -> list[torch.Tensor]:
    """Return the weight matrices of all layers, in float64: kernels as [outputs, inputs · size].

    Those of attention and recurrent layers are among them, those of embeddings and
    normalisations are not. A matrix that several layers share comes once.

    Raises:
        InputError: a transposed convolution or a bilinear layer.
    """
    for name, module in model.named_modules():
        if isinstance(module, WITHOUT_MATRIX):
            raise InputError(
                f"norms: {name or 'the network'} is a {type(module).__name__}, whose weights are no"
                " matrix of outputs by inputs; leave norms out"
            )
    kinds = (*LAYERS, nn.MultiheadAttention, nn.RNNBase)
    found: dict[int, torch.Tensor] = {}
    for module in model.modules():
        if isinstance(module, kinds):
            own = [module.weight] if isinstance(module, LAYERS) else module.parameters(False)
            found |= {id(weight): weight for weight in own if weight.ndim > 1}
    return [weight.detach().double().flatten(1) for weight in found.values()]


def _pairs(model: nn.Module, objective: Objective) -> list[tuple[nn.Module, nn.Module]]:
    """Return layers with the BatchNorm that takes what they return, as it is."""
    calls: list[nn.Module] = []
    returned: list[tuple[nn.Module, torch.Tensor, int]] = []
    pairs: list[tuple[nn.Module, nn.Module]] = []

    def note(layer: nn.Module, _arguments: Any, output: torch.Tensor) -> None:
        calls.append(layer)
        # An in-place operation gives the result another version.
        returned.append((layer, output, output._version))

    def match(norm: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        calls.append(norm)
        for layer, output, version in returned[-1:]:
            same = arguments[0] is output and output._version == version
            if same and _is_one_with(layer, norm, output):
                pairs.append((layer, norm))

    with torch.no_grad(), ExitStack() as hooks:
        for module in model.modules():
            # Subclasses may do something else with their weights.
            if type(module) in LAYERS:
                hooks.callback(module.register_forward_hook(note).remove)
            elif type(module) in BATCHNORMS:
                hooks.callback(module.register_forward_pre_hook(match).remove)
        objective.outputs(model, objective.samples.first()[0])
    # Called once.
    return [pair for pair in pairs if all(calls.count(module) == 1 for module in pair)]


def _is_one_with(layer: nn.Module, norm: nn.Module, output: torch.Tensor) -> bool:
    """Return whether the norm's channels are the layer's outputs, and its statistics are fixed."""
    # Of tokens [b, T, d] BatchNorm takes the second axis for channels.
    channels = output.ndim == 2 if isinstance(layer, nn.Linear) else True
    return channels and norm.running_mean is not None and norm.num_features == len(layer.weight)


@torch.no_grad()
def _as_one(layer: nn.Module, norm: nn.Module) -> nn.Module:
    """Return the layer that is a layer and a BatchNorm behind it; it moves if either of them does.

    torch's own fusion freezes the shift of a layer that had no bias, and needs a norm's factors.
    """
    found, (scale, shift) = copy.deepcopy(layer), _scale_and_shift(norm)
    shift = shift if layer.bias is None else shift + scale * layer.bias
    weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    moves = any(p.requires_grad for each in (layer, norm) for p in each.parameters())
    found.weight, found.bias = (nn.Parameter(each, moves) for each in (weight, shift))
    return found


def _scale_and_shift(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return s and t of a BatchNorm with fixed statistics, s x + t, one for each channel."""
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    shift = -scale * norm.running_mean
    return scale, shift if norm.bias is None else shift + norm.bias


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


def squared(model: nn.Module) -> nn.Module:
    """Return a copy with the square of every parameter; a BatchNorm counts as scale and shift.

    Args:
        model: in evaluation mode; `folded`.
    """
    model = copied(model)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, BATCHNORMS):
                _as_scale_and_shift(module)
        for parameter in model.parameters():
            parameter.square_()
    return model


def _as_scale_and_shift(norm: nn.Module) -> None:
    """Give a BatchNorm statistics 0 and 1 and parameters with which it computes the same."""
    scale, shift = _scale_and_shift(norm)
    norm.weight, norm.bias = nn.Parameter(scale), nn.Parameter(shift)
    norm.affine, norm.eps = True, 0.0
    norm.running_mean.zero_()
    norm.running_var.fill_(1)
