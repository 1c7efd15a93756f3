"""Networks as a body that computes features and a linear head that computes logits."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from .. import own_parts
from ..errors import InputError, nearest
from ..registry import USUAL_NORM, WITH_NORMS, OfLibrary, find
from ..streams import derive_seed

WEIGHT_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)


@dataclass(frozen=True)
class NetworkSpec:
    """What a network is, apart from its weights.

    Attributes:
        architecture: a name in `registry.NETWORKS`, or one of a library, such as
            ``timm:resnet18`` (`registry.LIBRARIES`).
        channels: channels of an input.
        input_size: height and width of an input: pixels, or mel bands and frames.
        classes: number of logits.
        width: factor on the number of channels (or on the token dimension) of every layer.
        dropout: share of features that is dropped before the head in training.
        options: the architecture's own settings. They count in comparisons but not in the hash,
            because a mapping has none; do not change them in place.
    """

    architecture: str
    channels: int
    input_size: tuple[int, int]
    classes: int
    width: float = 1.0
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


class Classifier(nn.Module):
    """Body, dropout and linear head: inputs [n, channels, h, w] to logits [n, classes]."""

    def __init__(self, body: nn.Module, feature_size: int, classes: int, dropout: float):
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(feature_size, classes)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the features [n, d] that enter the head."""
        return self.dropout(self.body(inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits [n, classes]."""
        return self.head(self.features(inputs))


def scaled(size: int, width: float) -> int:
    """Return a layer's size times the width factor, rounded, and at least 1."""
    return max(1, round(size * width))


def build(spec: NetworkSpec) -> nn.Module:
    """Return the network of the spec; its weights are drawn from torch's global generator.

    Raises:
        InputError: an unknown architecture or option, a value out of range, or an input size
            that the architecture cannot take.
    """
    component = find("networks", spec.architecture)
    builder = component.load()
    if isinstance(component, OfLibrary):
        _check_ranges(spec)
        return builder(spec)
    parameters = signature(builder).parameters
    named = {name for name, p in parameters.items() if p.kind is not Parameter.VAR_KEYWORD}
    own = named - {field.name for field in fields(spec)}
    for option in spec.options:
        if option not in own:
            hint = nearest(option, own)
            raise InputError(f"{spec.architecture}: unknown name {option!r}; {hint}")
    for option in own - spec.options.keys():
        if parameters[option].default is Parameter.empty:
            raise InputError(
                f"{spec.architecture}: option {option!r} is missing; train the network again"
            )
    _check_ranges(spec)
    given = {
        "channels": spec.channels,
        "input_size": spec.input_size,
        "classes": spec.classes,
        "width": spec.width,
        "dropout": spec.dropout,
    }
    return component.checked(component.call(given, **spec.options), nn.Module, "a torch.nn.Module")


def initialise(spec: NetworkSpec, seed: int) -> nn.Module:
    """Return the network of the spec on the CPU, its initial weights drawn for this seed.

    The weights depend on the seed and the shapes only: not on dropout, the global generators
    (which are left as they were) or the default device.

    Raises:
        InputError: see `build`.
    """
    # torch.manual_seed would seed every GPU as well; the weights need the CPU's generator only.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(derive_seed(seed, "initial weights"))
        return build(spec)


def check_logits(network: nn.Module, spec: NetworkSpec) -> None:
    """Refuse a network that computes no logits of inputs as the spec has them.

    A copy of it takes two blank inputs, as in training and as in evaluation.

    Raises:
        InputError: it fails, or returns something else than a tensor [n, classes].
    """
    inputs = torch.zeros(2, spec.channels, *spec.input_size)
    size = f"{spec.channels} × {' × '.join(map(str, spec.input_size))}"
    for mode in ("training", "evaluation"):
        copied = copy.deepcopy(network).train(mode == "training")
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                outputs = copied(inputs)
        except Exception as error:  # whatever a network makes of inputs that it cannot take
            if own_parts.fault_in(error):
                # Its user can read where.
                raise
            why = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{spec.architecture}: cannot take inputs of {size} ({why}); resize the inputs, or"
                " use another network"
            ) from error
        if not isinstance(outputs, Tensor) or outputs.shape != (2, spec.classes):
            found = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise InputError(
                f"{spec.architecture}: in {mode} it returns {found} for two inputs, not logits"
                f" [2, {spec.classes}]; use an option that leaves other outputs out (such as"
                " aux_logits: false), or another network"
            )


def norm_of(spec: NetworkSpec) -> str | None:
    """Return which of `norms.NORMS` a network has; None for one that has no choice."""
    if spec.architecture not in WITH_NORMS:
        return None
    return spec.options.get("norm", USUAL_NORM)


def count_weight_layers(model: nn.Module) -> int:
    """Return the number of linear, convolutional and embedding layers.

    This is the L of the Fisher–Rao norm (Liang et al. 2019). Normalisation layers and free
    parameters are not counted; convolutions in shortcuts are.
    """
    return sum(isinstance(module, WEIGHT_LAYERS) for module in model.modules())


def _check_ranges(spec: NetworkSpec) -> None:
    sizes = (spec.channels, min(spec.input_size), spec.classes)
    for name, size in zip(("channels", "input_size", "classes"), sizes, strict=True):
        if size < 1:
            raise InputError(f"{name}: {size} is too small; use 1 or more")
    if not spec.width > 0:
        raise InputError(f"width: {spec.width} is not positive; use 1.0 for the full network")
    if not 0 <= spec.dropout < 1:
        raise InputError(f"dropout: {spec.dropout} is not in [0, 1); use 0 for none")
