"""Attention up to its symmetry: two factors of which only the product counts, and their balance.

Of a head's queries x G and keys x H only G Hᵀ matters, of its values x G and the output H likewise,
so that (G A, H A⁻ᵀ) is the same function for every invertible A. What is measured where the factors
of each product are balanced depends on the product alone, and so stays the same along the symmetry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError
from ..network_copy import copied
from ..networks.vit import HEADS, LocalitySelfAttention
from ..networks.vit_standard import SelfAttention
from .objective import Objective
from .probes import ROUNDING, SAMPLES, first_samples

# By type, since subclasses may do something else with their weights.
KNOWN = (LocalitySelfAttention, SelfAttention, nn.MultiheadAttention)
NO_ATTENTION = (
    "the network has no attention that is known: this project's own, or nn.MultiheadAttention"
)


@dataclass(frozen=True)
class Factors:
    """The factors G [a, h] and H [b, h] of a product G Hᵀ on which alone a network depends.

    Attributes:
        left: the rows of G, as views of parameters.
        right: the rows of H likewise.
    """

    left: Sequence[torch.Tensor]
    right: Sequence[torch.Tensor]


def why_not(model: nn.Module) -> str | None:
    """Return why the factors of a network's attention cannot be told, or None where they can."""
    layers = _layers(model)
    if not layers:
        return NO_ATTENTION
    shared = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]
    for name, layer in layers.items():
        if isinstance(layer, nn.MultiheadAttention) and (
            layer.bias_k is not None or layer.add_zero_attn
        ):
            return f"{name}: keys that are added to those of the inputs are not known"
        if any(shared.count(id(p)) != 1 for p in _tensors(layer)):
            return f"{name}: its weights are shared, or are computed from others"
    return None


@torch.no_grad()
def balanced(model: nn.Module, objective: Objective) -> tuple[nn.Module, list[torch.Tensor]]:
    """Return a copy whose factors are balanced, and the size of each parameter there.

    With the singular value decomposition G Hᵀ = U S Vᵀ the factors become U S^½ and V S^½, the
    largest entry of each column of U being positive: the same function, and the same factors for
    all that have this product, but where two singular values are equal. The size of an entry of a
    factor is the root mean square of its column, that of another parameter is its own value.

    Moves δ of G in proportion to these sizes have the length a · tr((GᵀG)⁻¹ δᵀδ), which does not
    change from (G, δ) to (G A, δ A): the invariant metric of da Silva, Dangel & Oore 2025
    (arXiv:2505.05409).

    Args:
        model: in evaluation mode, for which there is no `why_not`.
        objective: whose first samples are passed.

    Returns:
        The copy, and the sizes of its parameters that require a gradient, in their order.

    Raises:
        InputError: the copy is another function, since the weights are used elsewhere, too.
    """
    found, sizes = copied(model), copied(model)
    for factors, size in zip(_factors(found), _factors(sizes), strict=True):
        _balance(factors)
        for parts, of_parts in ((factors.left, size.left), (factors.right, size.right)):
            columns = torch.cat([*parts]).square().mean(0).sqrt()
            for part in of_parts:
                part.copy_(columns.expand_as(part))
    few = first_samples(objective, SAMPLES)
    before, after = (few.outputs(each, few.samples.inputs) for each in (model, found))
    if (before - after).abs().max() > ROUNDING * before.abs().max():
        raise InputError(
            f"quotient: {type(model).__name__} uses the weights of its attention elsewhere, too;"
            " set it to false"
        )
    return found, [p.detach() for p in sizes.parameters() if p.requires_grad]


def _balance(factors: Factors) -> None:
    """Replace G and H by U S^½ and V S^½, U S Vᵀ = G Hᵀ; columns beyond its rank become 0."""
    (q_left, r_left), (q_right, r_right) = (
        torch.linalg.qr(torch.cat([*parts]).double().cpu())
        for parts in (factors.left, factors.right)
    )
    u, s, vh = torch.linalg.svd(r_left @ r_right.T, full_matrices=False)
    left, right = q_left @ u, q_right @ vh.T
    # Both columns may change their sign together.
    largest = left.gather(0, left.abs().argmax(0, keepdim=True))
    root = torch.where(largest < 0, -1, 1) * s.sqrt()
    for parts, columns in ((factors.left, left * root), (factors.right, right * root)):
        whole = columns.new_zeros(len(columns), parts[0].shape[1])
        whole[:, : columns.shape[1]] = columns
        for part, rows in zip(parts, whole.split([len(each) for each in parts]), strict=True):
            part.copy_(rows)


def _factors(model: nn.Module) -> Iterator[Factors]:
    """Yield the factors of each head, those of queries and keys and those of values and output.

    A bias is a row of its own, as the weight of a feature that is always 1. The bias of keys is
    left out: it adds the same to all similarities of a token, which the softmax takes off again.
    """
    for layer in _layers(model).values():
        weights, biases, output = _parts(layer)
        columns = zip(*(weight.detach().chunk(_heads(layer)) for weight in weights), strict=True)
        own = (() if b is None else b.detach()[None].chunk(_heads(layer), 1) for b in biases)
        query_biases, _, value_biases = (tuple(each) for each in own)
        outputs = output.detach().chunk(_heads(layer), 1)
        for head, (query, key, value) in enumerate(columns):
            yield Factors((query.T, *query_biases[head : head + 1]), (key.T,))
            yield Factors((value.T, *value_biases[head : head + 1]), (outputs[head],))


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in model.named_modules() if type(module) in KNOWN}


def _heads(layer: nn.Module) -> int:
    if isinstance(layer, nn.MultiheadAttention):
        return layer.num_heads
    return layer.heads if isinstance(layer, SelfAttention) else HEADS


def _tensors(layer: nn.Module) -> Iterator[torch.Tensor]:
    """Yield what a layer computes with, which is no parameter where it is computed itself."""
    if isinstance(layer, nn.MultiheadAttention):
        names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        found = [*(getattr(layer, name) for name in names), layer.in_proj_bias]
        found.append(layer.out_proj.weight)
    else:
        found = [layer.query_key_value.weight, layer.query_key_value.bias, layer.projection.weight]
    return (tensor for tensor in found if tensor is not None)


def _parts(
    layer: nn.Module,
) -> tuple[Sequence[torch.Tensor], Sequence[torch.Tensor | None], torch.Tensor]:
    """Return weights [inner, inputs] and biases of queries, keys and values, and the output's."""
    if not isinstance(layer, nn.MultiheadAttention):
        together, output = layer.query_key_value, layer.projection.weight
        weight, bias = together.weight, together.bias
    else:
        weight, bias, output = layer.in_proj_weight, layer.in_proj_bias, layer.out_proj.weight
    biases = (None, None, None) if bias is None else bias.chunk(3)
    if weight is None:
        return (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight), biases, output
    return weight.chunk(3), biases, output
