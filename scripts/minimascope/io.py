"""Reading and writing files: whole or not at all, and never running what is read."""

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .canonical import canonical_json
from .errors import InputError

# safetensors writes several metadata entries in random order; one JSON entry keeps files
# byte-identical from run to run.
METADATA_KEY = "minimascope"


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path to write to; it becomes ``path`` when the block ends without an exception.

    The name is the same each time, so what a killed job leaves is overwritten by its successor.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write JSON atomically; a NaN or infinity raises ValueError instead of being written."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_rows(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with the same keys as CSV, atomically."""
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file; raise InputError naming the file if that is not what it holds."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not a readable JSON file ({error}); delete it and run again"
        ) from error


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as .npz, atomically; equal arrays give equal bytes."""
    with atomic(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read an .npz file; raise InputError naming the file if that is not what it holds."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
            # Of members that are no arrays, NumPy gives the bytes.
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise ValueError("it holds something else than arrays")
            return arrays
    except Exception as error:  # whatever zipfile and NumPy make of arbitrary bytes
        raise InputError(
            f"{path}: not a readable .npz file ({error}); delete it and run again"
        ) from error


def content_hash(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the metadata and of all names, types, shapes and bytes of tensors."""
    digest = hashlib.sha256(canonical_json(metadata).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_tensors(
    path: str | os.PathLike, tensors: Mapping[str, torch.Tensor], **metadata: Any
) -> None:
    """Write tensors and JSON-able metadata as safetensors, atomically, with a content hash."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = canonical_json({**metadata, "content_sha256": content_hash(tensors, metadata)})
    with atomic(path) as partial:
        save_file(tensors, partial, metadata={METADATA_KEY: described})


def load_tensors(path: str | os.PathLike) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote and return (tensors, metadata).

    Raises InputError naming the file if it cannot be read, was not written by this project or
    does not match its content hash.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[METADATA_KEY])
            if not isinstance(metadata, dict):
                raise ValueError("its metadata are no mapping")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not a readable safetensors file ({error}); delete it and run again"
        ) from error
    except KeyError as error:
        raise InputError(
            f"{path}: not a file of this workflow (its metadata has no {METADATA_KEY!r} entry)"
        ) from error
    described = {key: value for key, value in metadata.items() if key != "content_sha256"}
    if metadata.get("content_sha256") != content_hash(tensors, described):
        raise InputError(f"{path}: contents do not match their hash; delete it and run again")
    return tensors, metadata
