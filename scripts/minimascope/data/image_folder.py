"""Anyone's pictures: ``train/<class>/*`` and ``test/<class>/*`` in a folder or an archive.

With domains, such as cameras or styles: ``train/<domain>/<class>/*`` and likewise for the test.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .pictures import Picture, dataset_of, files_of, test_set_of
from .prepared import Dataset
from .raw_files import is_picture, layout, path_remedy, picture_of_test, split_and_class


def load(
    data_dir: Path, path: str, *, image_size: int | None = None, domains: bool = False
) -> Dataset:
    """Read pictures as RGB, upright; classes and pictures are in alphabetical order.

    Args:
        data_dir: what a relative ``path`` is relative to.
        path: the folder, or a .tar, .tar.gz or .zip file, that holds ``train`` and ``test``. In
            an archive they may lie in one folder.
        image_size: side in pixels to which every picture is resized (bicubic); None keeps the
            pictures as they are, which must then be square and of one size.
        domains: whether folders of domains lie between those of splits and those of classes.
            Domains without training pictures are out-of-domain.

    Raises:
        InputError: a split or the archive is missing, several folders hold ``train`` and ``test``,
            a class is in one split only, a file is no picture or has 32 bits per pixel, or sizes
            differ where no ``image_size`` is given.
    """
    root = _root(data_dir, path, layout(domains))
    return dataset_of(_pictures(root, domains), root, image_size)


def load_test(
    data_dir: Path, path: str, *, image_size: int | None = None, domains: bool = False
) -> Dataset:
    """Read pictures as a test set alone: ``test/<class>/*``, or ``<class>/*`` without a ``test``.

    Domains are not told apart. Both splits of what is returned are the test set. Arguments are
    those of `load`.

    Raises:
        InputError: as `load` does, but that there need not be a training split.
    """
    root = _root(data_dir, path, "<class>/ or test/<class>/")
    files = list(files_of(root, is_picture))
    label_of = picture_of_test([name for name, _ in files], domains)
    return test_set_of(
        (
            Picture("test", label, str(name), content)
            for name, content in files
            if (label := label_of(name))
        ),
        root,
        image_size,
    )


def _root(data_dir: Path, path: str, layout: str) -> Path:
    root = Path(data_dir, path)
    if not root.exists():
        remedy = f"set 'path' to the one that holds {layout}"
        remedy = path_remedy(data_dir, path) or remedy
        raise InputError(f"{root}: no such folder or archive; {remedy}")
    return root


def _pictures(root: Path, domains: bool) -> Iterator[Picture]:
    first: PurePosixPath | None = None
    for name, content in files_of(root, is_picture):
        if place := split_and_class(name, domains):
            at = name.parts.index(place[0])
            above = PurePosixPath(*name.parts[:at])
            first = above if first is None else first
            if above != first:
                both = " and ".join(sorted(str(root / folder) for folder in (first, above)))
                raise InputError(
                    f"{root}: train/ and test/ are in several folders ({both}); set 'path' to one"
                )
            yield Picture(*place, str(name), content, name.parts[at + 1] if domains else None)
