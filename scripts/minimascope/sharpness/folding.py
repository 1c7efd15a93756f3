"""Second derivatives: BatchNorm with fixed statistics as a part of the layer before it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

LAYERS = (F.conv1d, F.conv2d, F.conv3d, F.linear)


class FoldedBatchNorm(TorchFunctionMode):
    """While active, a BatchNorm that directly follows a convolution or linear layer is one with it.

    With fixed statistics it multiplies each channel by s = γ / √(σ² + ε) and adds t = β − s μ, so
    s (W x + b) + t = (s W) x + (s b + t): the same function of the inputs and all parameters, up to
    rounding. Passes over activations become passes over weights, of which second derivatives
    have many.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[torch.Tensor, int, Callable, Sequence[Any], Mapping[str, Any]] | None
        self._last = None

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        result = func(*args, **kwargs)
        if func in LAYERS:
            # An in-place operation gives the result another version.
            self._last = (result, result._version, func, args, kwargs)
        return result

    def _batch_norm(
        self,
        inputs: torch.Tensor,
        mean: torch.Tensor | None,
        variance: torch.Tensor | None,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> torch.Tensor:
        layer = self._layer_of(inputs)
        if training or layer is None:
            return F.batch_norm(inputs, mean, variance, weight, bias, training, momentum, eps)
        scale = (variance + eps).rsqrt()
        scale = scale if weight is None else scale * weight
        shift = -scale * mean if bias is None else bias - scale * mean
        func, (x, filters, *others), kwargs = layer
        own = others[0] if others else kwargs.get("bias")
        shift = shift if own is None else shift + scale * own
        filters = filters * scale.reshape(-1, *[1] * (filters.ndim - 1))
        named = {name: value for name, value in kwargs.items() if name != "bias"}
        return func(x, filters, shift, *others[1:], **named)

    def _layer_of(
        self, inputs: torch.Tensor
    ) -> tuple[Callable, Sequence[Any], Mapping[str, Any]] | None:
        """Return the layer whose result these inputs are, where channels are its outputs."""
        if self._last is None:
            return None
        result, version, func, args, kwargs = self._last
        same = inputs is result and inputs._version == version and len(args) >= 2
        return (func, args, kwargs) if same and inputs.ndim == args[1].ndim else None
