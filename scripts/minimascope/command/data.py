"""Data of the command ``minimascope``, from whatever place they are in."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from ..batches import Inputs, each, first_tensor
from ..data.archives import is_archive
from ..data.pictures import Picture, decoded_picture, files_of
from ..data.prepared import Split, load_dataset
from ..data.raw_files import SPLITS, picture_names, split_and_class
from ..errors import InputError
from ..jobs.progress import progress
from ..safetensors_files import content_hash
from ..seeding import generator
from .own import is_own, own_function

# The name of a picture, and its class.
Place = tuple[PurePosixPath, str]
# Of the machine's memory, pictures may take this share.
LARGEST_SHARE = 0.5
LABELS = "labels"
ONE_INPUT = "inputs"


@dataclass(frozen=True)
class Data:
    """What a network is measured on.

    Attributes:
        inputs: a tensor, tensors by name, or what `measure` takes otherwise.
        labels: of them; None where the inputs bring their own.
        classes: their names, in the order of the labels; empty where labels are no classes.
        split: the part of the data; None where they have no parts.
        found: how many samples there are in it, drawn or not; None where nobody has counted.
    """

    inputs: Any
    labels: torch.Tensor | None
    classes: tuple[str, ...] = ()
    split: str | None = None
    found: int | None = None

    @property
    def is_in_memory(self) -> bool:
        """Whether inputs and labels are tensors."""
        return self.labels is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an input; empty where it is not known."""
        return tuple(first_tensor(self.inputs).shape[1:]) if self.is_in_memory else ()

    @property
    def sha256(self) -> str | None:
        """Hash of all inputs and labels; None where these are not in memory."""
        if not self.is_in_memory:
            return None
        several = isinstance(self.inputs, Mapping)
        inputs = self.inputs if several else {ONE_INPUT: self.inputs}
        return content_hash({**inputs, LABELS: self.labels}, {})


def read_data(
    given: str,
    split: str | None,
    samples: int | None,
    image_size: int | None,
    seed: int,
) -> Data:
    """Return the data at a place; see ``minimascope measure --help`` for what it may be.

    Args:
        given: path, or ``file.py:function``.
        split: ``train`` or ``test``; None for ``train`` if the data have both.
        samples: how many are drawn, without replacement; None for all.
        image_size: side to which pictures are resized.
        seed: of the draw.

    Raises:
        InputError: no such place, or nothing in it that can be read.
    """
    path = Path(given)
    if is_own(given):
        return _drawn(_own(given, split), samples, seed)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; correct --data")
    if path.is_dir() or is_archive(path):
        return _pictures(path, split, samples, image_size, seed)
    if image_size is not None:
        raise InputError("--image-size: is for folders and archives of pictures; leave it out")
    match path.suffix:
        case ".npz":
            return _drawn(_arrays(path, split), samples, seed)
        case ".safetensors":
            return _drawn(_prepared(path, split), samples, seed)
    raise InputError(
        f"{path}: no data; give a folder or archive of pictures, an .npz with inputs and labels, a"
        " prepared.safetensors, or FILE.py:FUNCTION"
    )


def in_order(data: Data, classes: Sequence[str] | None) -> Data:
    """Return data with labels that count classes in another order, which may have more of them.

    Args:
        data: with the names of their classes.
        classes: all that the network knows, in the order of its outputs; None for those of the
            data.
    """
    if classes is None:
        return data
    names = _listed(classes)
    if not data.is_in_memory or not data.classes:
        # Nothing says which class a label is.
        return replace(data, classes=tuple(names))
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"--classes: names {twice!r} twice; name each class once")
    for name in data.classes:
        if name not in names:
            raise InputError(
                f"--classes: lacks {name!r} of the data, which has {', '.join(data.classes)}; name"
                " all of these, apart by spaces, in the order of the network's outputs"
            )
    order = torch.tensor([names.index(name) for name in data.classes])
    return replace(data, labels=order[data.labels], classes=tuple(names))


def _listed(classes: Sequence[str]) -> list[str]:
    """Return names of classes; those in the lines of a file, if that is all that is named."""
    if len(classes) > 1 or not Path(classes[0]).is_file():
        return list(classes)
    try:
        text = Path(classes[0]).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{classes[0]}: not UTF-8 text; write a class in each line") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pictures(
    root: Path, split: str | None, samples: int | None, image_size: int | None, seed: int
) -> Data:
    places, split = _places(root, split)
    classes = tuple(sorted({label for _, label in places}))
    chosen = [places[row] for row in _rows(len(places), samples, seed)]
    wanted = {name for name, _ in chosen}
    images: dict[PurePosixPath, torch.Tensor] = {}
    shape: tuple[int, ...] = ()
    files = files_of(root, lambda name: name in wanted)
    for name, content in progress(files, "pictures", "file", total=len(chosen)):
        picture = Picture(split or "", "", str(name), content)
        image = decoded_picture(picture, root, image_size)
        if not images:
            shape = tuple(image.shape)
            _check_memory(len(chosen), shape, root)
        if image.shape != shape:
            raise InputError(
                f"{root / name}: {image.shape[2]} × {image.shape[1]} pixels where the first picture"
                f" has {shape[2]} × {shape[1]}; resize all of them with --image-size"
            )
        images[name] = image
    labels = torch.tensor([classes.index(label) for _, label in chosen])
    inputs = torch.stack([images.pop(name) for name, _ in chosen])
    return Data(inputs, labels, classes, split, len(places))


