"""Hidden units of a network that can change places without a change of what it computes.

They are found in the modules that a network is built of, along the way that its inputs take.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError
from ..network_copy import copied
from ..networks import Classifier
from ..networks.normalised import NormalisedInput
from ..networks.norms import Scalar
from ..networks.resnet import BasicBlock
from ..networks.vit import (
    HEADS,
    ClassTokenEncoder,
    LocalitySelfAttention,
    ShiftedPatchTokenisation,
    TransformerBlock,
)
from ..networks.vit_standard import EncoderBlock, PatchProjection, SelfAttention
from ..registry import WITH_MATCHING
from .directions import state_of


@dataclass(frozen=True)
class Place:
    """Where a tensor has numbers of hidden units.

    Attributes:
        tensor: its name.
        axis: along which the units lie.
        start: entry of the first unit.
        each: entries of one unit, which follow each other: of a picture that was flattened, its
            pixels.
    """

    tensor: str
    axis: int = 0
    start: int = 0
    each: int = 1


@dataclass(eq=False)
class Units:
    """Hidden units that can change places with each other.

    Attributes:
        parts: places of units. Each part has units of its own, in the same groups: the queries and
            keys of attention heads are one, their values another.
        size: units of a part.
        groups: their number. They change places as a whole, in all parts alike, and so do units
            within a group, in each part for itself.
    """

    parts: tuple[list[Place], ...]
    size: int
    groups: int = 1

    @property
    def places(self) -> Iterator[Place]:
        """The places of all parts."""
        return (place for places in self.parts for place in places)


# For each part of units, and each place, the unit that moves there [size].
Orders = list[torch.Tensor]
# A network's tensors, by name.
State = dict[str, torch.Tensor]


def hidden_units(model: nn.Module) -> list[Units]:
    """Return all sets of units that can change places, from the inputs on.

    Units of layers that a residual connection adds up change places together; with GroupNorm, they
    stay with their group.

    Raises:
        InputError: a module whose units are not known; names it.
    """
    walk = _Walk()
    walk.through(model, "", None)
    return walk.found


def permute(state: State, units: Units, orders: Orders) -> None:
    """Move units in a network's tensors: to place i of a part comes unit ``orders[part][i]``."""
    for places, order in zip(units.parts, orders, strict=True):
        for place in places:
            tensor = state[place.tensor]
            moved = order[:, None] * place.each + torch.arange(place.each)
            entries = torch.arange(tensor.shape[place.axis])
            entries[place.start :][: moved.numel()] = place.start + moved.flatten()
            state[place.tensor] = tensor.index_select(place.axis, entries.to(tensor.device))


def random_orders(units: Units, generator: torch.Generator) -> Orders:
    """Return random places of units, drawn on the CPU."""
    size = units.size // units.groups
    groups = torch.randperm(units.groups, generator=generator)
    return [
        torch.cat([g * size + torch.randperm(size, generator=generator) for g in groups])
        for _ in units.parts
    ]


