"""The parameters of a network as one vector, so that moving all of them is one operation."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn

from ..errors import InputError

# Which parameters: ``all``, ``weights``, or patterns of names.
Selection = str | Sequence[str]
# Elements to which each tensor's place is rounded up: kernels are fastest on aligned addresses.
ALIGNMENT = 16


class FlatTensors:
    """Tensors laid out in one vector; they become views of it.

    Attributes:
        vector: all elements; gaps between tensors are zero and belong to nothing. Change it in
            place, and the tensors change.
        size: number of elements without gaps.
    """

    def __init__(self, tensors: Sequence[torch.Tensor]):
        self.shapes = [tensor.shape for tensor in tensors]
        self.size = sum(tensor.numel() for tensor in tensors)
        self.lengths = [-(-tensor.numel() // ALIGNMENT) * ALIGNMENT for tensor in tensors]
        self.vector = self.pack(tensors)
        for tensor, view in zip(tensors, self.unpack(self.vector), strict=True):
            tensor.data = view

    def pack(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return tensors of the same shapes as a vector of the same layout."""
        vector = tensors[0].new_zeros(sum(self.lengths))
        for view, tensor in zip(self.unpack(vector), tensors, strict=True):
            view.copy_(tensor.detach())
        return vector

    def unpack(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Return views of a vector's parts in the tensors' shapes."""
        parts = vector.split(self.lengths)
        return [
            part[: shape.numel()].view(shape)
            for part, shape in zip(parts, self.shapes, strict=True)
        ]


def selected_parameters(model: nn.Module, selection: Selection = "all") -> dict[str, nn.Parameter]:
    """Return the parameters that a measure is taken over, by name.

    Args:
        model: any module; parameters with ``requires_grad`` off are left out.
        selection: ``all``; ``weights`` for those of two or more dimensions, without biases and
            normalisation layers; or patterns of names, such as ``["*.head.*"]``.

    Raises:
        InputError: a pattern, or the whole selection, matches no parameter.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if selection == "weights":
        chosen = {name: p for name, p in parameters.items() if p.ndim >= 2}
    elif selection == "all":
        chosen = parameters
    else:
        patterns = [selection] if isinstance(selection, str) else selection
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in parameters):
                raise InputError(
                    f"parameters: {pattern!r} matches none of the network's"
                    f" {len(parameters)} parameters, from {next(iter(parameters), '-')!r}"
                    f" to {next(reversed(parameters), '-')!r}; use one of their names, with * for"
                    " any text"
                )
        chosen = {
            name: p
            for name, p in parameters.items()
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        }
    if not chosen:
        raise InputError(f"parameters: {selection!r} leaves nothing to move; use all")
    return chosen