def _places(root: Path, split: str | None) -> tuple[list[Place], str | None]:
    """Return all pictures of a split by class and name, and the split, if there are any."""
    names = picture_names(root)
    parts = {name: split_and_class(name) for name in names}
    if any(parts.values()):
        split = split or SPLITS[0]
        places = [(name, part[1]) for name, part in parts.items() if part and part[0] == split]
        if not places:
            raise InputError(f"{root}: has no pictures in {split}/; choose another --split")
    else:
        if split is not None:
            raise InputError(f"{root}: has no train/ and test/; leave --split out")
        places = list(zip(names, _classes(names), strict=True))
        places = [(name, label) for name, label in places if label]
        if not places:
            raise InputError(
                f"{root}: no folder with one folder of pictures for each class; give one with"
                " CLASS/, or with train/CLASS/ and test/CLASS/"
            )
    return sorted(places, key=lambda place: (place[1], str(place[0]))), split


def _classes(names: Sequence[PurePosixPath]) -> list[str]:
    """Return the folder that each picture lies in, below one that all may lie in; or nothing."""
    together = len({name.parts[0] for name in names}) == 1
    inside = 1 if together and all(len(name.parts) > 2 for name in names) else 0
    return [name.parts[inside] if len(name.parts) > inside + 1 else "" for name in names]


def _check_memory(count: int, shape: tuple[int, ...], root: Path) -> None:
    needed = count * int(np.prod(shape))
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > LARGEST_SHARE * there:
        raise InputError(
            f"{root}: {count:,} pictures of {shape[2]} × {shape[1]} take {needed / 2**30:.1f} GiB;"
            " measure a part of them with --samples, or make them smaller with --image-size"
        )


def _arrays(path: Path, split: str | None) -> Data:
    """Return what an .npz has for a split, or all of it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not a readable .npz of numbers ({' '.join(str(error).split())}); write it"
            " with numpy.savez"
        ) from error
    if any(name.startswith(f"{part}_") for name in arrays for part in SPLITS):
        split = split or SPLITS[0]
        before = f"{split}_"
        found = {n.removeprefix(before): a for n, a in arrays.items() if n.startswith(before)}
    elif split is not None:
        raise InputError(f"{path}: has no parts for --split; leave it out")
    else:
        found = arrays
    labels = found.pop(LABELS, None)
    if labels is None or not found:
        raise InputError(
            f"{path}: has {', '.join(arrays) or 'nothing'}; it must have inputs and labels, or"
            " train_inputs, train_labels, test_inputs and test_labels"
        )
    inputs = {name: _tensor(array, f"{path}: {name}") for name, array in found.items()}
    return _data(inputs, _tensor(labels, f"{path}: {LABELS}"), split, str(path))


def _data(
    inputs: dict[str, torch.Tensor], labels: torch.Tensor, split: str | None, at: str
) -> Data:
    """Return arrays as data; a single array of inputs has no name that the network knows."""
    lengths = {name: len(tensor) for name, tensor in {**inputs, LABELS: labels}.items()}
    if len({*lengths.values()}) > 1:
        counts = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise InputError(f"{at}: {counts}; there must be as many of each")
    given: Inputs = inputs[ONE_INPUT] if inputs.keys() == {ONE_INPUT} else inputs
    classes: tuple[str, ...] = ()
    if not labels.is_floating_point():
        labels = labels.long()
        classes = tuple(map(str, range(int(labels.max()) + 1)))
    return Data(given, labels, classes, split, len(labels))


def _tensor(array: np.ndarray, where: str) -> torch.Tensor:
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise InputError(f"{where}: {array.dtype} of shape {array.shape} is no list of numbers")
    pictures = array.dtype == np.uint8 and array.ndim == 4
    if pictures and array.shape[3] in (1, 3) and array.shape[1] not in (1, 3):
        raise InputError(
            f"{where}: {array.shape} has the channels last; save it as [n, channels, height, width]"
        )
    return torch.from_numpy(np.ascontiguousarray(array))


def _prepared(path: Path, split: str | None) -> Data:
    dataset, _ = load_dataset(path)
    chosen: Split = getattr(dataset, split or SPLITS[0])
    return Data(chosen.inputs, chosen.labels, dataset.classes, split or SPLITS[0], len(chosen))


def _own(given: str, split: str | None) -> Data:
    if split is not None:
        raise InputError("--split: your function chooses its data itself; leave it out")
    found = own_function(given, "--data")()
    if isinstance(found, tuple) and len(found) == 2:
        inputs, labels = (torch.as_tensor(part) for part in found)
        return _data({ONE_INPUT: inputs}, labels, None, given)
    return Data(found, None)


def _rows(count: int, samples: int | None, seed: int) -> list[int]:
    """Return which of so many rows are drawn, in their order; all unless fewer are wanted."""
    if samples is None or samples >= count:
        return list(range(count))
    order = torch.randperm(count, generator=generator(seed, "samples"))
    return order[:samples].sort().values.tolist()


def _drawn(data: Data, samples: int | None, seed: int) -> Data:
    if samples is None:
        return data
    if not data.is_in_memory:
        raise InputError("--samples: leave it out; let your function return fewer samples")
    rows = torch.tensor(_rows(len(data.labels), samples, seed))
    inputs = each(data.inputs, lambda tensor: tensor[rows])
    return replace(data, inputs=inputs, labels=data.labels[rows])