def permuted(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Return a copy of a network that computes the same, all its hidden units in random places.

    Raises:
        InputError: see `hidden_units`.
    """
    state = state_of(model)
    for units in hidden_units(model):
        permute(state, units, random_orders(units, generator))
    return with_state(model, state)


def with_state(model: nn.Module, state: State) -> nn.Module:
    """Return a copy of a network with other values in its tensors."""
    model = copied(model)
    with torch.no_grad():
        for name, tensor in state_of(model).items():
            tensor.copy_(state[name])
    return model


class _Walk:
    """The way through a network, with the units that it has met."""

    def __init__(self) -> None:
        self.found: list[Units] = []

    def through(self, module: nn.Module, name: str, units: Units | None) -> Units | None:
        """Return the units of a module's outputs; None stands for inputs and classes."""
        step = _STEPS.get(type(module))
        if step is None:
            raise InputError(
                f"matched: which units of {type(module).__name__} can change places is not known;"
                f" it is of {', '.join(WITH_MATCHING)}"
            )
        return step(self, module, name, units)

    def into(self, module: nn.Linear | nn.Conv2d, name: str, units: Units | None) -> None:
        """Note the units that a layer takes."""
        if units is not None:
            each = module.weight.shape[1] // units.size
            units.parts[0].append(Place(f"{name}weight", axis=1, each=each))

    def out_of(self, module: nn.Linear | nn.Conv2d, name: str) -> Units:
        """Return the units that a layer makes."""
        units = Units((_own(module, name),), len(module.weight))
        self.found.append(units)
        return units

    def tied(self, *both: Units) -> Units:
        """Return units that are added up: of both, those that were met first hold all places."""
        first, second = sorted(both, key=self.found.index)
        first.parts[0].extend(second.parts[0])
        first.groups = max(first.groups, second.groups)
        self.found.remove(second)
        return first


_Step = Callable[[_Walk, nn.Module, str, Units | None], Units | None]


def _own(module: nn.Module, name: str) -> list[Place]:
    """Return the tensors of a module that have a number, or a filter, for each of its outputs."""
    there = (tensor for tensor in state_of(module) if "." not in tensor)
    return [Place(f"{name}{tensor}") for tensor in there]


def _layer(walk: _Walk, module: nn.Module, name: str, units: Units | None) -> Units:
    walk.into(module, name, units)
    return walk.out_of(module, name)


def _norm(walk: _Walk, module: nn.Module, name: str, units: Units | None) -> Units | None:
    if units is not None:
        units.parts[0].extend(_own(module, name))
        units.groups = getattr(module, "num_groups", units.groups)
    return units


def _unit_by_unit(walk: _Walk, module: nn.Module, name: str, units: Units | None) -> Units | None:
    return units


def _children(walk: _Walk, module: nn.Module, name: str, units: Units | None) -> Units | None:
    """Go through modules in the order in which they are held, one after the other."""
    for child, inner in module.named_children():
        units = walk.through(inner, f"{name}{child}.", units)
    return units


def _classifier(walk: _Walk, module: Classifier, name: str, units: Units | None) -> None:
    units = walk.through(module.body, f"{name}body.", units)
    walk.into(module.head, f"{name}head.", units)


def _basic_block(walk: _Walk, module: BasicBlock, name: str, units: Units | None) -> Units:
    residual = walk.through(module.residual, f"{name}residual.", units)
    return walk.tied(residual, walk.through(module.shortcut, f"{name}shortcut.", units))


def _transformer_block(walk: _Walk, module: nn.Module, name: str, units: Units | None) -> Units:
    for branch in ("attention", "mlp"):
        inner = walk.through(getattr(module, branch), f"{name}{branch}.", units)
        units = walk.tied(units, inner)
    return units


def _attention(walk: _Walk, module: nn.Module, name: str, units: Units | None) -> Units:
    layer = "query_key_value."
    walk.into(module.query_key_value, f"{name}{layer}", units)
    size = module.projection.in_features
    query, key, value = (
        [
            Place(place.tensor, start=part * size)
            for place in _own(module.query_key_value, f"{name}{layer}")
        ]
        for part in range(3)
    )
    projected = Place(f"{name}projection.weight", axis=1)
    heads = Units(([*query, *key], [*value, projected]), size, getattr(module, "heads", HEADS))
    walk.found.append(heads)
    return walk.out_of(module.projection, f"{name}projection.")


def _encoder(walk: _Walk, module: ClassTokenEncoder, name: str, units: Units | None) -> Units:
    units = walk.through(module.tokenisation, f"{name}tokenisation.", units)
    units.parts[0].extend(Place(f"{name}{own}", axis=2) for own in ("class_token", "position"))
    units = walk.through(module.blocks, f"{name}blocks.", units)
    return walk.through(module.norm, f"{name}norm.", units)


_STEPS: dict[type[nn.Module], _Step] = {
    **dict.fromkeys((nn.Linear, nn.Conv2d), _layer),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm), _norm),
    **dict.fromkeys((nn.ReLU, nn.Tanh, nn.GELU, nn.Dropout, Scalar), _unit_by_unit),
    **dict.fromkeys((nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Flatten), _unit_by_unit),
    **dict.fromkeys((nn.Sequential, NormalisedInput), _children),
    **dict.fromkeys((ShiftedPatchTokenisation, PatchProjection), _children),
    Classifier: _classifier,
    BasicBlock: _basic_block,
    **dict.fromkeys((LocalitySelfAttention, SelfAttention), _attention),
    **dict.fromkeys((TransformerBlock, EncoderBlock), _transformer_block),
    ClassTokenEncoder: _encoder,
}
