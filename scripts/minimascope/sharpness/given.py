"""A network and data as a program gives them, made ready for measures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..devices import contiguous_convolutions, precision
from ..errors import InputError
from ..network_copy import device_of, network_copy
from ..surroundings import differentiable_kernels, own_surroundings
from .loss import Loss
from .objective import Objective
from .outputs import Read, reader
from .probes import first_pass, probe
from .samples import samples_of


@contextmanager
def given_network(
    model: nn.Module, inputs: Any, labels: Any, loss: Loss, outputs: str | int | Read | None
) -> Iterator[tuple[nn.Module, Objective]]:
    """Yield a copy of a network and its loss over data, apart from what surrounds the caller.

    The copy can be moved and differentiated (`network_copy`), and has passed the `probe`. Inside
    the block neither autocast nor inference mode is on, and random states are its own.

    Args:
        model: unchanged, as are the data.
        inputs: see `samples_of`.
        labels: likewise.
        loss: of outputs and labels.
        outputs: where these are in what the network returns, see `outputs.reader`.

    Raises:
        InputError: no module, or none with parameters; see `samples_of`, `network_copy` and
            `probe`, too.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"model: {type(model).__name__} is no torch module; give an nn.Module")
    if next(model.parameters(), None) is None:
        raise InputError(f"{type(model).__name__} has no parameters, so nothing can be moved")
    device = device_of(model)
    with (
        own_surroundings(device),
        precision("fp32", device),
        contiguous_convolutions(device),
        differentiable_kernels(model),
    ):
        objective = Objective(samples_of(inputs, labels, device), loss, reader(outputs))
        model = network_copy(model, lambda network: first_pass(network, objective))
        probe(model, objective)
        yield model, objective
