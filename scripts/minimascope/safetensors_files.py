"""Arrays with JSON-able metadata as safetensors, with a hash of both."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from .canonical import canonical_json
from .files import HASH_KEY, atomic, check_hash, readable

# safetensors writes several metadata entries in random order; one JSON entry keeps files
# byte-identical from run to run.
METADATA_KEY = "minimascope"


def content_hash(arrays: Mapping[str, ArrayLike], metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the metadata and of all names, types, shapes and bytes of arrays.

    Tensors on the CPU that need no gradient count as arrays.
    """
    digest = hashlib.sha256(canonical_json(metadata).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        # The prefix keeps the hashes of files that were written with torch's names of types.
        digest.update(f"{name}:torch.{array.dtype}:{array.shape};".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def save_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray], **metadata: Any) -> None:
    """Write arrays and JSON-able metadata as safetensors, atomically, with a content hash."""
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    described = canonical_json({**metadata, HASH_KEY: content_hash(arrays, metadata)})
    with atomic(path) as partial, _errors_of_the_system():
        save_file(arrays, partial, metadata={METADATA_KEY: described})


@contextmanager
def _errors_of_the_system() -> Iterator[None]:
    """Raise as OSError what safetensors was told by the operating system."""
    try:
        yield
    except SafetensorError as error:
        if number := re.search(r"\(os error (\d+)\)", str(error)):
            code = int(number[1])
            raise OSError(code, os.strerror(code)) from error
        raise


def load_arrays(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_arrays` wrote and return (arrays, metadata).

    Raises InputError naming the file if it cannot be read, was not written by this project or
    does not match its content hash.
    """
    return load(path, "numpy")


def load(path: str | os.PathLike, framework: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read as `load_arrays` does, with arrays of a framework: ``numpy`` or ``pt`` (torch)."""
    with readable(path, "safetensors file"), safe_open(path, framework=framework) as file:
        arrays = dict(StoredArrays(file))
        return arrays, _checked_metadata(file, arrays)


class StoredArrays(Mapping[str, Any]):
    """Arrays of an open file, each of which is read when it is asked for, and not kept."""

    def __init__(self, file: safe_open):
        self._file = file

    def __getitem__(self, name: str) -> Any:
        return self._file.get_tensor(name)

    def __contains__(self, name: object) -> bool:
        return name in self._file.keys()  # noqa: SIM118

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.keys())

    def __len__(self) -> int:
        return len(self._file.keys())


def load_stored(path: str | os.PathLike, framework: str) -> tuple[StoredArrays, dict[str, Any]]:
    """Check a file as `load` does, but leave its arrays there, which may not fit the memory."""
    with readable(path, "safetensors file"):
        file = safe_open(path, framework=framework)
        arrays = StoredArrays(file)
        return arrays, _checked_metadata(file, arrays)


def _checked_metadata(file: safe_open, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a file; raise ValueError if it is not what this project wrote."""
    metadata = json.loads((file.metadata() or {}).get(METADATA_KEY, "null"))
    if not isinstance(metadata, dict):
        raise ValueError("this workflow has not written it")
    described = {key: value for key, value in metadata.items() if key != HASH_KEY}
    check_hash(metadata.get(HASH_KEY), content_hash(arrays, described))
    return metadata
