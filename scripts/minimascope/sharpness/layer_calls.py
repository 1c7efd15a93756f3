"""What a pass multiplies with which parameters, and which normalisations follow at once."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from ..errors import InputError
from ..network_copy import copied
from .objective import Objective

# Functions by the names that they have in torch and as methods of tensors.
KERNELS = {"linear", "conv1d", "conv2d", "conv3d"}
# Their weights are no matrix [outputs, inputs · size].
WITHOUT_MATRIX = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "bilinear"}
# What these take first is added.
ADDING = {"addmm", "baddbmm", "addbmm", "addmv"}
PRODUCTS = ADDING | {"__matmul__", "__rmatmul__", "matmul", "mm", "bmm", "mv"}
PRODUCTS |= {"einsum", "tensordot", "inner"}
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
RECURRENT |= {f"{name}_cell" for name in RECURRENT}
# Its weights, by the names of its arguments.
ATTENTION = F.multi_head_attention_forward
OF_ATTENTION = [f"{which}_proj_weight" for which in ("in", "q", "k", "v", "out")]


class LayerCalls(TorchFunctionMode):
    """While active, it notes what a network's parameters are multiplied with.

    Attributes:
        matrices: names of the parameters that a layer, or a product outside one, has as a matrix.
        calls: how often each of them is the weight of a linear or convolutional layer, and how
            often each normalisation with fixed statistics is called, by the module's name.
        pairs: how often such a normalisation takes what such a layer returns, as it is, its
            channels being the layer's outputs; by the names of the weight and of the module.
        functional: modules that normalise what a layer returns without a module for it.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.matrices: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.functional: list[str] = []
        self._names = {id(p): name for name, p in model.named_parameters()}
        # By their ids; held, so that no other tensor takes one.
        self._results: dict[int, tuple[torch.Tensor, int, str, torch.Tensor]] = {}
        # Those that a module normalises.
        self._taken: set[int] = set()
        self._inside = [("the network", model)]

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in KERNELS | WITHOUT_MATRIX:
            place = 2 if name == "bilinear" else 1
            weight = args[place] if len(args) > place else kwargs["weight"]
            self._kernel(weight, result, name in KERNELS)
        elif name in PRODUCTS:
            self._product([*tensors_in((args, kwargs))][name in ADDING :])
        elif name in RECURRENT:
            found = [p for p in tensors_in(args) if id(p) in self._names and p.ndim == 2]
            self.matrices |= {self._names[id(p)] for p in found}
        elif func is ATTENTION:
            given = inspect.signature(func).bind(*args, **kwargs).arguments
            weights = [given[each] for each in OF_ATTENTION if given.get(each) is not None]
            self.matrices |= {name for w in weights if (name := self._name(w)) is not None}
        elif func is F.batch_norm:
            given = inspect.signature(func).bind(*args, **kwargs).arguments
            self._normalised(given["input"], given["running_mean"])
        return result

    def follow(self, name: str, module: nn.Module) -> Iterator[Callable[[], None]]:
        """Note when a module is entered and left; yield what ends that."""

        def enter(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._inside.append((name, module))
            if has_fixed_statistics(module):
                self.calls[name] += 1
                inputs = next(tensors_in((args, kwargs)), None)
                weight = self._layer_before(inputs, module.running_mean)
                if weight is not None:
                    self.pairs[weight, name] += 1
                    self._taken.add(id(inputs))

        def leave(*_: Any) -> None:
            self._inside.pop()

        yield module.register_forward_pre_hook(enter, with_kwargs=True).remove
        yield module.register_forward_hook(leave).remove

    def _name(self, tensor: torch.Tensor) -> str | None:
        """Return which parameter a tensor is, or is a view of."""
        return self._names.get(id(tensor)) or self._names.get(id(tensor._base))

    def _kernel(self, weight: torch.Tensor, result: torch.Tensor, matrix: bool) -> None:
        name = self._name(weight)
        if name is None:
            # Others are fixed, as in a blur before a stride.
            if weight.requires_grad:
                self._refuse("has weights that are no parameters, as those computed in every pass")
        elif not matrix:
            self._refuse("has weights that are no matrix of outputs by inputs")
        else:
            self.matrices.add(name)
            self.calls[name] += 1
            # An in-place operation gives the result another version.
            self._results[id(result)] = (result, result._version, name, weight)

    def _product(self, factors: list[torch.Tensor]) -> None:
        for factor in factors:
            name, whole = self._name(factor), factor if factor._base is None else factor._base
            if name is not None and whole.ndim > 2:
                self._refuse(f"multiplies with {name}, which is no matrix of outputs by inputs")
            if name is not None and whole.ndim == 2:
                self.matrices.add(name)

    def _normalised(self, inputs: torch.Tensor, mean: torch.Tensor | None) -> None:
        if mean is not None and id(inputs) not in self._taken:
            self.functional += [self._inside[-1][0]] if self._layer_before(inputs, mean) else []

    def _layer_before(self, inputs: torch.Tensor | None, mean: torch.Tensor) -> str | None:
        """Return the weight of the layer that returned this, if its outputs are the channels."""
        result, version, name, weight = self._results.get(id(inputs), (None, 0, "", None))
        if result is None or inputs._version != version or len(weight) != mean.numel():
            return None
        # Of tokens [b, T, d] BatchNorm takes the second axis for channels.
        return name if weight.ndim > 2 or inputs.ndim == 2 else None

    def _refuse(self, what: str) -> NoReturn:
        name, module = self._inside[-1]
        raise InputError(f"norms: {name} ({type(module).__name__}) {what}; leave norms out")


def layer_calls(model: nn.Module, objective: Objective) -> LayerCalls:
    """Return what a pass of one sample does with a network's parameters.

    Args:
        model: in evaluation mode; unchanged.
        objective: whose first sample is passed.

    Raises:
        InputError: weights of a layer that are no parameter or no matrix, or a module compiled by
            TorchScript.
    """
    # Networks may keep what they compute, and weights that are computed have a graph.
    model = copied(model)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    found = LayerCalls(model)
    with ExitStack() as hooks, torch.enable_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                raise InputError(
                    f"norms: {name or 'the network'} is compiled by TorchScript, which hides its"
                    " layers; give the module that it was made of, or leave norms out"
                )
            for end in found.follow(name or "the network", module):
                hooks.callback(end)
        inputs, _ = objective.samples.first()
        with found:
            objective.outputs(model, inputs)
    return found


def has_fixed_statistics(module: nn.Module) -> bool:
    """Return whether a module normalises by running statistics, as BatchNorm in evaluation mode."""
    statistics = (getattr(module, f"running_{which}", None) for which in ("mean", "var"))
    return all(isinstance(each, torch.Tensor) for each in statistics)


def tensors_in(values: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in arguments or results, those in sequences and mappings, too."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from tensors_in([*values.values()])
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors_in(value)
