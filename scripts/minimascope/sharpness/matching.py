"""Hidden units of one network in the places of those of another that they are most like."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from .directions import check_same_shape, state_of
from .symmetries import (
    Orders,
    Place,
    State,
    Units,
    hidden_units,
    permute,
    random_orders,
    with_state,
)

# Random starts, besides the two that are not.
STARTS = 3
# A step that gains no more than this share of the largest possible similarity is rounding.
LEAST_GAIN = 1e-9


def matched(
    start: nn.Module, end: nn.Module, generator: torch.Generator, starts: int = STARTS
) -> nn.Module:
    """Return a copy of the second network that computes the same, its units matched to the first.

    Weight matching (Ainsworth et al. 2023, arXiv:2209.04836, algorithm 1): the places of hidden
    units for which the products of both networks' parameters have the largest sum, so that the
    networks lie nearest to each other. One layer after the other, in random order, is solved
    exactly (Kuhn 1955) with the others as they are, until none gains. What that ends with depends
    on where it starts: with the units as they are, so that the networks never lie farther apart
    than before; from the inputs on, each layer matched to those before it alone, which finds a
    permuted copy exactly; and with units in random places. The best of all counts.

    Args:
        start: of the architectures that `hidden_units` knows.
        end: of the same shape.
        generator: of random starts and orders, on the CPU.
        starts: random ones.

    Raises:
        InputError: the networks differ in shape, or see `hidden_units`.
    """
    check_same_shape({"the start": start, "the end": end})
    units, counted = hidden_units(start), [name for name, _ in start.named_parameters()]
    fixed = {name: start.get_parameter(name).detach().double() for name in counted}
    found = []
    for number in range(starts + 2):
        state = {name: tensor.detach() for name, tensor in state_of(end).items()}
        if number == 1:
            _match_from_inputs(fixed, state, units)
        if number > 1:
            for each in units:
                permute(state, each, random_orders(each, generator))
        _climb(fixed, state, units, generator)
        found.append((_similarity(fixed, state), state))
    return with_state(end, max(found, key=lambda each: each[0])[1])


def _match_from_inputs(fixed: State, state: State, units: Sequence[Units]) -> None:
    """Match each layer by those of its tensors whose other units have been matched before."""
    open_units = list(units)
    for each in units:
        open_units.remove(each)
        waiting = {place.tensor for other in open_units for place in other.places}
        there = {name: tensor for name, tensor in fixed.items() if name not in waiting}
        orders, _ = _best_orders(each, _similarities(there, state, each))
        permute(state, each, orders)


def _climb(fixed: State, state: State, units: Sequence[Units], generator: torch.Generator) -> None:
    """Match one layer after the other, in random order, until none gains."""
    least = LEAST_GAIN * _similarity(fixed, fixed)
    gained = True
    while gained:
        gained = False
        for index in torch.randperm(len(units), generator=generator).tolist():
            orders, gain = _best_orders(units[index], _similarities(fixed, state, units[index]))
            if gain > least:
                permute(state, units[index], orders)
                gained = True


def _similarity(first: State, second: State) -> float:
    return sum((tensor * second[name].double()).sum().item() for name, tensor in first.items())


def _similarities(first: State, second: State, units: Units) -> list[torch.Tensor]:
    """Return for each part how similar units of the first are to those of the second, [i, j].

    Only the tensors of the first count, which are in double precision.
    """
    found = []
    for places in units.parts:
        total = torch.zeros(units.size, units.size, dtype=torch.float64)
        for place in places:
            if place.tensor in first:
                a, b = (
                    _by_unit(state[place.tensor], place, units.size) for state in (first, second)
                )
                total += (a @ b.double().T).cpu()
        found.append(total)
    return found


def _by_unit(tensor: torch.Tensor, place: Place, size: int) -> torch.Tensor:
    rows = tensor.movedim(place.axis, 0)[place.start :][: size * place.each]
    return rows.reshape(size, -1)


def _best_orders(units: Units, similarities: Sequence[torch.Tensor]) -> tuple[Orders, float]:
    """Return the places of units with the largest similarity, and how much larger it is."""
    count, size = units.groups, units.size // units.groups
    values = torch.zeros(count, count, dtype=torch.float64)
    # By part, group and the group that comes there: the units in it.
    within = torch.empty(len(similarities), count, count, size, dtype=torch.long)
    for part, whole in enumerate(similarities):
        blocks = whole.view(count, size, count, size)
        for i in range(count):
            for j in range(count):
                block = blocks[i, :, j].numpy()
                rows, columns = linear_sum_assignment(block, maximize=True)
                values[i, j] += block[rows, columns].sum()
                within[part, i, j] = torch.from_numpy(columns)
    there, coming = map(torch.from_numpy, linear_sum_assignment(values.numpy(), maximize=True))
    orders = [(coming[:, None] * size + part[there, coming]).flatten() for part in within]
    now = sum(whole.trace().item() for whole in similarities)
    return orders, values[there, coming].sum().item() - now
