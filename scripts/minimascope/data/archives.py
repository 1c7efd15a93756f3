"""Files inside archives, read one after the other: nothing is unpacked, nothing is trusted."""

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import InputError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
# Declared sizes above these are taken for bombs: bytes of one file, and of all of them.
LARGEST_FILE = 4 * 2**30
LARGEST_ARCHIVE = 2**37


def is_archive(path: str | PathLike) -> bool:
    """Return whether a path has the name of an archive that can be read."""
    return str(path).endswith(SUFFIXES)


def archive_files(
    path: str | PathLike, wanted: Callable[[PurePosixPath], bool] | None = None
) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield (name, content) of each file in an archive, in the archive's order.

    A gzipped tar is read once from front to back, since jumping back would start anew.

    Args:
        path: a .tar, .tar.gz, .tgz or .zip file.
        wanted: whether a file of this name is to be read; all are unless given.

    Raises:
        InputError: no readable archive, a name that leads out of it, a link or device, or
            declared sizes above the limits.
    """
    try:
        reader = _zip_files if str(path).endswith(".zip") else _tar_files
        yield from reader(Path(path), wanted or (lambda name: True))
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not a readable archive ({error}); replace it by a whole copy"
        ) from error


def _tar_files(
    path: Path, wanted: Callable[[PurePosixPath], bool]
) -> Iterator[tuple[PurePosixPath, bytes]]:
    total = 0
    # What is not wanted of a plain tar is jumped over.
    with tarfile.open(path, "r:" if path.suffix == ".tar" else "r|*") as archive:
        for member in archive:
            name = _checked_name(path, member.name)
            if member.isdir():
                continue
            if not member.isfile():
                raise InputError(f"{path}: {name} is a link or device; pack plain files only")
            total = _checked_size(path, name, member.size, total)
            if wanted(name):
                yield name, archive.extractfile(member).read()


def _zip_files(
    path: Path, wanted: Callable[[PurePosixPath], bool]
) -> Iterator[tuple[PurePosixPath, bytes]]:
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = _checked_name(path, member.filename)
            if member.is_dir():
                continue
            total = _checked_size(path, name, member.file_size, total)
            if wanted(name):
                yield name, archive.read(member)


def _checked_name(path: Path, name: str) -> PurePosixPath:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name:
        raise InputError(f"{path}: the name {name!r} leads out of the archive; pack it anew")
    return parts


def _checked_size(path: Path, name: PurePosixPath, size: int, total: int) -> int:
    if size > LARGEST_FILE or total + size > LARGEST_ARCHIVE:
        raise InputError(
            f"{path}: {name} declares {size:,} bytes, more than files of this workflow ever have"
        )
    return total + size
