"""Anyone's pictures: ``train/<class>/*`` and ``test/<class>/*`` in a folder or an archive.

With domains, such as cameras or styles: ``train/<domain>/<class>/*`` and likewise for the test,
or a table that names the domain of each picture.
"""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .picture_domains import domain_finder
from .pictures import Picture, dataset_of, files_of, test_set_of
from .prepared import Dataset
from .raw_files import (
    from_split_on,
    is_picture,
    layout,
    path_remedy,
    picture_of_test,
    split_and_class,
)


def load(
    data_dir: Path, path: str, *, image_size: int | None = None, domains: bool | str = False
) -> Dataset:
    """Read pictures as RGB, upright; classes and pictures are in alphabetical order.

    Args:
        data_dir: what relative paths are relative to.
        path: the folder, or a .tar, .tar.gz or .zip file, that holds ``train`` and ``test``. In
            an archive they may lie in one folder.
        image_size: side in pixels to which every picture is resized (bicubic); None keeps the
            pictures as they are, which must then be square and of one size.
        domains: whether folders of domains lie between those of splits and those of classes; or a
            CSV table with the columns filename (``train/<class>/…`` or ``test/<class>/…``) and
            domain, which names every picture. Domains without training pictures are out-of-domain.

    Raises:
        InputError: a split or the archive is missing, several folders hold ``train`` and ``test``,
            a class is in one split only, a file is no picture or has 32 bits per pixel, sizes
            differ where no ``image_size`` is given, or the table is at fault (`domain_finder`).
    """
    in_folders = domains is True
    root = _root(data_dir, path, layout(in_folders))
    domain_of = domain_finder(domains, data_dir, root)
    return dataset_of(_pictures(root, in_folders, domain_of), root, image_size)


def load_test(
    data_dir: Path, path: str, *, image_size: int | None = None, domains: bool = False
) -> Dataset:
    """Read pictures as a test set alone: ``test/<class>/*``, or ``<class>/*`` without a ``test``.

    Domains are not told apart, so that there is no table of them. Both splits of what is returned
    are the test set. Arguments are those of `load`.

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


def _pictures(
    root: Path, in_folders: bool, domain_of: Callable[[PurePosixPath], str | None]
) -> Iterator[Picture]:
    first: PurePosixPath | None = None
    for name, content in files_of(root, is_picture):
        if place := split_and_class(name, in_folders):
            above = PurePosixPath(*name.parts[: -len(from_split_on(name).parts)])
            first = above if first is None else first
            if above != first:
                both = " and ".join(sorted(str(root / folder) for folder in (first, above)))
                raise InputError(
                    f"{root}: train/ and test/ are in several folders ({both}); set 'path' to one"
                )
            yield Picture(*place, str(name), content, domain_of(name))
