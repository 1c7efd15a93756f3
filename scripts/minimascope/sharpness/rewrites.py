"""Operations that torch differentiates twice wrongly or not at all, by ones that it does right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


class TwiceDifferentiable(TorchFunctionMode):
    """While active, some functions of torch consist of elementary operations.

    torch's second derivative of weight normalisation is wrong (``torch._weight_norm``, behind both
    forms of ``weight_norm``); bags of embeddings and the hard sigmoid have none. The functions are
    the same up to rounding.
    """

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch._weight_norm:
            return _weight_norm(*args, **kwargs)
        if func is F.hardsigmoid:
            return F.relu6(args[0] + 3) / 6
        if func is F.embedding_bag:
            return _embedding_bag(*args, **kwargs)
        return func(*args, **kwargs)


def _weight_norm(v: torch.Tensor, g: torch.Tensor, dim: int = 0) -> torch.Tensor:
    others = [axis for axis in range(v.ndim) if axis != dim % v.ndim] if dim != -1 else None
    squares = v.square()
    norms = squares.sum() if others is None else squares.sum(others, keepdim=True)
    return v * (g / norms.sqrt())


def _embedding_bag(
    input: torch.Tensor,
    weight: torch.Tensor,
    offsets: torch.Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: torch.Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> torch.Tensor:
    if mode == "max" or max_norm is not None:
        return F.embedding_bag(
            *(input, weight, offsets, max_norm, norm_type, scale_grad_by_freq, mode, sparse),
            *(per_sample_weights, include_last_offset, padding_idx),
        )
    if input.ndim == 2:
        bags = len(input)
        places = torch.arange(bags, device=input.device).repeat_interleave(input.shape[1])
    else:
        starts = offsets[:-1] if include_last_offset else offsets
        bags = len(starts)
        ends = torch.arange(input.numel(), device=input.device)
        places = torch.searchsorted(starts.contiguous(), ends, right=True) - 1
    indices = input.reshape(-1)
    shares = weight.new_ones(indices.shape)
    if padding_idx is not None:
        shares = shares * (indices != padding_idx % len(weight))
    if mode == "mean":
        sizes = weight.new_zeros(bags).index_add(0, places, shares)
        shares = shares / sizes.clamp(min=1)[places]
    elif per_sample_weights is not None:
        shares = shares * per_sample_weights.reshape(-1)
    rows = F.embedding(indices, weight) * shares[:, None]
    return weight.new_zeros(bags, weight.shape[1]).index_add(0, places, rows)
