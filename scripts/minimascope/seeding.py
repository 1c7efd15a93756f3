"""Every random draw comes from a generator named by what it is for."""

import hashlib

import torch


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2⁶³) that depends on all parts and on nothing else.

    The parts name a stream, for example ``derive_seed(seed, "order", epoch)``. SHA-256 keeps
    the streams of neighbouring seeds and epochs unrelated, and is the same on every machine.
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator for the stream that the parts name (see `derive_seed`)."""
    return torch.Generator(device=device).manual_seed(derive_seed(*parts))


def child(parent: torch.Generator, *parts: int | str) -> torch.Generator:
    """Return a new generator on the parent's device, for a stream named below the parent's.

    It depends on the parent's seed alone, not on how much has been drawn from it: what one
    measure draws leaves the others as they are.
    """
    return generator(parent.initial_seed(), *parts, device=parent.device)
