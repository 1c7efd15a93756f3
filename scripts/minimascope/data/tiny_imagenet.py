"""Tiny ImageNet (Stanford CS231n): 200 classes of 64×64 pictures."""

from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from .official import TINY_IMAGENET
from .pictures import Picture, dataset_of, files_of
from .prepared import Dataset
from .raw_files import is_picture
from .recordings import rows_of

ANNOTATIONS = "val_annotations.txt"


def load(data_dir: Path) -> Dataset:
    """Return Tiny ImageNet: 100,000 training pictures and, as test split, the 10,000 of ``val``.

    Reads ``tiny-imagenet-200.zip`` or the unpacked ``tiny-imagenet-200`` in ``data_dir``. The
    pictures of the archive's ``test`` have no labels. Classes are WordNet ids in alphabetical
    order; grey pictures become RGB.

    Raises:
        InputError: the archive, or a part of it, is missing or damaged.
    """
    unpacked = Path(data_dir, TINY_IMAGENET.folder)
    root = unpacked if unpacked.is_dir() else Path(data_dir, TINY_IMAGENET.name)
    return dataset_of(_pictures(root), root, image_size=None)


def _pictures(root: Path) -> Iterator[Picture]:
    validation: dict[str, tuple[str, bytes]] = {}
    labels: dict[str, str] | None = None
    for name, content in files_of(root, lambda name: is_picture(name) or name.name == ANNOTATIONS):
        parts = name.parts[1:] if name.parts[0] == TINY_IMAGENET.folder else name.parts
        if parts[:1] == ("train",):
            yield Picture("train", parts[1], str(name), content)
        elif name.name == ANNOTATIONS:
            rows = [cells for _, cells in rows_of(content, root / name, "\t")]
            labels = {cells[0]: cells[1] for cells in rows if len(cells) > 1}
        elif parts[:1] == ("val",):
            validation[name.name] = (str(name), content)
    if labels is None or labels.keys() != validation.keys():
        raise InputError(
            f"{root}: val/{ANNOTATIONS} and the pictures in val/images do not belong together;"
            " replace it with a whole copy"
        )
    for file, (name, content) in validation.items():
        yield Picture("test", labels[file], name, content)
