"""A network as its layers: BatchNorms folded into them, and their weights as matrices."""

import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ..batches import Batches
from ..errors import InputError
from ..network_copy import copied
from .layer_calls import LayerCalls, has_fixed_statistics, layer_calls
from .objective import Objective
from .probes import ROUNDING, SAMPLES, first_samples

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def folded(model: nn.Module, objective: Objective) -> nn.Module:
    """Return a copy in which each BatchNorm that directly follows a layer is a part of it.

    With fixed statistics, s (W x + b) + t = (s W) x + (s b + t): the same function. That holds for
    all modules with such statistics; what they do besides, as an activation, stays. Which one
    follows which layer is found by a pass of one sample. A BatchNorm behind anything else stays
    as it is. Weights that are computed from others, as in weight normalisation and pruning, become
    parameters themselves.

    Args:
        model: in evaluation mode.
        objective: whose first samples are passed.

    Raises:
        InputError: a BatchNorm directly follows a layer, and the two are no single layer.
    """
    first, few = model, first_samples(objective, SAMPLES)
    model = copied(model)
    _make_weights_plain(model)
    norms = []
    for layer, norm in _pairs(model, layer_calls(model, objective)):
        _make_one(layer, norm)
        norms.append(norm)
    before, after = (_outputs(each, few) for each in (first, model))
    if (before - after).abs().max() > ROUNDING * before.abs().max():
        raise InputError(
            f"norms: {type(first).__name__} uses what a layer returns beside the BatchNorm behind"
            f" it, or one of {_types(norms)} computes something else, so that the two are no"
            " single layer; leave norms out"
        )
    _refuse_others(model, layer_calls(model, objective))
    # Nothing is left of these.
    _remove(model, [norm for norm in norms if type(norm) in BATCHNORMS])
    return model


def _types(modules: list[nn.Module]) -> str:
    return ", ".join(dict.fromkeys(type(module).__name__ for module in modules))


def _make_weights_plain(model: nn.Module) -> None:
    """Give a network as parameters what its layers compute from others, by all ways of torch."""
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
                setattr(module, name, weight)
        for hook in [*module._forward_pre_hooks.values()]:
            if type(hook) in removal:
                removal[type(hook)](module, hook.name)
            elif isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)


@torch.no_grad()
def _outputs(model: nn.Module, objective: Objective) -> torch.Tensor:
    def whole(batches: Batches) -> torch.Tensor:
        return torch.cat([objective.outputs(model, inputs) for inputs, _ in batches])

    return objective.samples.over_batches(whole, SAMPLES)


def matrices(model: nn.Module, objective: Objective) -> dict[str, torch.Tensor]:
    """Return by name the weight matrices of a network's layers, in float64.

    They are the parameters that a pass multiplies with: the weights of linear, convolutional,
    recurrent and attention layers, and matrices in products outside a layer. Kernels are
    [outputs, inputs · size]; of a grouped convolution inputs are those of a group. A matrix that
    several layers share comes once, one that nothing is multiplied with not at all.

    Args:
        model: in evaluation mode; `folded`.
        objective: whose first sample is passed.

    Raises:
        InputError: a transposed convolution, a bilinear layer or other weights that are no matrix,
            and weights that a layer computes from other numbers.
    """
    names = layer_calls(model, objective).matrices
    return {
        name: as_matrix(parameter) for name, parameter in model.named_parameters() if name in names
    }


def as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """Return a kernel as [outputs, inputs · size], in float64; a vector as that of one output."""
    return weight.detach().double().reshape(len(weight) if weight.ndim > 1 else 1, -1)


def _pairs(model: nn.Module, calls: LayerCalls) -> list[tuple[nn.Module, nn.Module]]:
    """Return layers with the normalisation that takes all that they return, and nothing else."""
    found = []
    for (weight, name), count in calls.pairs.items():
        parent, _, own = weight.rpartition(".")
        layer, norm = model.get_submodule(parent), model.get_submodule(name)
        always = calls.calls[weight] == calls.calls[name] == count
        known = isinstance(layer, LAYERS) and own == "weight" and is_batchnorm(norm)
        found += [(layer, norm)] if always and known else []
    return found


def _refuse_others(model: nn.Module, calls: LayerCalls) -> None:
    """Refuse normalisations behind a layer that were not folded into it."""
    left = [name for _, name in calls.pairs if not _is_neutral(model.get_submodule(name))]
    for name in [*left, *calls.functional]:
        kind = type(model if name == "the network" else model.get_submodule(name)).__name__
        raise InputError(
            f"norms: {name} ({kind}) normalises with fixed statistics what a layer returns, and"
            " cannot be folded into it; give each layer an nn.BatchNorm of its own, or leave norms"
            " out"
        )


@torch.no_grad()
def _make_one(layer: nn.Module, norm: nn.Module) -> None:
    """Make a layer a layer and a BatchNorm behind it, which moves if either of them does.

    torch's own fusion freezes the shift of a layer that had no bias, and needs a norm's factors.
    """
    scale, shift = scale_and_shift(norm)
    shift = shift if layer.bias is None else shift + scale * layer.bias
    weight = layer.weight * scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    moves = any(
        p.requires_grad for each in (layer, norm) for p in (each.weight, each.bias) if p is not None
    )
    layer.weight, layer.bias = (nn.Parameter(each, moves) for each in (weight, shift))
    set_scale_and_shift(norm, torch.ones_like(scale), torch.zeros_like(scale))


def is_batchnorm(module: nn.Module) -> bool:
    """Return whether a module has all that makes the scales and shifts of a BatchNorm."""
    if not has_fixed_statistics(module) or module.running_mean.ndim != 1:
        return False
    return all(hasattr(module, name) for name in ("weight", "bias", "eps"))


def scale_and_shift(norm: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return s and t of a BatchNorm with fixed statistics, s x + t, one for each channel."""
    scale = (norm.running_var + norm.eps).rsqrt()
    scale = scale if norm.weight is None else scale * norm.weight
    shift = -scale * norm.running_mean
    return scale, shift if norm.bias is None else shift + norm.bias


def set_scale_and_shift(norm: nn.Module, scale: torch.Tensor, shift: torch.Tensor) -> None:
    """Give a BatchNorm statistics 0 and 1, and what it multiplies with and adds, as buffers."""
    for name, value in (("weight", scale), ("bias", shift)):
        delattr(norm, name)
        norm.register_buffer(name, value)
    norm.eps = 0.0
    norm.running_mean.zero_()
    norm.running_var.fill_(1)


def _is_neutral(norm: nn.Module) -> bool:
    if not is_batchnorm(norm):
        return False
    scale, shift = scale_and_shift(norm)
    return bool((scale == 1).all() and (shift == 0).all())


def _remove(model: nn.Module, norms: list[nn.Module]) -> None:
    for parent in [*model.modules()]:
        for name, child in [*parent._modules.items()]:
            if any(child is norm for norm in norms):
                setattr(parent, name, nn.Identity())
