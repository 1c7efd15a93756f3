"""Anyone's pictures: ``train/<class>/*`` and ``test/<class>/*`` in a folder or an archive."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .pictures import Picture, dataset_of, files_of
from .prepared import Dataset
from .raw_files import is_picture, path_remedy, split_and_class


def load(data_dir: Path, path: str, *, image_size: int | None = None) -> Dataset:
    """Read pictures as RGB, upright; classes and pictures are in alphabetical order.

    Args:
        data_dir: what a relative ``path`` is relative to.
        path: the folder, or a .tar, .tar.gz or .zip file, that holds ``train`` and ``test``. In
            an archive they may lie in one folder.
        image_size: side in pixels to which every picture is resized (bicubic); None keeps the
            pictures as they are, which must then be square and of one size.

    Raises:
        InputError: a split or the archive is missing, several folders hold ``train`` and ``test``,
            a class is in one split only, a file is no picture or has 32 bits per pixel, or sizes
            differ where no ``image_size`` is given.
    """
    root = Path(data_dir, path)
    if not root.exists():
        remedy = "set 'path' to the one that holds train/<class>/ and test/<class>/"
        remedy = path_remedy(data_dir, path) or remedy
        raise InputError(f"{root}: no such folder or archive; {remedy}")
    return dataset_of(_pictures(root), root, image_size)


def _pictures(root: Path) -> Iterator[Picture]:
    first: PurePosixPath | None = None
    for name, content in files_of(root, is_picture):
        if place := split_and_class(name):
            above = PurePosixPath(*name.parts[: name.parts.index(place[0])])
            first = above if first is None else first
            if above != first:
                both = " and ".join(sorted(str(root / folder) for folder in (first, above)))
                raise InputError(
                    f"{root}: train/ and test/ are in several folders ({both}); set 'path' to one"
                )
            yield Picture(*place, str(name), content)
