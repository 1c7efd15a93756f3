"""Networks of torchvision and timm, by the names that they have there, with weights drawn here.

A library's own function builds each network with the options that a study gives to it. Number of
classes, channels, size of the inputs and dropout are those of the study. Nothing is downloaded.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from ..errors import InputError, nearest
from . import NetworkSpec

COLOURS = 3
# Options with which a library would load weights, or return something else than a classifier.
FORBIDDEN = {
    "pretrained": "name a file of weights under weights",
    "pretrained_cfg": "name a file of weights under weights",
    "pretrained_cfg_overlay": "name a file of weights under weights",
    "checkpoint_path": "name a file of weights under weights",
    "cache_dir": "nothing is downloaded",
    "features_only": "only classifiers can be trained",
    "progress": "nothing is downloaded",
    "num_classes": "the data set has the number of classes",
    "in_chans": "the data set has the number of channels",
    "drop_rate": "write training.dropout",
    "dropout": "write training.dropout",
}
# What torchvision's function for a class of networks knows besides the options of the class.
BESIDES = {"MobileNetV3": {"width_mult", "reduced_tail", "dilated"}}


def torchvision_network(name: str, spec: NetworkSpec) -> nn.Module:
    """Return a classifier of torchvision (`torchvision.models.list_models`).

    Raises:
        InputError: no such network or option, or something that it cannot take.
    """
    from torchvision import models

    _check_known(spec, name, models.list_models(module=models))
    _check_settings(spec)
    if spec.channels != COLOURS:
        raise InputError(
            f"{spec.architecture}: torchvision's networks take {COLOURS} channels, the inputs have"
            f" {spec.channels}; use a network of timm, such as timm:resnet18"
        )

    def build(**options: Any) -> nn.Module:
        return models.get_model(name, weights=None, num_classes=spec.classes, **options)

    parameters, kind = _parameters(build, spec)
    # Some of its classes take any option and use only those that they know.
    _check_options(spec, parameters.keys() | BESIDES.get(kind, set()))
    sizes: dict[str, Any] = {"image_size": _side(spec), "input_size": spec.input_size}
    given = {key: size for key, size in sizes.items() if key in parameters}
    own = next((key for key in ("dropout", "drop_rate") if key in parameters), None)
    return _built(build, spec, given | _dropout(spec, own) | dict(spec.options), parameters)


def timm_network(name: str, spec: NetworkSpec) -> nn.Module:
    """Return a classifier of timm (`timm.list_models`), for inputs of any number of channels.

    Raises:
        InputError: no such network or option, or something that it cannot take.
    """
    import timm

    plain, _, tag = name.partition(".")
    if tag:
        raise InputError(
            f"{spec.architecture}: {tag!r} stands for weights that timm would download; write"
            f" timm:{plain}, and name a file of weights under weights"
        )
    _check_known(spec, name, timm.list_models())
    _check_settings(spec)

    def build(**options: Any) -> nn.Module:
        sizes = {"num_classes": spec.classes, "in_chans": spec.channels}
        return timm.create_model(name, pretrained=False, **sizes, **options)

    parameters, _ = _parameters(build, spec)
    others = any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
    fixed = timm.get_pretrained_cfg(name, allow_unregistered=True).fixed_input_size
    given = {"img_size": spec.input_size} if fixed or "img_size" in parameters else {}
    own = "drop_rate" if others or "drop_rate" in parameters else None
    return _built(build, spec, given | _dropout(spec, own) | dict(spec.options), parameters)


def _check_known(spec: NetworkSpec, name: str, names: Iterable[str]) -> None:
    names = list(names)
    if name in names:
        return
    library = spec.architecture.partition(":")[0]
    hint = nearest(name, names)
    # There are up to 1,400.
    hint = hint if hint.endswith("?") else f"{library}.list_models() lists {len(names)} names"
    raise InputError(f"{spec.architecture}: {library} has no classifier {name!r}; {hint}")


def _check_settings(spec: NetworkSpec) -> None:
    for option in spec.options:
        if option in FORBIDDEN:
            raise InputError(f"{spec.architecture}: {option} is no option; {FORBIDDEN[option]}")
    if spec.width != 1:
        raise InputError(
            f"{spec.architecture}: width {spec.width:g} is for this project's own networks; leave"
            " it out, or use a smaller network of the library"
        )


def _check_options(spec: NetworkSpec, known: Iterable[str]) -> None:
    for option in spec.options:
        if option not in known:
            raise InputError(_unknown(spec, option, known))


def _unknown(spec: NetworkSpec, option: str, known: Iterable[str]) -> str:
    hint = nearest(option, set(known) - FORBIDDEN.keys() - {"self", "args", "kwargs"})
    return f"{spec.architecture}: unknown option {option!r}; {hint}"


def _side(spec: NetworkSpec) -> int:
    """Return the side of the inputs, for networks that take squares only: they refuse others."""
    return max(spec.input_size)


def _dropout(spec: NetworkSpec, own: str | None) -> dict[str, float]:
    """Return the dropout under the name that the network has for it: the study's, also if 0."""
    if own is not None:
        return {own: spec.dropout}
    if spec.dropout:
        raise InputError(
            f"{spec.architecture}: has no dropout of its own; set training.dropout to 0"
        )
    return {}


def _parameters(
    build: Callable[..., nn.Module], spec: NetworkSpec
) -> tuple[Mapping[str, Parameter], str]:
    """Return what a network's class takes, and its name."""
    with torch.device("meta"):
        network = _built(build, spec, {}, {})
    return signature(type(network).__init__).parameters, type(network).__name__


def _built(
    build: Callable[..., nn.Module],
    spec: NetworkSpec,
    options: Mapping[str, Any],
    parameters: Mapping[str, Parameter],
) -> nn.Module:
    try:
        return build(**options)
    except Exception as error:  # whatever a library makes of values that it did not expect
        unknown = re.search(r"unexpected keyword argument\D*'(\w+)'", str(error))
        if unknown and unknown[1] in spec.options:
            raise InputError(_unknown(spec, unknown[1], parameters)) from error
        given = ", ".join(f"{key}: {value}" for key, value in options.items())
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{spec.architecture}: cannot be built with {given} ({why}); change an option, or use"
            " another network"
        ) from error
