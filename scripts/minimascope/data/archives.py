"""Files inside archives, read one after the other: nothing is unpacked, nothing is trusted."""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import InputError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
# Declared sizes above these are taken for bombs: bytes of one file, and of all of them.
LARGEST_FILE = 4 * 2**30
LARGEST_ARCHIVE = 2**37
CHUNK = 2**20
# A file's name and what reads it, while its archive is at it.
Member = tuple[PurePosixPath, Callable[[], bytes]]


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
    with _readable(path):
        for name, read in _members(Path(path)):
            if wanted is None or wanted(name):
                yield name, read()


def archive_names(path: str | PathLike) -> list[PurePosixPath]:
    """Return the names of an archive's files, in its order; raises what `archive_files` does."""
    with _readable(path):
        return [name for name, _ in _members(Path(path))]


@contextmanager
def _readable(path: str | PathLike) -> Iterator[None]:
    try:
        yield
    # zipfile raises RuntimeError for encrypted files and for compressions it does not know.
    except (
        OSError,
        EOFError,
        RuntimeError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            f"{path}: not a readable archive ({error}); replace it by a whole copy"
        ) from error


def _members(path: Path) -> Iterator[Member]:
    return _zip_members(path) if path.suffix == ".zip" else _tar_members(path)


def _tar_members(path: Path) -> Iterator[Member]:
    total = 0
    plain = path.suffix == ".tar"
    # What is not wanted of a plain tar is jumped over.
    with (
        nullcontext() if plain else gzip.open(path) as stream,
        tarfile.open(path, "r:" if plain else "r|", stream) as archive,
    ):
        for member in archive:
            name = _checked_name(path, member.name)
            if member.isdir():
                continue
            if not member.isfile():
                raise InputError(f"{path}: {name} is a link or device; pack plain files only")
            total = _checked_size(path, name, member.size, total)
            yield name, lambda member=member: archive.extractfile(member).read()
        # The checksum of all is behind the last file, where tarfile does not look.
        while stream and stream.read(CHUNK):
            pass


def _zip_members(path: Path) -> Iterator[Member]:
    total = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = _checked_name(path, member.filename)
            if member.is_dir():
                continue
            total = _checked_size(path, name, member.file_size, total)
            yield name, partial(archive.read, member)


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
