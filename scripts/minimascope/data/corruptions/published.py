"""The published corrupted sets (Hendrycks & Dietterich 2019), one corruption at a time."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from ...errors import InputError
from ...jobs.progress import progress
from ..pictures import Picture, decoded_picture, files_of
from ..prepared import Dataset
from ..raw_files import is_picture
from .copies import CorruptedCopies, CorruptionRequest
from .severities import SEVERITIES

LABELS = "labels.npy"


def load_cifar_c(
    request: CorruptionRequest, dataset: Dataset, raw: Path, origin: str
) -> CorruptedCopies:
    """Read a corruption of CIFAR-10-C or CIFAR-100-C from its archive or unpacked folder.

    ``<corruption>.npy`` holds the whole test split five times, severity after severity, uint8
    [5 n, 32, 32, 3], and ``labels.npy`` the labels of the test split as often.

    Args:
        request: what is wanted.
        dataset: the set whose test split was corrupted.
        raw: ``CIFAR-10-C.tar`` or the folder it unpacks to.
        origin: the set's name.

    Raises:
        InputError: a file is missing, has another shape, or the labels are not those of the test
            split; names the file.
    """
    n = len(dataset.test)
    name = f"{request.corruption}.npy"
    arrays = _arrays(raw, {name, LABELS})
    images, labels = arrays[name], arrays[LABELS]
    height, width = dataset.input_size
    if images.dtype != np.uint8 or images.shape != (len(SEVERITIES) * n, height, width, 3):
        raise InputError(
            f"{raw}: {name} holds {images.dtype} {images.shape}, not {len(SEVERITIES)} severities"
            f" of {n} pictures; replace it with a whole copy"
        )
    if not np.array_equal(labels, np.tile(dataset.test.labels.numpy(), len(SEVERITIES))):
        raise InputError(
            f"{raw}: {LABELS} does not hold the labels of the test split, {len(SEVERITIES)} times;"
            " replace it with a whole copy"
        )
    rows = request.rows(n)
    by_severity = images.reshape(len(SEVERITIES), n, height, width, 3)
    wanted = [by_severity[severity - 1][rows.numpy()] for severity in request.severities]
    copies = torch.from_numpy(np.stack(wanted)).permute(0, 1, 4, 2, 3).contiguous()
    labels = dataset.test.labels[rows]
    return CorruptedCopies(request.corruption, request.severities, copies, labels, origin, rows)


cifar10_c = partial(load_cifar_c, origin="cifar10_c")
cifar100_c = partial(load_cifar_c, origin="cifar100_c")


def _arrays(raw: Path, names: set[str]) -> dict[str, np.ndarray]:
    arrays = {}
    for file, content in files_of(raw, lambda file: file.name in names):
        try:
            arrays[file.name] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        except Exception as error:  # whatever NumPy makes of arbitrary headers
            raise InputError(
                f"{raw}: {file} is not an array ({error}); replace it with a whole copy"
            ) from error
        if len(arrays) == len(names):
            return arrays
    missing = min(names - arrays.keys())
    raise InputError(f"{raw}: {missing} is missing; replace it with a whole copy")


def tiny_imagenet_c(request: CorruptionRequest, dataset: Dataset, raw: Path) -> CorruptedCopies:
    """Read a corruption of Tiny-ImageNet-C, ``<corruption>/<severity>/<class>/*``.

    Its pictures are not those of Tiny ImageNet's validation split, so accuracies on the two
    cannot be compared picture by picture.

    Args:
        request: what is wanted.
        dataset: Tiny ImageNet, for the order of its classes.
        raw: ``Tiny-ImageNet-C.tar`` or the folder it unpacks to.

    Raises:
        InputError: a class is unknown, a severity is missing, or severities do not hold the same
            pictures.
    """
    found: dict[int, dict[tuple[str, str], torch.Tensor]] = {s: {} for s in request.severities}
    height, width = dataset.input_size
    pictures = _pictures(raw, request)
    for severity, picture in progress(pictures, request.corruption, "picture"):
        image = decoded_picture(picture, raw)
        if image.shape != dataset.test.inputs.shape[1:]:
            raise InputError(
                f"{raw / picture.name}: {image.shape[2]}×{image.shape[1]} pixels where"
                f" {height}×{width} were expected; use a whole copy"
            )
        found[severity][picture.label, PurePosixPath(picture.name).name] = image
    names = sorted(found[request.severities[0]])
    if not any(found.values()):
        raise InputError(f"{raw}: {request.corruption} is missing; replace it with a whole copy")
    if any(sorted(pictures) != names for pictures in found.values()):
        raise InputError(
            f"{raw}: {request.corruption} does not hold the same pictures at every severity;"
            " replace it with a whole copy"
        )
    if unknown := {label for label, _ in names} - set(dataset.classes):
        raise InputError(f"{raw}: class {min(unknown)!r} is not among the data set's classes")
    names = [names[row] for row in request.rows(len(names))]
    return CorruptedCopies(
        request.corruption,
        request.severities,
        torch.stack([torch.stack([found[s][name] for name in names]) for s in request.severities]),
        torch.tensor([dataset.classes.index(label) for label, _ in names]),
        "tiny_imagenet_c",
    )


def _pictures(raw: Path, request: CorruptionRequest) -> Iterator[tuple[int, Picture]]:
    folders = {(request.corruption, str(severity)) for severity in request.severities}

    def wanted(file: PurePosixPath) -> bool:
        return is_picture(file) and file.parts[-4:-2] in folders

    for file, content in files_of(raw, wanted):
        severity, label = file.parts[-3:-1]
        yield int(severity), Picture("test", label, str(file), content)
