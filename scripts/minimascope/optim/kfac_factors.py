"""The Kronecker factors of the Fisher matrix of linear and convolutional layers.

The block of a layer with inputs a and output gradients g is approximated by A ⊗ G, A = E[Σ a aᵀ]
and G = E[mean g gᵀ]: sum and mean over the places where the layer is applied to one sample, one
for a linear layer (Martens & Grosse 2015, arXiv:1503.05671), the pixels of its output for a
convolution, a being a patch (Grosse & Martens 2016, arXiv:1602.01407), and the tokens of a linear
layer likewise. A bias is the weight of a further input that is always 1.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = nn.Linear | nn.Conv2d

# Numbers in the patches of a convolution that are laid out at a time.
LARGEST_PATCHES = 2**22


class Factors(NamedTuple):
    """A layer's two factors, or their inverses.

    Attributes:
        inputs: A, [d, d]; d counts a layer's inputs (of a convolution: the numbers in a patch)
            and one more if it has a bias.
        outputs: G, [o, o].
    """

    inputs: Tensor
    outputs: Tensor


def factored_layers(model: nn.Module) -> list[Layer]:
    """Return the layers that have factors: linear ones and ungrouped, zero-padded convolutions.

    Of layers that share a weight only one is named, of those with frozen parameters none.
    """
    by_weight = {
        module.weight: module
        for module in model.modules()
        if (isinstance(module, nn.Linear) or _is_plain_convolution(module))
        and all(p.requires_grad for p in module.parameters(recurse=False))
    }
    return list(by_weight.values())


def _is_plain_convolution(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def estimate(
    model: nn.Module, layers: Iterable[Layer], inputs: Tensor, generator: torch.Generator
) -> dict[Layer, Factors]:
    """Estimate the factors of the true Fisher matrix on a batch.

    One forward and one backward pass with a label per sample drawn from the predicted
    distribution. The gradients g are those of the sum of the samples' losses: each sample's own
    but for what BatchNorm mixes in of the others.

    Args:
        model: computes logits [n, classes]; its mode and the gradients of its parameters stay.
        layers: of the model.
        inputs: a batch, [n, …].
        generator: draws the labels, on the inputs' device.

    Returns:
        The factors of the layers that the forward pass calls.
    """
    with torch.enable_grad():
        with _observed(layers) as calls:
            logits = model(inputs)
        outputs = [output for layer_calls in calls.values() for _, output in layer_calls]
        loss = F.cross_entropy(logits, sample_labels(logits, generator), reduction="sum")
        gradients = iter(torch.autograd.grad(loss, outputs, materialize_grads=True))
    return {
        layer: Factors(
            sum(squares for squares, _ in layer_calls) / len(inputs),
            output_factor(layer, [next(gradients) for _ in layer_calls]),
        )
        for layer, layer_calls in calls.items()
    }


def sample_labels(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a label [n] from each row's softmax.

    The smallest of exponential variables with rates p is at k with probability p_k; unlike
    `torch.multinomial` this does not wait for a GPU.
    """
    log_p = logits.detach().log_softmax(1)
    waiting = torch.empty_like(log_p).exponential_(generator=generator)
    return (log_p - waiting.log()).argmax(1)


@contextmanager
def _observed(layers: Iterable[Layer]) -> Iterator[dict[Layer, list[tuple[Tensor, Tensor]]]]:
    """Record (Σ a aᵀ, output) of each call of the layers inside the block."""
    calls: dict[Layer, list[tuple[Tensor, Tensor]]] = {}

    def record(layer: Layer, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        calls.setdefault(layer, []).append((input_squares(layer, arguments[0]), output))
        # A copy is passed on, so that an in-place activation does not change the output.
        return output.clone()

    hooks = [layer.register_forward_hook(record) for layer in layers]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def input_squares(layer: Layer, inputs: Tensor) -> Tensor:
    """Return Σ a aᵀ [d, d] over samples and places; inputs as the layer takes them."""
    if isinstance(layer, nn.Linear):
        return _squares(_with_constant(layer, inputs.flatten(0, -2).T))
    numbers_of_a_sample = inputs[0].numel() * layer.kernel_size[0] * layer.kernel_size[1]
    samples = max(1, LARGEST_PATCHES // numbers_of_a_sample)
    total = inputs.new_zeros(())
    for part in inputs.split(samples):
        patches = F.unfold(part, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        total = total + _squares(_with_constant(layer, patches.transpose(0, 1).flatten(1)))
    return total


def _with_constant(layer: Layer, columns: Tensor) -> Tensor:
    return columns if layer.bias is None else F.pad(columns, (0, 0, 0, 1), value=1.0)


def _squares(columns: Tensor) -> Tensor:
    return columns @ columns.T


def output_factor(layer: Layer, gradients: Iterable[Tensor]) -> Tensor:
    """Return the mean of g gᵀ [o, o] over samples, places and calls.

    Args:
        layer: whose outputs the gradients belong to.
        gradients: one for each call, shaped like its output.
    """
    axis = -1 if isinstance(layer, nn.Linear) else 1
    columns = torch.cat([gradient.movedim(axis, 0).flatten(1) for gradient in gradients], 1)
    return _squares(columns) / columns.shape[1]


def damped(factors: Factors, damping: float) -> Factors:
    """Return A + π √λ I and G + √λ/π I, whose product approximates A ⊗ G + λ I.

    π² is the ratio of the factors' mean eigenvalues (Martens & Grosse 2015, section 6.3), and 1
    where one of them is zero.
    """
    means = [factor.diagonal().mean() for factor in factors]
    ratio = (means[0] / means[1]).sqrt()
    ratio = torch.where(ratio.isfinite() & (ratio > 0), ratio, 1.0)
    root = damping**0.5
    return Factors(
        _with_diagonal(factors.inputs, root * ratio), _with_diagonal(factors.outputs, root / ratio)
    )


def _with_diagonal(matrix: Tensor, value: Tensor) -> Tensor:
    result = matrix.clone()
    result.diagonal().add_(value)
    return result


def joint_gradient(layer: Layer) -> Tensor:
    """Return the gradient of weight and bias as one matrix [o, d]."""
    gradient = layer.weight.grad.flatten(1)
    return gradient if layer.bias is None else torch.cat([gradient, layer.bias.grad[:, None]], 1)


def set_joint_gradient(layer: Layer, gradient: Tensor) -> None:
    """Write a matrix [o, d] to the gradients of weight and bias."""
    if layer.bias is not None:
        layer.bias.grad.copy_(gradient[:, -1])
        gradient = gradient[:, :-1]
    layer.weight.grad.copy_(gradient.reshape(layer.weight.shape))
