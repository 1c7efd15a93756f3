"""Arrays of numbers as .npz, which any NumPy reads: curves and surfaces behind measures."""

import os
from collections.abc import Mapping

import numpy as np

from .files import HASH_KEY, atomic, check_hash, readable
from .safetensors_files import content_hash


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays of numbers as .npz with a hash of them, atomically.

    Equal arrays give equal bytes.
    """
    described = {**arrays, HASH_KEY: np.array(content_hash(arrays, {}))}
    with atomic(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **described)


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read what `write_npz` wrote, and return it without its hash.

    Raises InputError naming the file if it cannot be read or does not match its hash.
    """
    with readable(path, ".npz file"):
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        # These files are small: a damaged one can declare any shape.
        except MemoryError as error:
            raise ValueError("it declares more than the memory holds") from error
        check_hash(str(arrays.pop(HASH_KEY, None)), content_hash(arrays, {}))
    return arrays
