"""Every random draw comes from a generator named by what it is for."""

import torch

from .streams import derive_seed


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator for the stream that the parts name (see `derive_seed`)."""
    return torch.Generator(device=device).manual_seed(derive_seed(*parts))


def child(parent: torch.Generator, *parts: int | str) -> torch.Generator:
    """Return a new generator on the parent's device, for a stream named below the parent's.

    It depends on the parent's seed alone, not on how much has been drawn from it: what one
    measure draws leaves the others as they are.
    """
    return generator(parent.initial_seed(), *parts, device=parent.device)
