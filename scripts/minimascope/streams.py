"""Every random draw has a seed named by what it is for."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2⁶³) that depends on all parts and on nothing else.

    The parts name a stream, for example ``derive_seed(seed, "order", epoch)``. SHA-256 keeps
    the streams of neighbouring seeds and epochs unrelated, and is the same on every machine.
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
