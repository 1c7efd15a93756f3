"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the official archives, Python version."""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .official import CIFAR10, CIFAR100, RemoteFile
from .pictures import files_of
from .prepared import Dataset, Split

SIDE = 32


def load_cifar10(data_dir: Path) -> Dataset:
    """Return CIFAR-10: 50,000 training and 10,000 test images, 3 × 32 × 32, 10 classes.

    Reads ``cifar-10-python.tar.gz`` or the unpacked ``cifar-10-batches-py`` in ``data_dir``.

    Raises:
        InputError: a batch is missing or is not what the official archive holds.
    """
    batches = [f"data_batch_{number}" for number in range(1, 6)]
    files = _decoded_files(Path(data_dir), CIFAR10, {*batches, "test_batch", "batches.meta"})
    train = [_split(files, name, "labels") for name in batches]
    names = _names(files, "batches.meta", "label_names")
    return _dataset(train, _split(files, "test_batch", "labels"), names)


def load_cifar100(data_dir: Path) -> Dataset:
    """Return CIFAR-100: 50,000 training and 10,000 test images, 3 × 32 × 32, 100 fine classes.

    Reads ``cifar-100-python.tar.gz`` or the unpacked ``cifar-100-python`` in ``data_dir``.

    Raises:
        InputError: a batch is missing or is not what the official archive holds.
    """
    files = _decoded_files(Path(data_dir), CIFAR100, {"train", "test", "meta"})
    names = _names(files, "meta", "fine_label_names")
    splits = (_split(files, name, "fine_labels") for name in ("train", "test"))
    return _dataset([next(splits)], next(splits), names)


def _dataset(train: list[Split], test: Split, names: list[str]) -> Dataset:
    whole = Split(torch.cat([s.inputs for s in train]), torch.cat([s.labels for s in train]))
    return Dataset(whole, test, tuple(names))


def _decoded_files(data_dir: Path, file: RemoteFile, names: set[str]) -> dict[str, Any]:
    """Return the named pickles of an unpacked folder, or else of the archive."""
    unpacked = data_dir / file.folder
    root = unpacked if unpacked.is_dir() else data_dir / file.name
    # Copies in folders below are none of the data set.
    own = names | {f"{file.folder}/{name}" for name in names}
    return {
        path.name: _decoded(content, f"{root}: {path.name}")
        for path, content in files_of(root, lambda path: str(path) in own)
    }


def _bytes_of(text: str, encoding: str) -> bytes:
    # How later versions of Python write bytes in a protocol that knows none.
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it wants to use the codec {encoding}")
    return text.encode(encoding)


_CALLABLES = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _bytes_of,
}


class _ArraysOnly(pickle.Unpickler):
    """Reads lists, mappings, texts and NumPy arrays, and refuses to call anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what makes an array or bytes."""
        if (module, name) not in _CALLABLES:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return _CALLABLES[module, name]


def _decoded(content: bytes, where: str) -> Any:
    try:
        # Here what is announced has to be there; the unpickler sets memory aside for it.
        for opcode, argument, _ in pickletools.genops(content):
            if "PUT" in opcode.name and argument > len(content):
                raise pickle.UnpicklingError(f"it remembers {argument:,} things")
        return _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # whatever the unpickler makes of arbitrary bytes
        raise InputError(
            f"{where}: not a batch of the official archive ({error}); replace it with a whole copy"
        ) from error


def _entry(files: dict[str, Any], name: str, key: str) -> Any:
    try:
        return files[name][key.encode()]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{name}: {key!r} is missing from the archive; use a whole copy"
        ) from error


def _names(files: dict[str, Any], name: str, key: str) -> list[str]:
    names = _entry(files, name, key)
    if not isinstance(names, list) or not all(isinstance(text, bytes) for text in names):
        raise InputError(f"{name}: {key!r} is not a list of names; use a whole copy")
    return [text.decode("ascii", "backslashreplace") for text in names]


def _split(files: dict[str, Any], name: str, key: str) -> Split:
    pixels, labels = _entry(files, name, "data"), _entry(files, name, key)
    if not isinstance(labels, list) or not all(
        type(label) is int and 0 <= label < 100 for label in labels
    ):
        raise InputError(f"{name}: {key!r} is not a list of labels; use a whole copy")
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"{name}: 'data' is not an array; use a whole copy")
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3 * SIDE**2:
        raise InputError(f"{name}: holds {pixels.dtype} {pixels.shape}, not rows of 3,072 pixels")
    return Split(torch.from_numpy(pixels.reshape(-1, 3, SIDE, SIDE).copy()), torch.tensor(labels))
